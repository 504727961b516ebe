// The seccomp mode of a task, and the check of each system call against it (seccomp(2)).
#pragma once

#include "kernel/base/lock.h"
#include "kernel/seccomp/filter.h"
#include "kvm/arch/seam.h"

namespace runsc::kernel {

class Task;

enum class SeccompMode : uint8_t { disabled = 0, strict = 1, filter = 2 };

// What a task has. Only the task itself sets it, and a thread beside it by SECCOMP_FILTER_FLAG_TSYNC.
class SeccompState {
 public:
  SeccompMode mode() const { return mode_.load(std::memory_order_acquire); }
  Ref<SeccompFilter> filter() const {
    LockGuard guard(lock_);
    return filter_;
  }
  void set(SeccompMode mode, Ref<SeccompFilter> filter) {
    LockGuard guard(lock_);
    std::swap(filter_, filter);
    mode_.store(mode, std::memory_order_release);
  }
  // TSYNC gives a thread no_new_privs, too.
  std::atomic<bool> no_new_privs{false};

 private:
  mutable SpinLock lock_{LockRank::leaf};
  std::atomic<SeccompMode> mode_{SeccompMode::disabled};
  Ref<SeccompFilter> filter_ GUARDED_BY(lock_);
};

enum class SeccompAnswer : uint8_t {
  allow,
  refuse,  // rax holds what the application shall find
  signal,  // the registers are those of before the call, and SIGSYS is on its way
};
enum class SeccompPass : uint8_t { first, after_trace };  // the second: the tracer has had its say
// Before a system call. May end the task, or stop it for its tracer, who may change the call.
SeccompAnswer seccomp_check(Task& task, arch::UserRegs& regs, SeccompPass pass);

// Under g_tree_lock: what a new task has from its parent.
void seccomp_inherit(const Task& parent, Task& child);

}  // namespace runsc::kernel
