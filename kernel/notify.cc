#include "kernel/notify.h"

#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

using namespace abi;

namespace {
constexpr uint64_t kTickNs = 10'000'000;  // clock_t of the ABI: 100 a second
}

void notify_parent_locked(ThreadGroup& group, int code, int status) {
  ThreadGroup* parent = group.parent;
  if (!parent) return;
  bool job_control = code == sig_code::cld_stopped || code == sig_code::cld_continued;
  int signal = job_control ? sig::chld : group.exit_signal;
  SigAction action = parent->actions->get(sig::chld);
  if (signal != 0 && !(job_control && action.flags & sa::nocldstop)) {
    SigInfo info(signal, code);
    info.child.pid = group.pid;
    info.child.uid = group.leader ? group.leader->creds_ref()->uid : 0;
    info.child.status = status;
    info.child.utime = static_cast<int64_t>(tsc_to_ns(group.dead_threads.user_ticks) / kTickNs);
    info.child.stime = static_cast<int64_t>(tsc_to_ns(group.dead_threads.system_ticks) / kTickNs);
    (void)queue_signal_tree_locked(*parent, nullptr, info, Origin::kernel);
  }
  parent->child_wait.wake_all();
}

}  // namespace runsc::kernel
