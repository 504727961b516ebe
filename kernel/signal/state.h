// The state of signals: actions of a process, queues of processes and tasks.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "kernel/abi/signal.h"
#include "kernel/base/lock.h"
#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "kernel/base/wait_queue.h"

namespace runsc::kernel {

// One queued signal. Counted against RLIMIT_SIGPENDING of who it is sent to.
struct QueuedSignal : HeapObject, boost::intrusive::list_base_hook<> {
  abi::SigInfo info;
  // A POSIX timer's own entry is not freed when taken, and has at most one instance queued.
  bool preallocated = false;
  bool queued = false;
};

// Pending signals of a task or of a process. Guarded by the process's signal lock.
class SignalQueue {
 public:
  SignalQueue() = default;
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;
  ~SignalQueue();

  uint64_t pending() const { return pending_; }
  // Takes `entry` over (may be null: then only the fact is kept, as Linux does when memory is out).
  void add(int signal, QueuedSignal* entry);
  // The lowest signal of `mask` that waits, or 0; SIGKILL first, then synchronous faults.
  static int first_of(uint64_t set);
  // Takes one instance out.
  abi::SigInfo take(int signal);
  void discard(uint64_t mask);
  // Takes this very entry back, if it is here.
  void remove(QueuedSignal& entry);
  uint32_t count() const { return count_; }
  // The entry at this place in the order of arrival, or null.
  const abi::SigInfo* peek(uint64_t place) const;

 private:
  using List = boost::intrusive::list<QueuedSignal, boost::intrusive::constant_time_size<false>>;
  List list_;
  uint64_t pending_ = 0;
  uint32_t count_ = 0;
};

// sigaction(2) of a process; shared with CLONE_SIGHAND.
class SignalActions final : public RefCounted<SignalActions> {
 public:
  static Result<Ref<SignalActions>> create() {
    auto r = make_ref<SignalActions>();
    if (!r) return Errno::nomem;
    return r;
  }
  abi::SigAction get(int signal) const {
    LockGuard guard(lock_);
    return actions_[signal - 1];
  }
  abi::SigAction exchange(int signal, const abi::SigAction& action) {
    LockGuard guard(lock_);
    return std::exchange(actions_[signal - 1], action);
  }
  // fork: a copy. exec: handlers back to default, ignored stay ignored.
  Result<Ref<SignalActions>> clone(bool reset_handlers) const;

 private:
  mutable SpinLock lock_{LockRank::leaf};
  abi::SigAction actions_[abi::sig::max] GUARDED_BY(lock_);
};

// Of one task. `blocked` is written by the task alone, under the signal lock; read by it without.
struct TaskSignals {
  SignalQueue queue;  // guarded by the group's signal lock
  std::atomic<uint64_t> blocked{0};
  uint64_t saved_mask = 0;  // of sigsuspend and ppoll, put back after delivery (Work::restore_mask)
  std::atomic<uint64_t> waiting_for{0};  // sigtimedwait: these wake us though blocked
  abi::SigStack alt_stack{0, abi::kSsDisable, 0, 0};
};

}  // namespace runsc::kernel
