// shmget(2), shmat(2), shmdt(2), shmctl(2).
#include "fs/user_namespace.h"
#include "kernel/ipc/shm.h"

#include <algorithm>

#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/syscalls/memory.h"
#include "kernel/syscalls/sysv.h"
#include "kernel/thread_group.h"
#include "mm/flags.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kReadOnly = 010000, kRound = 020000, kRemap = 040000, kExec = 0100000, kHugeTlb = 04000;
constexpr uint32_t kMapShared = 1;

struct ShmIds {  // struct shmid64_ds
  IpcPermissions permissions;
  uint64_t size;
  int64_t attach_time, detach_time, change_time;
  int32_t creator, last;
  uint64_t attached;
  uint64_t unused[2];
};
static_assert(sizeof(ShmIds) == 112);

struct ShmLimits {  // struct shminfo64
  uint64_t max, min, mni, seg, all, unused[4];
};

struct ShmInfo {  // struct shm_info
  int32_t used_ids, pad;
  uint64_t total, resident, swapped, swap_attempts, swap_successes;
};

ShmIds describe(const ShmSegment& s) REQUIRES(s.lock) {
  constexpr uint32_t kDest = 01000, kLocked = 02000;
  ShmIds ids{};
  ids.permissions = ipc_permissions(s);
  if (s.removed) ids.permissions.mode |= kDest;
  if (s.locked.load()) ids.permissions.mode |= kLocked;
  ShmSegment::Use use = s.use();
  ids.size = s.size();
  ids.attach_time = use.attach_time;
  ids.detach_time = use.detach_time;
  ids.change_time = use.change_time;
  ids.creator = use.creator;
  ids.last = use.last;
  ids.attached = use.attached;
  return ids;
}

Result<uint64_t> stat(Task& task, ShmSegment& s, uint64_t address, bool any) {
  constexpr uint32_t kRead = 0444;
  ShmIds ids;
  {
    LockGuard guard(s.lock);
    if (!any) TRY(s.owner.check(task.creds(), kRead));
    ids = describe(s);
  }
  ids.creator = number_for(task, ids.creator);
  ids.last = number_for(task, ids.last);
  TRY(mm::copy_out(task.mm(), UserPtr<ShmIds>(address), ids));
  return uint64_t{0};
}

Result<void> set(Task& task, ShmSegment& s, uint64_t address) {
  ShmIds ids = TRY(mm::copy_in(task.mm(), UserPtr<ShmIds>(address)));
  LockGuard guard(s.lock);
  TRY(ipc_set(s, task.creds(), ids.permissions));
  s.touch();
  return {};
}

Result<void> remove(Task& task, ShmSegment& s) {
  {
    LockGuard guard(s.lock);
    TRY(s.owner.check_owner(task.creds()));
  }
  s.destroy();
  return {};
}

Result<void> set_locked(Task& task, ShmSegment& s, bool on) {
  LockGuard guard(s.lock);
  if (!fs::is_capable(task.creds(), task.namespaces().ipc().owner(), fs::Cap::ipc_lock)) {
    if (task.creds().euid != s.owner.uid && task.creds().euid != s.owner.cuid) return Errno::perm;
    if (on && task.limit(static_cast<unsigned>(Resource::memlock)) == 0) return Errno::perm;
  }
  s.locked.store(on);  // nothing is ever swapped out
  return {};
}

Result<uint64_t> limits(Task& task, uint64_t address) {
  const IpcLimits& most = task.namespaces().ipc().limits();
  const uint32_t mni = shm_table(task).limit();
  ShmLimits l{most.shm_max.load(std::memory_order_relaxed), 1, mni, mni,
              most.shm_all.load(std::memory_order_relaxed), {}};
  TRY(mm::copy_out(task.mm(), UserPtr<ShmLimits>(address), l));
  return static_cast<uint64_t>(std::max(shm_table(task).highest(), 0));
}

uint64_t pages_of(const ShmSegment& s) { return mm::page_up(s.size()) / mm::kPageSize; }

uint64_t pages_in_use(Task& task) {
  uint64_t pages = 0;
  for (int32_t i = 0; i <= shm_table(task).highest(); ++i)
    if (auto object = shm_table(task).at(i)) pages += pages_of(static_cast<ShmSegment&>(**object));
  return pages;
}

Result<uint64_t> info(Task& task, uint64_t address) {
  ShmInfo i{};
  int32_t highest = shm_table(task).highest();
  for (int32_t index = 0; index <= highest; ++index) {
    auto object = shm_table(task).at(index);
    if (!object) continue;
    ++i.used_ids;
    i.total += pages_of(static_cast<ShmSegment&>(**object));
  }
  TRY(mm::copy_out(task.mm(), UserPtr<ShmInfo>(address), i));
  return static_cast<uint64_t>(std::max(highest, 0));
}

