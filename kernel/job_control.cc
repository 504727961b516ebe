#include "kernel/job_control.h"

#include "fs/tty/job_control.h"
#include "kernel/pid.h"
#include "kernel/signal/send.h"

namespace runsc::kernel {

namespace {

// Terminals of sessions: few, so a list. The pointer owns a reference (plain, because globals have no
// destructors in ring 0).
struct SessionTty {
  int32_t session;
  fs::Tty* tty;
};
Mutex g_lock{LockRank::none};
constexpr size_t kMax = 1024;  // no more than there are terminals
SessionTty g_table[kMax] GUARDED_BY(g_lock);

SessionTty* find_locked(int32_t session) REQUIRES(g_lock) {
  for (auto& row : g_table)
    if (row.tty && row.session == session) return &row;
  return nullptr;
}

}  // namespace

Ref<fs::Tty> controlling_tty_of(int32_t session) {
  LockGuard guard(g_lock);
  SessionTty* row = find_locked(session);
  return row ? Ref<fs::Tty>(*row->tty) : Ref<fs::Tty>();
}

void session_leader_exits(int32_t session) {
  if (Ref<fs::Tty> tty = controlling_tty_of(session)) tty->disassociate();
}

}  // namespace runsc::kernel

namespace runsc::fs::job_control {

using kernel::Task;
using kernel::ThreadGroup;

int32_t session_of_current() { return Task::current().group().sid.load(std::memory_order_relaxed); }
int32_t group_of_current() { return Task::current().group().pgid.load(std::memory_order_relaxed); }

bool current_is_session_leader() {
  ThreadGroup& g = Task::current().group();
  return g.sid.load(std::memory_order_relaxed) == g.pid;
}

Ref<Tty> controlling_tty_of_current() { return kernel::controlling_tty_of(session_of_current()); }

void set_controlling_tty(int32_t session, Tty* tty) {
  Ref<Tty> old;  // dropped outside of the lock
  LockGuard guard(kernel::g_lock);
  kernel::SessionTty* row = kernel::find_locked(session);
  if (row) old = Ref<Tty>::adopt(std::exchange(row->tty, nullptr));
  if (!tty) return;
  for (auto& free : kernel::g_table) {
    if (free.tty) continue;
    free = {session, Ref<Tty>(*tty).leak()};
    return;
  }
}

Result<void> check_group(int32_t group, int32_t session) {
  LockGuard guard(kernel::g_tree_lock);
  bool in_use = false;
  for (ThreadGroup& g : kernel::all_groups()) {
    if (g.pgid.load(std::memory_order_relaxed) == group)
      return g.sid.load(std::memory_order_relaxed) == session ? Result<void>() : Errno::perm;
    in_use |= g.sid.load(std::memory_order_relaxed) == group;
  }
  if (Task* task = kernel::pid_find_locked(group))
    return task->group().sid.load(std::memory_order_relaxed) == session ? Result<void>() : Errno::perm;
  return in_use ? Errno::perm : Errno::srch;
}

int32_t number_of(int32_t id) { return kernel::number_for(Task::current(), id); }
int32_t id_of(int32_t number) { return kernel::id_meant_by(Task::current(), number); }

// setpgid(2), "orphaned process group": no member has a parent in another group of the same session.
bool group_of_current_is_orphaned() {
  LockGuard guard(kernel::g_tree_lock);
  const int32_t pgid = group_of_current(), sid = session_of_current();
  for (ThreadGroup& g : kernel::all_groups()) {
    if (g.pgid.load(std::memory_order_relaxed) != pgid || g.zombie || !g.parent) continue;
    ThreadGroup& parent = *g.parent;
    if (parent.pgid.load(std::memory_order_relaxed) != pgid &&
        parent.sid.load(std::memory_order_relaxed) == sid)
      return false;
  }
  return true;
}

bool current_disregards(int signo) {
  Task& task = Task::current();
  ThreadGroup& g = task.group();
  if (task.signals.blocked.load(std::memory_order_relaxed) & abi::sig_bit(signo)) return true;
  Ref<kernel::SignalActions> actions;
  {
    LockGuard guard(g.signal_lock);
    actions = g.actions;
  }
  return actions && actions->get(signo).handler == abi::kSigIgn;
}

void signal_group(int32_t group, int signo) { kernel::signal_process_group(group, signo); }
void signal_session_leader(int32_t session, int signo) { kernel::signal_process(session, signo); }
bool current_has_sys_admin() { return Task::current().creds().has(Cap::sys_admin); }

}  // namespace runsc::fs::job_control
