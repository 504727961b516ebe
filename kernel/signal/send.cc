#include "kernel/signal/send.h"

#include "kernel/notify.h"
#include "kernel/pid.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

using namespace abi;

DefaultAction default_action(int s) {
  switch (s) {
    case sig::chld:
    case sig::urg:
    case sig::winch:
      return DefaultAction::ignore;
    case sig::cont:
      return DefaultAction::resume;
    case sig::stop:
    case sig::tstp:
    case sig::ttin:
    case sig::ttou:
      return DefaultAction::stop;
    default:
      return DefaultAction::terminate;
  }
}

void signal_wake(Task& task) {
  // seq_cst: pairs with the target, which announces that it runs before it looks.
  task.work.set(Work::signal);
  task.sched.unpark();
  sched_kick(task.sched);
}

namespace {

// The init of a namespace does not get what it has no handler for; SIGKILL and SIGSTOP from outside it does
// (pid_namespaces(7)).
bool protected_init(const ThreadGroup& group, int signal, Origin origin) {
  return group.own_pid == 1 && (origin == Origin::user || (signal != sig::kill && signal != sig::stop));
}

bool ignored(ThreadGroup& group, Task* task, int signal, Origin origin) {
  if (task && task->signals.blocked.load(std::memory_order_relaxed) & sig_bit(signal)) return false;
  // Tracers see even those.
  if (task && is_traced(*task) && signal != sig::kill) return false;
  SigAction a = group.actions->get(signal);
  if (a.handler == kSigIgn && signal != sig::kill && signal != sig::stop) return true;
  if (a.handler != kSigDfl) return false;
  DefaultAction d = default_action(signal);
  if (d == DefaultAction::ignore) return true;
  return protected_init(group, signal, origin) && d != DefaultAction::resume;
}

bool wants(const Task& t, int signal) {
  if (t.dead || signal == sig::kill) return !t.dead;
  return !t.ptrace.stopped && !(t.signals.blocked.load(std::memory_order_relaxed) & sig_bit(signal));
}

bool waits_for(const Task& t, int signal) {
  return !t.dead && t.signals.waiting_for.load(std::memory_order_relaxed) & sig_bit(signal);
}

// Who shall take a signal to the process: the leader, else any thread that does not block it.
Task* choose_thread(ThreadGroup& group, int signal) REQUIRES(g_tree_lock) {
  if (group.leader && (wants(*group.leader, signal) || waits_for(*group.leader, signal))) return group.leader;
  Task* chosen = nullptr;
  for_each_thread_locked(group, [&](Task& t) {
    if (!chosen && (wants(t, signal) || waits_for(t, signal))) chosen = &t;
  });
  return chosen;
}

// A stop signal forgets pending SIGCONT and the other way round. True: the process was stopped and goes on.
bool stop_and_continue_locked(ThreadGroup& group, int signal) REQUIRES(g_tree_lock)
    REQUIRES(group.signal_lock) {
  if (sig_bit(signal) & kStopSignals) {
    group.queue.discard(sig_bit(sig::cont));
    for_each_thread_locked(group, [](Task& t) { t.signals.queue.discard(sig_bit(sig::cont)); });
    return false;
  }
  if (signal != sig::cont) return false;
  group.queue.discard(kStopSignals);
  for_each_thread_locked(group, [](Task& t) {
    t.signals.queue.discard(kStopSignals);
    t.ptrace.stop_pending = t.ptrace.stop_dequeued = false;
    if (t.ptrace.seized && !t.dead) ptrace_notice_locked(t);
  });
  if (!group.stopped) return false;
  group.stopped = false;
  group.stop_pending_report = false;
  group.continued_pending_report = true;
  return true;
}

// Linux keeps one instance of a standard signal, any number of real-time ones within the limit.
Result<void> enqueue_locked(ThreadGroup& group, SignalQueue& queue, const SigInfo& info) {
  int s = info.signo;
  if (s < sig::rtmin && queue.pending() & sig_bit(s)) return {};
  QueuedSignal* entry = nullptr;
  if (queue.count() < group.limits.soft(Resource::sigpending) || s < sig::rtmin)
    entry = make<QueuedSignal>().release();
  if (!entry) {
    if (s >= sig::rtmin && info.code != sig_code::user) return Errno::again;
  } else {
    entry->info = info;
  }
  queue.add(s, entry);
  return {};
}

// Locks: the tree, then the group's signals.
Result<void> queue_locked(ThreadGroup& group, Task* task, const SigInfo& info, Origin origin, bool& resumed)
    REQUIRES(g_tree_lock) {
  int s = info.signo;
  LockGuard guard(group.signal_lock);
  if (group.exiting && s != sig::kill) return {};
  resumed = stop_and_continue_locked(group, s);
  Task* mask_of = task ? task : group.leader;
  bool awaited = task ? waits_for(*task, s) : false;
  if (!task) for_each_thread_locked(group, [&](Task& t) { awaited = awaited || waits_for(t, s); });
  if (!awaited && ignored(group, mask_of, s, origin)) return {};
  SignalQueue& queue = task ? task->signals.queue : group.queue;
  TRY(enqueue_locked(group, queue, info));
  Task* target = task ? (wants(*task, s) || waits_for(*task, s) ? task : nullptr) : choose_thread(group, s);
  if (s == sig::kill)
    for_each_thread_locked(group, [](Task& t) { signal_wake(t); });
  else if (target)
    signal_wake(*target);
  return {};
}

}  // namespace

