#include "kernel/notify.h"

#include "fs/user_namespace.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

using namespace abi;

namespace {
constexpr uint64_t kTickNs = 10'000'000;  // clock_t of the ABI: 100 a second
}

uint32_t uid_shown_to(const ThreadGroup& viewer, const Task* task) {
  Ref<fs::Credentials> creds = task ? task->creds_ref() : Ref<fs::Credentials>();
  if (!creds || !fs::user_namespaces_exist()) return creds ? creds->uid : 0;
  Ref<fs::Credentials> theirs = viewer.leader ? viewer.leader->creds_ref() : Ref<fs::Credentials>();
  return theirs ? fs::shown_uid(*theirs, creds->uid) : creds->uid;
}

void notify_parent_locked(ThreadGroup& group, int code, int status) {
  ThreadGroup* parent = group.parent;
  if (!parent) return;
  bool job_control = code == sig_code::cld_stopped || code == sig_code::cld_continued;
  int signal = job_control ? sig::chld : group.exit_signal;
  SigAction action = parent->actions->get(sig::chld);
  if (signal != 0 && !(job_control && action.flags & sa::nocldstop)) {
    SigInfo info(signal, code);
    info.child.pid = number_in_locked(parent->pid_namespace(), group.pid);
    info.child.uid = uid_shown_to(*parent, group.leader);
    info.child.status = status;
    info.child.utime = static_cast<int64_t>(tsc_to_ns(group.dead_threads.user_ticks) / kTickNs);
    info.child.stime = static_cast<int64_t>(tsc_to_ns(group.dead_threads.system_ticks) / kTickNs);
    // clone(2) chooses the signal.
    (void)queue_signal_tree_locked(*parent, nullptr, info, Origin::user);
  }
  parent->child_wait.wake_all();
}

void set_parent_number_locked(ThreadGroup& group) {
  group.parent_pid.store(group.parent ? number_in_locked(group.pid_namespace(), group.parent->pid) : 0);
}

}  // namespace runsc::kernel
