// sigaction(2), sigprocmask(2), kill(2) and their families.
#include "kernel/syscalls/signals.h"

#include <algorithm>

#include "kernel/blocking.h"
#include "kernel/exit.h"
#include "kernel/pid.h"
#include "kernel/signal/permission.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/time_args.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace abi;

namespace {

Result<uint64_t> read_set(Task& task, uint64_t address, uint64_t size) {
  if (size != sizeof(uint64_t)) return Errno::inval;
  return mm::copy_in(task.mm(), UserPtr<uint64_t>(address));
}

// Setting a signal to be ignored forgets those that wait (sigaction(2), POSIX).
void forget_if_ignored(Task& task, int signal, const SigAction& action) {
  bool ignored = action.handler == kSigIgn ||
                 (action.handler == kSigDfl && default_action(signal) == DefaultAction::ignore);
  if (!ignored) return;
  ThreadGroup& group = task.group();
  LockGuard tree(g_tree_lock);
  LockGuard guard(group.signal_lock);
  group.queue.discard(sig_bit(signal));
  for_each_thread_locked(group, [&](Task& t) { t.signals.queue.discard(sig_bit(signal)); });
}

}  // namespace

Result<void> sys_rt_sigaction(Task& task, int signal, uint64_t action, uint64_t old, uint64_t set_size) {
  if (set_size != sizeof(uint64_t) || !signal_valid(signal)) return Errno::inval;
  SignalActions& actions = *task.group().actions;
  SigAction previous = actions.get(signal);
  if (action) {
    if (sig_bit(signal) & kUnblockable) return Errno::inval;
    SigAction fresh = TRY(mm::copy_in(task.mm(), UserPtr<SigAction>(action)));
    constexpr uint64_t kKnown = sa::nocldstop | sa::nocldwait | sa::siginfo | sa::restorer | sa::onstack |
                                sa::restart | sa::nodefer | sa::resethand | sa::expose_tagbits;
    fresh.flags &= kKnown;  // what is not supported reads back as zero (SA_UNSUPPORTED)
    fresh.mask &= ~kUnblockable;
    actions.exchange(signal, fresh);
    forget_if_ignored(task, signal, fresh);
  }
  if (old) TRY(mm::copy_out(task.mm(), UserPtr<SigAction>(old), previous));
  return {};
}

Result<void> sys_rt_sigprocmask(Task& task, int how, uint64_t set, uint64_t old, uint64_t set_size) {
  constexpr int kBlock = 0, kUnblock = 1, kSet = 2;
  if (set_size != sizeof(uint64_t)) return Errno::inval;
  uint64_t previous = task.signals.blocked.load(std::memory_order_relaxed);
  if (set) {
    uint64_t mask = TRY(read_set(task, set, set_size));
    if (how == kBlock)
      mask |= previous;
    else if (how == kUnblock)
      mask = previous & ~mask;
    else if (how != kSet)
      return Errno::inval;
    set_blocked(task, mask);
  }
  if (old) TRY(mm::copy_out(task.mm(), UserPtr<uint64_t>(old), previous));
  return {};
}

Result<Flow> sys_rt_sigreturn(Task& task) {
  if (!pop_signal_frame(task)) {
    SigInfo info(sig::segv, sig_code::kernel);
    force_signal(task, info);
    task.regs().orig_rax = ~uint64_t{0};
  }
  return Flow::registers;
}

Result<void> sys_rt_sigpending(Task& task, uint64_t set, uint64_t set_size) {
  if (set_size > sizeof(uint64_t)) return Errno::inval;
  uint64_t pending = 0;
  {
    LockGuard guard(task.group().signal_lock);
    pending = (task.signals.queue.pending() | task.group().queue.pending()) &
              task.signals.blocked.load(std::memory_order_relaxed);
  }
  return mm::copy_out_bytes(task.mm(), set, &pending, set_size);
}

Result<int> sys_rt_sigtimedwait(Task& task, uint64_t set, uint64_t info_address, uint64_t timeout,
                                uint64_t set_size) {
  uint64_t wanted = TRY(read_set(task, set, set_size)) & ~kUnblockable;
  uint64_t deadline = TRY(read_relative_deadline(task, timeout));
  SigInfo info;
  task.signals.waiting_for.store(wanted, std::memory_order_seq_cst);
  Result<int> result = block_on(task, task.group().signal_wait, ~0u, deadline, [&]() -> Result<int> {
    int s = take_signal(task, wanted, info);
    if (s == 0) return Errno::again;
    return s;
  });
  task.signals.waiting_for.store(0, std::memory_order_relaxed);
  if (!result) {
    if (result.error() == Errno::timedout) return Errno::again;
    // Woken for a signal that is not waited for, or for one that came last of all.
    int s = take_signal(task, wanted, info);
    if (s == 0) return result.error() == Errno::restartsys ? Errno::intr : result.error();
    result = s;
  }
  if (info_address) TRY(mm::copy_out_bytes(task.mm(), info_address, &info, sizeof info));
  return result;
}

