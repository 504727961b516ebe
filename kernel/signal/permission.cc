#include "kernel/signal/permission.h"

#include "fs/user_namespace.h"
#include "kernel/pid.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

using namespace abi;

SigInfo user_signal_info(const Task& sender, int signal, int code) {
  SigInfo info(signal, code);
  info.rt.pid = sender.own_pid();
  info.rt.uid = fs::shown_uid(sender.creds(), sender.creds().uid);
  return info;
}

Result<void> check_signal_permission(const Task& sender, const Task& target, int signal) {
  if (&sender.group() == &target.group()) return {};
  const fs::Credentials& c = sender.creds();
  Ref<fs::Credentials> t = target.creds_ref();
  if (!t || fs::is_capable(c, t->user_ns.get(), fs::Cap::kill)) return {};
  if (c.euid == t->suid || c.euid == t->uid || c.uid == t->suid || c.uid == t->uid) return {};
  if (signal == sig::cont && sender.group().sid == target.group().sid) return {};
  return Errno::perm;
}

namespace {

// Has a siginfo of this code the sender's number in it?
bool tells_sender(const SigInfo& info) {
  return info.code == sig_code::user || info.code == sig_code::queue || info.code == sig_code::tkill ||
         info.code == sig_code::mesgq;
}

// To those who do not see the sender it comes from nobody, and an init gets it even so.
Origin origin_of(const Task& sender, const Task& target, SigInfo& info) {
  const PidNamespace& ns = target.pid_namespace();
  if (fs::user_namespaces_exist() && tells_sender(info)) {
    const fs::UserNamespace* from = sender.creds().user_ns.get();
    Ref<fs::Credentials> to = target.creds_ref();
    if (to && to->user_ns.get() != from)
      info.rt.uid = fs::shown_uid(to->user_ns.get(), fs::global_uid(from, info.rt.uid));
  }
  if (ns.contains(sender.pid_namespace())) return Origin::user;
  if (tells_sender(info)) info.rt.pid = 0;
  return Origin::outside;
}

}  // namespace

Result<void> signal_group_checked(Task& sender, ThreadGroup& group, const SigInfo& info) {
  Ref<Task> leader;
  {
    LockGuard tree(g_tree_lock);
    if (!group.leader) return Errno::srch;
    leader = Ref<Task>(*group.leader);
  }
  TRY(check_signal_permission(sender, *leader, info.signo));
  if (info.signo == 0) return {};
  SigInfo seen = info;
  const Origin origin = origin_of(sender, *leader, seen);
  return queue_signal_to_group(group, seen, origin);
}

Result<void> signal_task_checked(Task& sender, Task& target, const SigInfo& info) {
  TRY(check_signal_permission(sender, target, info.signo));
  if (info.signo == 0) return {};
  SigInfo seen = info;
  const Origin origin = origin_of(sender, target, seen);
  return queue_signal(target, false, seen, origin);
}

}  // namespace runsc::kernel
