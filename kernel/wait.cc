#include "kernel/wait.h"

#include "kernel/blocking.h"
#include "kernel/control/control.h"
#include "kernel/exit.h"
#include "kernel/pid.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

using namespace abi;

namespace {

// `tid`: of the process's leader, or of a thread that is traced.
bool is_meant(int32_t tid, const ThreadGroup& group, const WaitRequest& r) {
  switch (r.who) {
    case WaitRequest::Who::any:
      return true;
    case WaitRequest::Who::pid:
      return tid == r.id;
    case WaitRequest::Who::group:
      return group.pgid == r.id;
    case WaitRequest::Who::pidfd:
      return &group == r.exact && tid == group.pid;
  }
  return false;
}

bool matches(const ThreadGroup& child, const Task& task, const WaitRequest& r) {
  if (!is_meant(child.pid, child, r)) return false;
  if (r.flags & wait_flag::nothread && child.parent_task != &task) return false;
  if (r.flags & wait_flag::all) return true;
  bool cloned = child.exit_signal != sig::chld;
  return cloned == ((r.flags & wait_flag::clone) != 0);
}

uint32_t uid_of(const Task& task) {
  Ref<fs::Credentials> creds = task.creds_ref();
  return creds ? creds->uid : 0;
}
uint32_t uid_of(const ThreadGroup& g) { return g.leader ? uid_of(*g.leader) : 0; }

// Outcomes are told while they are made: what is reaped has no number any more.
WaitOutcome exit_outcome(const Task& teller, const ThreadGroup& g) REQUIRES(g_tree_lock) {
  WaitOutcome o;
  o.pid = number_in_locked(teller.pid_namespace(), g.pid);
  o.uid = uid_of(g);
  o.status = g.wait_status;
  o.code = end_of(g.wait_status).code;
  o.usage = g.dead_threads;
  o.usage.add(g.dead_children);
  return o;
}

// A stop or a continue that nobody has been told of yet.
bool take_job_event(const Task& task, ThreadGroup& g, const WaitRequest& r, WaitOutcome& o)
    REQUIRES(g_tree_lock) {
  const int32_t pid = number_in_locked(task.pid_namespace(), g.pid);
  LockGuard guard(g.signal_lock);
  if (r.flags & wait_flag::stopped && g.stopped && g.stop_pending_report) {
    if (!(r.flags & wait_flag::nowait)) g.stop_pending_report = false;
    o = {pid, g.stop_signal << 8 | 0x7f, uid_of(g), sig_code::cld_stopped, {}};
    return true;
  }
  if (r.flags & wait_flag::continued && g.continued_pending_report) {
    if (!(r.flags & wait_flag::nowait)) g.continued_pending_report = false;
    o = {pid, 0xffff, uid_of(g), sig_code::cld_continued, {}};
    return true;
  }
  return false;
}

// ---- Tracees (ptrace(2)): by their own numbers, whatever the options ask for

bool take_trace_stop(const Task& task, Task& t, const WaitRequest& r, WaitOutcome& o) REQUIRES(g_tree_lock) {
  ThreadGroup& g = t.group();
  const int32_t tid = number_in_locked(task.pid_namespace(), t.tid());
  LockGuard guard(g.signal_lock);
  if (t.ptrace.stopped && !t.ptrace.listening && t.ptrace.code != 0) {
    o = {tid, t.ptrace.code << 8 | 0x7f, uid_of(t), sig_code::cld_trapped, {}};
    if (!(r.flags & wait_flag::nowait)) t.ptrace.code = 0;
    return true;
  }
  if (r.flags & wait_flag::continued && g.continued_pending_report) {
    if (!(r.flags & wait_flag::nowait)) g.continued_pending_report = false;
    o = {tid, 0xffff, uid_of(t), sig_code::cld_continued, {}};
    return true;
  }
  return false;
}

bool is_zombie(const Task& t) { return &t == t.group().leader ? t.group().zombie : t.dead; }

// What a wait takes out of the tree; dropped without locks.
using Reaped = Released;

WaitOutcome take_zombie_tracee(Task& tracer, Task& t, const WaitRequest& r, Reaped& reaped)
    REQUIRES(g_tree_lock) {
  ThreadGroup& g = t.group();
  WaitOutcome o = exit_outcome(tracer, g);
  if (&t != g.leader) {
    o = {};
    o.pid = number_in_locked(tracer.pid_namespace(), t.tid());
    o.uid = uid_of(t);
    o.status = g.exiting ? g.exit_code : t.exit_code;
    o.code = end_of(o.status).code;
  }
  if (r.flags & wait_flag::nowait) return o;
  if (&t != g.leader) {
    reaped = release_thread_locked(t);
    return o;
  }
  bool own_child = g.parent == &tracer.group();
  ptrace_unlink_locked(t);
  reaped.thread = own_child ? reap_locked(g) : tell_parent_of_zombie_locked(g);
  return o;
}

// ---- One look

enum class Found : uint8_t { nothing, candidate, outcome };

Found consider_tracee(Task& task, Task& t, const WaitRequest& r, Reaped& reaped, WaitOutcome& o)
    REQUIRES(g_tree_lock) {
  Found found = Found::candidate;
  if (is_zombie(t)) {
    if (r.flags & wait_flag::exited) {
      o = take_zombie_tracee(task, t, r, reaped);
      return Found::outcome;
    }
    if (!(r.flags & wait_flag::continued)) found = Found::nothing;
  }
  return take_trace_stop(task, t, r, o) ? Found::outcome : found;
}

Found consider_child(Task& task, ThreadGroup& child, const WaitRequest& r, Reaped& reaped, WaitOutcome& o)
    REQUIRES(g_tree_lock) {
  Task* leader = child.leader;
  if (leader && is_traced(*leader) && !ptraced_by_other_locked(*leader, &task.group()))
    return consider_tracee(task, *leader, r, reaped, o);
  if (child.zombie) {
    // Of a zombie that another traces nothing is to be had before that one has waited for it.
    if (!(r.flags & wait_flag::exited) || (leader && is_traced(*leader))) return Found::candidate;
    o = exit_outcome(task, child);
    if (!(r.flags & wait_flag::nowait)) reaped.thread = reap_locked(child);
    return Found::outcome;
  }
  return take_job_event(task, child, r, o) ? Found::outcome : Found::candidate;
}

Found consider_tracees_of(Task& task, Task& tracer, const WaitRequest& r, Reaped& reaped, WaitOutcome& o)
    REQUIRES(g_tree_lock) {
  Found best = Found::nothing;
  for (Task* t = tracer.ptrace.tracees; t; t = t->ptrace.next_tracee) {
    if (!is_meant(t->tid(), t->group(), r)) continue;
    Found found = consider_tracee(task, *t, r, reaped, o);
    if (found == Found::outcome) return found;
    if (found == Found::candidate) best = found;
  }
  return best;
}

// EAGAIN: something may come.
Result<WaitOutcome> try_wait(Task& task, const WaitRequest& r, Reaped& reaped) {
  LockGuard tree(g_tree_lock);
  bool any = false;
  WaitOutcome outcome;
  for (ThreadGroup& child : task.group().children) {
    if (!matches(child, task, r)) continue;
    Found found = consider_child(task, child, r, reaped, outcome);
    if (found == Found::outcome) return outcome;
    any |= found == Found::candidate;
  }
  for (Task* t = task.group().threads; t; t = t->next_thread) {
    if (r.flags & wait_flag::nothread && t != &task) continue;
    Found found = consider_tracees_of(task, *t, r, reaped, outcome);
    if (found == Found::outcome) return outcome;
    any |= found == Found::candidate;
  }
  if (!any) return Errno::child;
  if (r.flags & wait_flag::nohang) return WaitOutcome();
  return Errno::again;
}

}  // namespace

Result<WaitOutcome> wait_for_child(Task& task, const WaitRequest& request) {
  Reaped reaped;
  auto outcome = block_on(task, task.group().child_wait, ~0u, kNoDeadline,
                          [&] { return try_wait(task, request, reaped); });
  // Its tracer reaped a process that the host waits for.
  if (reaped.thread) report_ended_processes();
  return outcome;
}

}  // namespace runsc::kernel