// Of a mapping that shmat(2) made at `address`.
Ref<ShmSegment> attached_at(Task& task, uint64_t address) {
  Ref<ShmSegment> found;
  task.mm().for_each_vma(address, [&](const mm::Vma& v) {
    if (v.start != address || !v.file || v.offset != 0) return false;
    found = mapped_segment(*v.file.get());
    return false;
  });
  return found;
}

}  // namespace

Result<int32_t> sys_shmget(Task& task, int32_t key, uint64_t size, uint32_t flags) {
  auto check = [&](IpcObject& object) -> Result<void> {
    if (static_cast<ShmSegment&>(object).size() < size) return Errno::inval;
    return {};
  };
  auto make = [&]() -> Result<Ref<IpcObject>> {
    const IpcLimits& most = task.namespaces().ipc().limits();
    if (size < 1 || size > most.shm_max.load(std::memory_order_relaxed)) return Errno::inval;
    const uint64_t all = most.shm_all.load(std::memory_order_relaxed);
    if (all < kShmAll && pages_in_use(task) + mm::page_up(size) / mm::kPageSize > all) return Errno::nospc;
    if (flags & kHugeTlb) return Errno::nomem;  // a kernel with an empty pool of huge pages
    return Ref<IpcObject>(TRY(ShmSegment::create(size, key, task.pid())));
  };
  return ipc_get(shm_table(task), task.creds(), key, flags, check, make);
}

Result<uint64_t> sys_shmat(Task& task, int32_t id, uint64_t address, uint32_t flags) {
  if (id < 0) return Errno::inval;
  if (address & mm::kPageMask) {
    if (!(flags & kRound)) return Errno::inval;
    address = mm::page_down(address);
    if (address == 0 && flags & kRemap) return Errno::inval;
  } else if (address == 0 && flags & kRemap) {
    return Errno::inval;
  }
  Ref<ShmSegment> segment = TRY(find_shm(task, id));
  mm::MmapRequest r;
  r.address = address;
  r.size = segment->size();
  r.prot = flags & kReadOnly ? mm::Prot::read : mm::Prot::read | mm::Prot::write;
  if (flags & kReadOnly) r.max_prot = mm::Prot::read | mm::Prot::exec;
  uint32_t permissions = flags & kReadOnly ? 0444 : 0666;
  if (flags & kExec) {
    r.prot = r.prot | mm::Prot::exec;
    permissions |= 0111;
  }
  r.flags = kMapShared;
  if (address) r.flags |= flags & kRemap ? mm::kMapFixed : mm::kMapFixedNoReplace;
  r.file = mm::MappableRef(*segment);
  TRY(segment->hold(task.creds(), permissions));
  auto at = task.mm().mmap(std::move(r), address_space_limits(task));
  segment->release();
  if (!at && at.error() == Errno::exist) return Errno::inval;
  return at;
}

Result<void> sys_shmdt(Task& task, uint64_t address) {
  if (address & mm::kPageMask) return Errno::inval;
  Ref<ShmSegment> segment = attached_at(task, address);
  if (!segment) return Errno::inval;
  // What is left of the attachment: pieces in the place where it was made.
  uint64_t size = mm::page_up(segment->size());
  for (uint64_t from = address; from < address + size;) {
    uint64_t start = 0, end = 0;
    task.mm().for_each_vma(from, [&](const mm::Vma& v) {
      if (v.start >= address + size) return false;
      if (v.file.get() != static_cast<mm::Mappable*>(segment.get()) || v.offset != v.start - address)
        return true;
      start = v.start;
      end = std::min(v.end, address + size);
      return false;
    });
    if (end == 0) break;
    TRY(task.mm().munmap(start, end - start));
    from = end;
  }
  return {};
}

Result<uint64_t> sys_shmctl(Task& task, int32_t id, uint32_t command, uint64_t address) {
  enum : uint32_t { kRemove, kSet, kStat, kInfo, kLock = 11, kUnlock, kShmStat, kShmInfo, kShmStatAny };
  if (id < 0) return Errno::inval;
  switch (command) {
    case kInfo:
      return limits(task, address);
    case kShmInfo:
      return info(task, address);
    case kShmStat:
    case kShmStatAny: {
      Ref<IpcObject> object = TRY(shm_table(task).at(id));
      TRY(stat(task, static_cast<ShmSegment&>(*object), address, command == kShmStatAny));
      return static_cast<uint64_t>(object->id());
    }
    default:
      break;
  }
  if (command > kShmStatAny || (command > kInfo && command < kLock)) return Errno::inval;
  Ref<ShmSegment> segment = TRY(find_shm(task, id));
  switch (command) {
    case kStat:
      return stat(task, *segment, address, false);
    case kSet:
      TRY(set(task, *segment, address));
      break;
    case kRemove:
      TRY(remove(task, *segment));
      break;
    default:
      TRY(set_locked(task, *segment, command == kLock));
      break;
  }
  return uint64_t{0};
}

}  // namespace runsc::kernel
