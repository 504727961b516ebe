#include "kernel/ipc/ipc.h"

#include <algorithm>

#include "fs/user_namespace.h"
#include "kernel/namespaces.h"
#include "kernel/task.h"

namespace runsc::kernel {

namespace {
// Over the namespace in which the caller finds the object.
bool is_capable_here(const fs::Credentials& creds, fs::Cap c) {
  if (!creds.user_ns) return creds.has(c);
  return fs::is_capable(creds, Task::current().namespaces().ipc().owner(), c);
}
}  // namespace

Result<void> IpcOwner::check(const fs::Credentials& creds, uint32_t flags) const {
  uint32_t asked = (flags >> 6 | flags >> 3 | flags) & 7, given = mode;
  if (creds.euid == cuid || creds.euid == uid)
    given >>= 6;
  else if (creds.in_group(cgid) || creds.in_group(gid))
    given >>= 3;
  if ((asked & ~given) == 0 || is_capable_here(creds, fs::Cap::ipc_owner)) return {};
  return Errno::acces;
}

Result<void> IpcOwner::check_owner(const fs::Credentials& creds) const {
  if (creds.euid == cuid || creds.euid == uid || is_capable_here(creds, fs::Cap::sys_admin)) return {};
  return Errno::perm;
}

void IpcObject::leave_table() {
  if (table_) table_->remove(*this);
}

IpcTable::~IpcTable() NO_THREAD_SAFETY_ANALYSIS {
  if (slots_) kfree(slots_, size_ * sizeof(IpcObject*));
}

void IpcTable::end() {
  for (int32_t i = highest(); i >= 0; --i) {
    auto object = at(i);
    if (!object) continue;
    (*object)->destroy();
    remove(**object);
  }
}

Result<Ref<IpcObject>> IpcTable::find_key(int32_t key) {
  LockGuard guard(lock_);
  for (uint32_t i = 0; i < size_; ++i) {
    if (!slots_[i]) continue;
    LockGuard object_guard(slots_[i]->lock);
    if (slots_[i]->key == key && !slots_[i]->removed) return Ref<IpcObject>(*slots_[i]);
  }
  return Errno::noent;
}

Result<Ref<IpcObject>> IpcTable::find(int32_t id) {
  if (id < 0) return Errno::inval;
  Ref<IpcObject> object = TRY(at(id & kIndexMask));
  if (object->id_ != id) return Errno::inval;
  return object;
}

Result<Ref<IpcObject>> IpcTable::at(int32_t index) {
  LockGuard guard(lock_);
  if (index < 0 || static_cast<uint32_t>(index) >= size_ || !slots_[index]) return Errno::inval;
  return Ref<IpcObject>(*slots_[index]);
}

// Twice as many places, made without the lock.
Result<void> IpcTable::make_room() {
  uint32_t size, used;
  {
    LockGuard guard(lock_);
    size = size_;
    used = count();
  }
  if (used >= limit()) return Errno::nospc;
  if (used < size) return {};
  uint32_t more = std::min(kMost, std::max<uint32_t>(16, size * 2));
  auto** fresh = static_cast<IpcObject**>(kalloc(more * sizeof(IpcObject*)));
  if (!fresh) return Errno::nomem;
  IpcObject** gone = fresh;
  uint32_t gone_size = more;
  {
    LockGuard guard(lock_);
    if (size_ == size) {
      std::fill(std::copy(slots_, slots_ + size_, fresh), fresh + more, nullptr);
      gone = std::exchange(slots_, fresh);
      gone_size = std::exchange(size_, more);
    }
  }
  if (gone) kfree(gone, gone_size * sizeof(IpcObject*));
  return {};
}

Result<int32_t> IpcTable::add(Ref<IpcObject> object, int32_t key) {
  for (;;) {
    TRY(make_room());
    LockGuard guard(lock_);
    if (key != 0) {
      for (uint32_t i = 0; i < size_; ++i) {
        if (!slots_[i]) continue;
        LockGuard other(slots_[i]->lock);
        if (slots_[i]->key == key && !slots_[i]->removed) return Errno::exist;
      }
    }
    IpcObject** slot = std::find(slots_, slots_ + size_, nullptr);
    if (slot == slots_ + size_) continue;  // filled meanwhile
    auto index = static_cast<int32_t>(slot - slots_);
    // Numbers come back late: each round through the places has another upper half.
    if (index <= last_index_) sequence_ = (sequence_ + 1) & 0xffff;
    last_index_ = index;
    object->id_ = sequence_ << kIndexBits | index;
    object->table_ = Ref<IpcTable>(*this);
    int32_t id = object->id_;
    *slot = object.leak();
    count_.fetch_add(1, std::memory_order_relaxed);
    return id;
  }
}

void IpcTable::remove(IpcObject& object) {
  Ref<IpcObject> gone;
  LockGuard guard(lock_);
  int32_t index = object.id_ & kIndexMask;
  if (object.id_ < 0 || static_cast<uint32_t>(index) >= size_ || slots_[index] != &object) return;
  gone = Ref<IpcObject>::adopt(std::exchange(slots_[index], nullptr));
  count_.fetch_sub(1, std::memory_order_relaxed);
}

int32_t IpcTable::highest() const {
  LockGuard guard(lock_);
  for (uint32_t i = size_; i > 0; --i)
    if (slots_[i - 1]) return static_cast<int32_t>(i - 1);
  return -1;
}

}  // namespace runsc::kernel