namespace {

Result<SigInfo> read_queued_info(Task& task, int target_pid, int signal, uint64_t address) {
  SigInfo info = TRY(mm::copy_in(task.mm(), UserPtr<SigInfo>(address)));
  // Only the kernel may claim to be the kernel or kill(2), except to oneself.
  if ((info.code >= 0 || info.code == sig_code::tkill) && target_pid != task.own_pid()) return Errno::perm;
  info.signo = signal;
  return info;
}

Result<void> check_signal_number(int signal) {
  if (signal != 0 && !signal_valid(signal)) return Errno::inval;
  return {};
}

}  // namespace

Result<void> sys_rt_sigqueueinfo(Task& task, int pid, int signal, uint64_t info_address) {
  SigInfo info = TRY(read_queued_info(task, pid, signal, info_address));
  TRY(check_signal_number(signal));
  Ref<Task> target = pid > 0 ? find_task(task, pid) : nullptr;
  if (!target) return Errno::srch;
  return signal_group_checked(task, target->group(), info);
}

Result<void> sys_rt_tgsigqueueinfo(Task& task, int pid, int tid, int signal, uint64_t info_address) {
  if (pid <= 0 || tid <= 0) return Errno::inval;
  SigInfo info = TRY(read_queued_info(task, tid, signal, info_address));
  TRY(check_signal_number(signal));
  Ref<Task> target = find_task(task, tid);
  if (!target || target->pid() != id_meant_by(task, pid)) return Errno::srch;
  return signal_task_checked(task, *target, info);
}

Result<void> sys_rt_sigsuspend(Task& task, uint64_t set, uint64_t set_size) {
  uint64_t mask = TRY(read_set(task, set, set_size));
  set_temporary_mask(task, mask & ~kUnblockable);
  while (park_interruptible(task)) {
  }
  return Errno::restartnohand;
}

Result<void> sys_pause(Task& task) {
  while (park_interruptible(task)) {
  }
  return Errno::restartnohand;
}

Result<void> sys_sigaltstack(Task& task, uint64_t stack, uint64_t old) {
  constexpr uint64_t kMinSigStack = 2048;
  SigStack current = task.signals.alt_stack;
  bool on_it = on_alt_stack(task, task.regs().rsp);
  SigStack fresh{};
  if (stack) fresh = TRY(mm::copy_in(task.mm(), UserPtr<SigStack>(stack)));
  if (stack) {
    uint32_t flags = static_cast<uint32_t>(fresh.flags);
    uint32_t mode = flags & ~kSsAutodisarm;
    if (on_it) return Errno::perm;
    if (mode != 0 && mode != kSsDisable && mode != kSsOnstack) return Errno::inval;
    if (mode == kSsDisable) {
      fresh = {0, kSsDisable, 0, 0};
    } else {
      if (fresh.size < kMinSigStack) return Errno::nomem;
      fresh.flags = static_cast<int32_t>(flags & kSsAutodisarm);
      fresh.pad = 0;
    }
    task.signals.alt_stack = fresh;
  }
  if (old) {
    if (!(current.flags & kSsDisable) && on_it) current.flags |= kSsOnstack;
    TRY(mm::copy_out(task.mm(), UserPtr<SigStack>(old), current));
  }
  return {};
}

// ---- kill

namespace {

// kill(-1), kill(0), kill(-pgid): EPERM only if nobody could be signalled.
template <class Match>
Result<void> kill_many(Task& task, int signal, Match match) {
  SigInfo info = user_signal_info(task, signal, sig_code::user);
  bool found = false, sent = false;
  Errno error = Errno::srch;
  for (int32_t from = 1;;) {
    Ref<ThreadGroup> group = next_group(from);
    if (!group) break;
    from = group->pid + 1;
    if (!match(*group)) continue;
    found = true;
    auto r = signal_group_checked(task, *group, info);
    if (r)
      sent = true;
    else
      error = r.error();
  }
  if (sent) return {};
  return found ? error : Errno::srch;
}

}  // namespace

Result<void> sys_kill(Task& task, int pid, int signal) {
  if (pid == INT32_MIN) return Errno::srch;
  TRY(check_signal_number(signal));
  if (pid > 0) {
    Ref<Task> target = find_task(task, pid);
    if (!target) return Errno::srch;
    return signal_group_checked(task, target->group(), user_signal_info(task, signal, sig_code::user));
  }
  if (pid == -1)
    return kill_many(task, signal,
                     [&](ThreadGroup& g) { return number_for(task, g.pid) > 1 && &g != &task.group(); });
  int32_t pgid = pid == 0 ? task.group().pgid.load() : id_meant_by(task, -pid);
  if (pgid == 0) return Errno::srch;
  return kill_many(task, signal, [&](ThreadGroup& g) { return g.pgid == pgid; });
}

Result<void> sys_tgkill(Task& task, int pid, int tid, int signal) {
  if (pid <= 0 || tid <= 0) return Errno::inval;
  TRY(check_signal_number(signal));
  Ref<Task> target = find_task(task, tid);
  if (!target || target->pid() != id_meant_by(task, pid)) return Errno::srch;
  return signal_task_checked(task, *target, user_signal_info(task, signal, sig_code::tkill));
}

Result<void> sys_tkill(Task& task, int tid, int signal) {
  if (tid <= 0) return Errno::inval;
  TRY(check_signal_number(signal));
  Ref<Task> target = find_task(task, tid);
  if (!target) return Errno::srch;
  return signal_task_checked(task, *target, user_signal_info(task, signal, sig_code::tkill));
}

}  // namespace runsc::kernel
