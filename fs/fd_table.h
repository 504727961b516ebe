// FdTable: the descriptors of a process (CLONE_FILES shares it).
#pragma once

#include "fs/file.h"
#include "kernel/base/vec.h"

namespace runsc::fs {

class FdTable final : public RefCounted<FdTable> {
 public:
  static Result<Ref<FdTable>> create();
  ~FdTable();

  // EBADF.
  Result<Ref<File>> get(int fd) const;
  Result<bool> close_on_exec(int fd) const;
  Result<void> set_close_on_exec(int fd, bool on);
  // The lowest free number >= minimum and < limit (RLIMIT_NOFILE): EMFILE; EINVAL if minimum >= limit;
  // ENOMEM.
  Result<int> install(Ref<File> file, bool close_on_exec, uint64_t limit, int minimum = 0);
  // The number that install() would find, kept free for the caller, who ends with fill() or release(): for
  // calls that must not begin what they cannot end. Nobody else sees it as open, or takes it. EMFILE, ENOMEM.
  Result<int> reserve(uint64_t limit);
  void fill(int fd, Ref<File> file, bool close_on_exec);
  void release(int fd);
  // dup2(2): replaces what stood there (closed by the caller's drop of the returned file, after flush()).
  // EBADF above the limit; EBUSY: reserved by another call.
  Result<Ref<File>> replace(int fd, Ref<File> file, bool close_on_exec, uint64_t limit);
  // Takes it out; the caller flushes and drops it. EBADF.
  Result<Ref<File>> remove(int fd);
  void close_all();
  void close_on_exec_all();
  Result<Ref<FdTable>> clone() const;  // fork
  // Calls f(fd, File&, cloexec) in order on a snapshot taken step by step.
  int next_open(int from) const;  // lowest open fd >= from, or -1

 private:
  struct Entry {
    Ref<File> file;
    bool close_on_exec = false;
    bool reserved = false;
    bool taken() const { return file || reserved; }
  };
  Result<int> take_lowest(Entry entry, uint64_t limit, int minimum);
  Result<void> grow(size_t size);
  Vec<Entry>& entries_unlocked() NO_THREAD_SAFETY_ANALYSIS { return entries_; }
  void set_first_free(int fd) NO_THREAD_SAFETY_ANALYSIS { first_free_ = fd; }

  mutable SpinLock lock_{LockRank::fd_table};
  Vec<Entry> entries_ GUARDED_BY(lock_);
  int first_free_ GUARDED_BY(lock_) = 0;
};

}  // namespace runsc::fs
