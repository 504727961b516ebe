// signalfd(2): signals as something to read.
#pragma once

#include "fs/file.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

// Reads take signals of whoever reads, as Linux does.
class SignalFd final : public fs::File {
 public:
  SignalFd(Ref<ThreadGroup> home, uint64_t mask, uint32_t flags)
      : File(fs::open_flag::rdwr | (flags & fs::open_flag::nonblock)), home_(std::move(home)), mask_(mask) {}
  void set_mask(uint64_t mask);
  Result<size_t> read(mm::IoBuf& buf,
                      uint64_t offset) override;  // EINVAL below sizeof(struct signalfd_siginfo)
  uint32_t poll() override;
  // Who waits hears of signals of its own process; an epoll, of the one that made this.
  WaitQueue* wait_queue() override;
  WaitQueue* watch_queue() override { return &home_->signal_wait; }
  fs::FileKind kind() const override { return fs::FileKind::signalfd; }
  void describe(TextSink& out) const override { format(out, "anon_inode:[signalfd]"); }
  void fdinfo(TextSink& out) const override;

 private:
  const Ref<ThreadGroup> home_;
  std::atomic<uint64_t> mask_;  // signals that can be read; relaxed: a change races with reads by nature
};

}  // namespace runsc::kernel
