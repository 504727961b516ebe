#include "kernel/signal/permission.h"

#include "kernel/pid.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

using namespace abi;

SigInfo user_signal_info(const Task& sender, int signal, int code) {
  SigInfo info(signal, code);
  info.rt.pid = sender.pid();
  info.rt.uid = sender.creds().uid;
  return info;
}

Result<void> check_signal_permission(const Task& sender, const Task& target, int signal) {
  if (&sender.group() == &target.group()) return {};
  const fs::Credentials& c = sender.creds();
  Ref<fs::Credentials> t = target.creds_ref();
  if (c.has(fs::Cap::kill) || !t) return {};
  if (c.euid == t->suid || c.euid == t->uid || c.uid == t->suid || c.uid == t->uid) return {};
  if (signal == sig::cont && sender.group().sid == target.group().sid) return {};
  return Errno::perm;
}

Result<void> signal_group_checked(Task& sender, ThreadGroup& group, const SigInfo& info) {
  Ref<Task> leader;
  {
    LockGuard tree(g_tree_lock);
    if (!group.leader) return Errno::srch;
    leader = Ref<Task>(*group.leader);
  }
  TRY(check_signal_permission(sender, *leader, info.signo));
  if (info.signo == 0) return {};
  return queue_signal_to_group(group, info, Origin::user);
}

Result<void> signal_task_checked(Task& sender, Task& target, const SigInfo& info) {
  TRY(check_signal_permission(sender, target, info.signo));
  if (info.signo == 0) return {};
  return queue_signal(target, false, info, Origin::user);
}

}  // namespace runsc::kernel