Result<void> queue_signal_tree_locked(ThreadGroup& group, Task* task, const SigInfo& info, Origin origin) {
  if (group.reaped || group.zombie || (task && task->dead)) return {};
  bool resumed = false;
  Result<void> result = queue_locked(group, task, info, origin, resumed);
  if (resumed) {
    for_each_thread_locked(group, [](Task& t) { signal_wake(t); });
    notify_parent_locked(group, sig_code::cld_continued, sig::cont);
  }
  if (resumed || info.signo == sig::kill) group.continue_wait.wake_all();
  group.signal_wait.wake_all();
  return result;
}

Result<void> queue_signal(Task& task, bool to_group, const SigInfo& info, Origin origin) {
  LockGuard tree(g_tree_lock);
  return queue_signal_tree_locked(task.group(), to_group ? nullptr : &task, info, origin);
}

Result<void> queue_signal_to_group(ThreadGroup& group, const SigInfo& info, Origin origin) {
  LockGuard tree(g_tree_lock);
  return queue_signal_tree_locked(group, nullptr, info, origin);
}

bool queue_preallocated(ThreadGroup& group, Task* task, QueuedSignal& entry) {
  {
    LockGuard tree(g_tree_lock);
    if (group.zombie || (task && task->dead)) return true;
    LockGuard guard(group.signal_lock);
    int s = entry.info.signo;
    if (entry.queued) return false;
    if (group.exiting) return true;
    bool awaited = false;
    for_each_thread_locked(group, [&](Task& t) { awaited = awaited || waits_for(t, s); });
    if (!awaited && ignored(group, task ? task : group.leader, s, Origin::user)) return true;
    (task ? task->signals.queue : group.queue).add(s, &entry);
    Task* target = task ? (wants(*task, s) || waits_for(*task, s) ? task : nullptr) : choose_thread(group, s);
    if (target) signal_wake(*target);
  }
  group.signal_wait.wake_all();
  return true;
}

void send_signal_to_task(Task& task, const SigInfo& info) {
  (void)queue_signal(task, false, info, Origin::kernel);
}

void send_signal_to_group(ThreadGroup& group, const SigInfo& info) {
  (void)queue_signal_to_group(group, info, Origin::kernel);
}

bool signal_process_group(int32_t pgid, int signal) {
  bool any = false;
  // One at a time: the walk cannot go on across the lock, so it goes by number.
  for (int32_t from = 1;;) {
    Ref<ThreadGroup> group = next_group(from);
    if (!group) return any;
    from = group->pid + 1;
    if (group->pgid != pgid) continue;
    any = true;
    send_signal_to_group(*group, SigInfo(signal, sig_code::kernel));
  }
}

bool signal_process(int32_t pid, int signal) {
  Ref<ThreadGroup> group = find_group(pid);
  if (!group) return false;
  (void)queue_signal_to_group(*group, SigInfo(signal, sig_code::kernel), Origin::kernel);
  return true;
}

void force_signal(Task& task, const SigInfo& info) {
  uint64_t bit = sig_bit(info.signo);
  ThreadGroup& group = task.group();
  LockGuard guard(group.signal_lock);
  uint64_t blocked = task.signals.blocked.load(std::memory_order_relaxed);
  if (group.actions->get(info.signo).handler == kSigIgn || blocked & bit) {
    group.actions->exchange(info.signo, SigAction{});
    task.signals.blocked.store(blocked & ~bit, std::memory_order_relaxed);
  }
  auto entry = make<QueuedSignal>();
  if (entry) entry->info = info;
  if (!(task.signals.queue.pending() & bit)) task.signals.queue.add(info.signo, entry.release());
  task.work.set(Work::signal);
}

}  // namespace runsc::kernel
