// Who writes a regular file and who executes it: ETXTBSY of open(2), truncate(2) and execve(2).
#pragma once

#include "fs/inode.h"

namespace runsc::fs {

// Kept at the inode from the first time that somebody writes or executes it. Positive: so many writers (open
// file descriptions, and calls at work); negative: so many executions, which refuse writers. Lock-free.
class WriteAccess final : public InodeAttachment {
 public:
  // `inode`: a regular file. ENOMEM.
  static Result<Ref<WriteAccess>> of(Inode& inode);
  // Null: nobody wrote or executed it yet, or no regular file.
  static Ref<WriteAccess> existing(const Inode& inode);

  Result<void> begin_write();                                            // ETXTBSY: it is executed
  void hold_write() { count_.fetch_add(1, std::memory_order_relaxed); }  // another one beside a writer
  void end_write() { count_.fetch_sub(1, std::memory_order_release); }
  Result<void> begin_execution();  // ETXTBSY: it is written
  void hold_execution() {
    count_.fetch_sub(1, std::memory_order_relaxed);
  }  // another one beside an execution
  int32_t count() const { return count_.load(std::memory_order_seq_cst); }
  void end_execution() { count_.fetch_add(1, std::memory_order_release); }
  // Shared mappings that may be written count as writers, though their descriptors be closed. Said once one
  // is about to be made; whether there still is one must then be looked for.
  void note_shared_mapping() { mapped_.store(true, std::memory_order_relaxed); }
  bool shared_mapping_noted() const { return mapped_.load(std::memory_order_relaxed); }

 private:
  Result<void> enter(int32_t direction);
  std::atomic<int32_t> count_{0};
  std::atomic<bool> mapped_{false};
};

// A writer for the time of one call. Nothing for what is no regular file. ETXTBSY, ENOMEM.
class WriteClaim {
 public:
  WriteClaim() = default;
  WriteClaim(const WriteClaim&) = delete;
  WriteClaim& operator=(const WriteClaim&) = delete;
  ~WriteClaim();
  Result<void> take(Inode& inode);

 private:
  Ref<WriteAccess> access_;
};

// An execution: of a file that is being loaded, or of the program that a process runs.
class ExecutionClaim {
 public:
  ExecutionClaim() = default;
  ExecutionClaim(ExecutionClaim&& o) noexcept = default;
  ExecutionClaim& operator=(ExecutionClaim&& o) noexcept {
    std::swap(access_, o.access_);
    return *this;
  }
  ~ExecutionClaim();
  // ETXTBSY, ENOMEM.
  static Result<ExecutionClaim> take(File& file);
  // Whoever calls this ends the execution by end_execution_of() of the same path.
  void keep() { access_ = {}; }

 private:
  explicit ExecutionClaim(Ref<WriteAccess> access) : access_(std::move(access)) {}
  Ref<WriteAccess> access_;
};
// For a path whose execution was kept: once more (fork), once less. An empty path: nothing.
void hold_execution_of(const Path& path);
void end_execution_of(const Path& path);

}  // namespace runsc::fs
