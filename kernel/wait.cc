#include "kernel/wait.h"

#include "kernel/blocking.h"
#include "kernel/exit.h"
#include "kernel/pid.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

using namespace abi;

namespace {

bool matches(const ThreadGroup& child, const Task& task, const WaitRequest& r) {
  switch (r.who) {
    case WaitRequest::Who::any:
      break;
    case WaitRequest::Who::pid:
      if (child.pid != r.id) return false;
      break;
    case WaitRequest::Who::group:
      if (child.pgid != r.id) return false;
      break;
    case WaitRequest::Who::pidfd:
      if (&child != r.exact) return false;
      break;
  }
  if (r.flags & wait_flag::nothread && child.parent_task != &task) return false;
  if (r.flags & wait_flag::all) return true;
  bool cloned = child.exit_signal != sig::chld;
  return cloned == ((r.flags & wait_flag::clone) != 0);
}

uint32_t uid_of(const ThreadGroup& g) { return g.leader ? g.leader->creds_ref()->uid : 0; }

WaitOutcome exit_outcome(const ThreadGroup& g) {
  WaitOutcome o;
  o.pid = g.pid;
  o.uid = uid_of(g);
  o.status = g.wait_status;
  o.code = g.wait_status & 0x7f ? sig_code::cld_killed : sig_code::cld_exited;
  o.usage = g.dead_threads;
  o.usage.add(g.dead_children);
  return o;
}

// A stop or a continue that nobody has been told of yet.
bool take_job_event(ThreadGroup& g, const WaitRequest& r, WaitOutcome& o) REQUIRES(g_tree_lock) {
  LockGuard guard(g.signal_lock);
  if (r.flags & wait_flag::stopped && g.stopped && g.stop_pending_report) {
    if (!(r.flags & wait_flag::nowait)) g.stop_pending_report = false;
    o = {g.pid, g.stop_signal << 8 | 0x7f, uid_of(g), sig_code::cld_stopped, {}};
    return true;
  }
  if (r.flags & wait_flag::continued && g.continued_pending_report) {
    if (!(r.flags & wait_flag::nowait)) g.continued_pending_report = false;
    o = {g.pid, 0xffff, uid_of(g), sig_code::cld_continued, {}};
    return true;
  }
  return false;
}

// One look at the children. EAGAIN: some may come.
Result<WaitOutcome> try_wait(Task& task, const WaitRequest& r, Ref<Task>& reaped) {
  LockGuard tree(g_tree_lock);
  bool any = false;
  WaitOutcome outcome;
  for (ThreadGroup& child : task.group().children) {
    if (!matches(child, task, r)) continue;
    any = true;
    if (child.zombie) {
      if (!(r.flags & wait_flag::exited)) continue;
      outcome = exit_outcome(child);
      if (!(r.flags & wait_flag::nowait)) reaped = reap_locked(child);
      return outcome;
    }
    if (take_job_event(child, r, outcome)) return outcome;
  }
  if (!any) return Errno::child;
  if (r.flags & wait_flag::nohang) return outcome;
  return Errno::again;
}

}  // namespace

Result<WaitOutcome> wait_for_child(Task& task, const WaitRequest& request) {
  Ref<Task> reaped;  // dropped without locks
  return block_on(task, task.group().child_wait, ~0u, kNoDeadline,
                  [&] { return try_wait(task, request, reaped); });
}

}  // namespace runsc::kernel
