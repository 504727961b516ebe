#include "fs/fd_table.h"

#include "fs/file_lock.h"
#include "fs/inode.h"
#include "fs/mount.h"
#include "kernel/base/check.h"

namespace runsc::fs {

namespace {

constexpr uint64_t kMaxFds = 1 << 20;  // nr_open
constexpr size_t kFirstRoom = 64;

}  // namespace

Result<Ref<FdTable>> FdTable::create() {
  Ref<FdTable> t = make_ref<FdTable>();
  if (!t) return Errno::nomem;
  return t;
}

FdTable::~FdTable() { close_all(); }

Result<Ref<File>> FdTable::get(int fd) const {
  LockGuard guard(lock_);
  if (fd < 0 || static_cast<size_t>(fd) >= entries_.size()) return Errno::badf;
  const Ref<File>& file = entries_.data()[fd].file;
  if (!file) return Errno::badf;
  return file;
}

Result<bool> FdTable::close_on_exec(int fd) const {
  LockGuard guard(lock_);
  if (fd < 0 || static_cast<size_t>(fd) >= entries_.size() || !entries_[fd].file) return Errno::badf;
  return entries_[fd].close_on_exec;
}

Result<void> FdTable::set_close_on_exec(int fd, bool on) {
  LockGuard guard(lock_);
  if (fd < 0 || static_cast<size_t>(fd) >= entries_.size() || !entries_[fd].file) return Errno::badf;
  entries_[fd].close_on_exec = on;
  return {};
}

// Makes room for descriptor `fd`. Memory is got and given back outside the spinlock.
Result<void> FdTable::grow(size_t size) {
  for (;;) {
    size_t now;
    {
      LockGuard guard(lock_);
      now = entries_.size();
    }
    if (size <= now) return {};
    size_t want = now < kFirstRoom ? kFirstRoom : now;
    while (want < size) want *= 2;
    Vec<Entry> fresh;
    TRY(fresh.resize(want));
    LockGuard guard(lock_);
    if (entries_.size() != now) continue;
    for (size_t i = 0; i < now; ++i) std::swap(fresh.data()[i], entries_.data()[i]);
    entries_.swap(fresh);
    return {};
  }
}

// The lowest free place from `minimum` on gets `entry`.
Result<int> FdTable::take_lowest(Entry entry, uint64_t limit, int minimum) {
  if (limit > kMaxFds) limit = kMaxFds;
  if (minimum < 0 || static_cast<uint64_t>(minimum) >= limit)
    return minimum == 0 ? Errno::mfile : Errno::inval;
  for (;;) {
    size_t need;
    {
      LockGuard guard(lock_);
      size_t i = static_cast<size_t>(minimum > first_free_ ? minimum : first_free_);
      while (i < entries_.size() && entries_.data()[i].taken()) ++i;
      if (i >= limit) return Errno::mfile;
      if (i < entries_.size()) {
        entries_.data()[i] = std::move(entry);
        if (minimum <= first_free_) first_free_ = static_cast<int>(i) + 1;
        return static_cast<int>(i);
      }
      need = i + 1;
    }
    TRY(grow(need));
  }
}

Result<int> FdTable::install(Ref<File> file, bool close_on_exec, uint64_t limit, int minimum) {
  return take_lowest(Entry{std::move(file), close_on_exec}, limit, minimum);
}

Result<int> FdTable::reserve(uint64_t limit) { return take_lowest(Entry{{}, false, true}, limit, 0); }

void FdTable::fill(int fd, Ref<File> file, bool close_on_exec) {
  LockGuard guard(lock_);
  CHECK(entries_[fd].reserved, "a descriptor is filled that nobody reserved");
  entries_[fd] = Entry{std::move(file), close_on_exec};
}

void FdTable::release(int fd) {
  LockGuard guard(lock_);
  CHECK(entries_[fd].reserved, "a descriptor is released that nobody reserved");
  entries_[fd].reserved = false;
  if (fd < first_free_) first_free_ = fd;
}

Result<Ref<File>> FdTable::replace(int fd, Ref<File> file, bool close_on_exec, uint64_t limit) {
  if (fd < 0 || static_cast<uint64_t>(fd) >= limit || static_cast<uint64_t>(fd) >= kMaxFds)
    return Errno::badf;
  TRY(grow(static_cast<size_t>(fd) + 1));
  LockGuard guard(lock_);
  Entry& e = entries_[fd];
  if (e.reserved) return Errno::busy;
  std::swap(e.file, file);
  e.close_on_exec = close_on_exec;
  return file;
}

Result<Ref<File>> FdTable::remove(int fd) {
  LockGuard guard(lock_);
  if (fd < 0 || static_cast<size_t>(fd) >= entries_.size()) return Errno::badf;
  Ref<File> file;
  std::swap(file, entries_[fd].file);
  if (!file) return Errno::badf;
  if (fd < first_free_) first_free_ = fd;
  return file;
}

void FdTable::close_all() {
  for (int fd = next_open(0); fd >= 0; fd = next_open(fd + 1))
    if (Result<Ref<File>> file = remove(fd)) (void)close_file(*this, std::move(*file));
}

void FdTable::close_on_exec_all() {
  for (int fd = next_open(0); fd >= 0; fd = next_open(fd + 1)) {
    if (Result<bool> on = close_on_exec(fd); !on || !*on) continue;
    if (Result<Ref<File>> file = remove(fd)) (void)close_file(*this, std::move(*file));
  }
}

Result<Ref<FdTable>> FdTable::clone() const {
  Ref<FdTable> copy = TRY(create());
  for (;;) {
    size_t need;
    {
      LockGuard guard(lock_);
      need = entries_.size();
    }
    TRY(copy->grow(need));
    LockGuard guard(lock_);
    // The copy is still private: its lock is not needed, and locks of one rank are taken one at a time.
    Vec<Entry>& to = copy->entries_unlocked();
    if (to.size() < entries_.size()) continue;
    size_t first_free = static_cast<size_t>(first_free_);
    for (size_t i = 0; i < entries_.size(); ++i) {
      const Entry& e = entries_.data()[i];
      to.data()[i] = Entry{e.file, e.close_on_exec};
      if (e.reserved && i < first_free) first_free = i;  // of a call that is not ours
    }
    copy->set_first_free(static_cast<int>(first_free));
    return copy;
  }
}

int FdTable::next_open(int from) const {
  LockGuard guard(lock_);
  if (from < 0) from = 0;
  for (size_t i = static_cast<size_t>(from); i < entries_.size(); ++i)
    if (entries_.data()[i].file) return static_cast<int>(i);
  return -1;
}

}  // namespace runsc::fs
