// Task: one thread of the application. What it is made of stands in parts of its own (signal/,
// thread_group.h, ...); no system call is a member.
#pragma once

#include <atomic>
#include <cstdint>

#include "fs/credentials.h"
#include "fs/fd_table.h"
#include "fs/namespace.h"
#include "kernel/base/ref.h"
#include "kvm/arch/seam.h"
#include "mm/address_space.h"

namespace runsc::kernel {

class ThreadGroup;   // process: pid, signal actions, limits, children, timers (kernel/thread_group.h)
struct SignalState;  // kernel/signal/

class Task final : public RefCounted<Task> {
 public:
  static Task& current();

  int32_t tid() const { return tid_; }
  int32_t pid() const;  // thread group id
  ThreadGroup& group() const { return *group_; }

  // Only the task itself changes these (execve, setuid, unshare), and only it may use the references without
  // a Ref.
  mm::AddressSpace& mm() const { return *mm_; }
  fs::FdTable& files() const { return *files_; }
  fs::FsContext& fs() const { return *fs_; }
  const fs::Credentials& creds() const { return *creds_; }
  fs::WalkContext walk_context() const { return {*fs_, *creds_}; }
  arch::UserRegs& regs() { return regs_; }
  arch::UserState& user_state() { return *user_state_; }

  // From other tasks (procfs, signals): counted copies, null after exit.
  Ref<mm::AddressSpace> mm_ref() const;
  Ref<fs::FdTable> files_ref() const;
  Ref<fs::FsContext> fs_ref() const;
  Ref<fs::Credentials> creds_ref() const;

  // RLIMIT_* (getrlimit(2)), soft.
  uint64_t limit(unsigned resource) const;
  // A signal waits that this task would take now: blocking calls give up with ERESTARTSYS.
  bool signal_pending() const { return signal_pending_.load(std::memory_order_acquire); }

 private:
  friend struct TaskInternals;  // kernel's own parts: clone, exec, exit, scheduler, signals
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Task();
  ~Task();
  friend class RefCounted<Task>;

  int32_t tid_ = 0;
  Ref<ThreadGroup> group_;
  Ref<mm::AddressSpace> mm_;
  Ref<fs::FdTable> files_;
  Ref<fs::FsContext> fs_;
  Ref<fs::Credentials> creds_;
  arch::UserRegs regs_{};
  arch::UserState* user_state_ = nullptr;
  std::atomic<bool> signal_pending_{false};
};

}  // namespace runsc::kernel
