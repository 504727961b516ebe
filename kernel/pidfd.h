// pidfd: a descriptor of a process (pidfd_open(2)).
#pragma once

#include "fs/file.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

class PidFile final : public fs::File {
 public:
  explicit PidFile(Ref<ThreadGroup> group, uint32_t flags)
      : File(fs::open_flag::rdwr | flags), group_(std::move(group)) {}
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &group_->exit_wait; }
  fs::FileKind kind() const override { return fs::FileKind::pidfd; }
  void describe(TextSink& out) const override { out.write("anon_inode:[pidfd]"); }
  void fdinfo(TextSink& out) const override;
  ThreadGroup& group() const { return *group_; }

 private:
  Ref<ThreadGroup> group_;
};

Result<int> open_pidfd(Task& task, ThreadGroup& group, uint32_t flags);
// CLONE_PIDFD: writes the number to user memory.
Result<void> install_pidfd(Task& task, ThreadGroup& group, uint64_t address);
// The process behind a pidfd, or behind a directory /proc/PID as pidfd_send_signal(2) takes it: EBADF; ESRCH.
Result<Ref<ThreadGroup>> group_to_signal(Task& task, int fd);
// The process behind a pidfd: EBADF.
Result<Ref<ThreadGroup>> group_of_pidfd(Task& task, int fd);

}  // namespace runsc::kernel
