// unshare(2), setns(2); rseq(2).
#include "fs/mount.h"
#include "fs/user_namespace.h"
#include "kernel/clone.h"
#include "kernel/inspect.h"
#include "kernel/ipc/sem.h"
#include "kernel/namespace_file.h"
#include "kernel/namespaces.h"
#include "kernel/pidfd.h"
#include "kernel/rseq.h"
#include "kernel/syscalls/admin.h"

namespace runsc::kernel {

namespace {

using namespace clone_flag;

constexpr uint64_t kNamespaces = namespaces | newtime;
constexpr uint64_t kKnown =
    thread | clone_flag::fs | sighand | vm | clone_flag::files | sysvsem | kNamespaces;

// What the flags ask for besides, unshare(2).
uint64_t implied(uint64_t flags) {
  if (flags & newuser) flags |= thread | clone_flag::fs;
  if (flags & vm) flags |= sighand;
  if (flags & sighand) flags |= thread;
  if (flags & newns) flags |= clone_flag::fs;
  return flags;
}

Result<void> check_alone(Task& task, uint64_t flags) {
  ThreadGroup& group = task.group();
  if (flags & (thread | sighand | vm)) {
    LockGuard tree(g_tree_lock);
    if (group.thread_count > 1) return Errno::inval;
  }
  if (flags & (sighand | vm)) {
    LockGuard guard(group.signal_lock);
    if (group.actions->ref_count() > 1) return Errno::inval;
  }
  if (flags & vm && task.mm().ref_count() > 1) return Errno::inval;
  return {};
}

// The namespaces of the process that are to be joined: ESRCH when it is gone.
struct ProcessNamespaces {
  Ref<Namespaces> set;
  Ref<fs::Credentials> creds;
};
Result<ProcessNamespaces> namespaces_of(ThreadGroup& group) {
  Ref<Task> target;
  {
    LockGuard tree(g_tree_lock);
    if (group.leader && !group.zombie) target = Ref<Task>(*group.leader);
  }
  if (!target) return Errno::srch;
  if (!may_inspect(*target, InspectAs::real_creds)) return Errno::perm;
  ProcessNamespaces found{target->namespaces_ref(), target->creds_ref()};
  if (!found.set || !found.creds) return Errno::srch;
  return found;
}

bool is_alone(Task& task) {
  LockGuard tree(g_tree_lock);
  return task.group().thread_count == 1;
}

// What a task that joins namespaces will have.
struct Joined {
  Namespaces::Parts parts;
  Ref<fs::Credentials> creds;  // null: those that it has
};

Result<void> join_user(Task& task, Ref<fs::UserNamespace> ns, Joined& to) {
  if (ns == task.creds().user_ns || !is_alone(task) || task.fs().ref_count() > 1) return Errno::inval;
  if (!fs::is_capable(task.creds(), ns.get(), fs::Cap::sys_admin)) return Errno::perm;
  to.creds = TRY(task.creds().clone());
  fs::enter_user_namespace(*to.creds, std::move(ns));
  return {};
}

// What joining a namespace asks for (setns(2)).
Result<void> join(Task& task, uint64_t kind, Ref<Namespace> ns, Joined& to) {
  if (kind == newuser)
    return join_user(task, Ref<fs::UserNamespace>::adopt(static_cast<fs::UserNamespace*>(ns.leak())), to);
  if (kind == newtime && !is_alone(task)) return Errno::users;
  const fs::Credentials& creds = task.creds();
  const Namespace* over = to.creds ? to.creds->user_ns.get() : creds.user_ns.get();
  if (!fs::is_capable(creds, ns ? ns->owner() : nullptr, fs::Cap::sys_admin) ||
      !fs::is_capable(creds, over, fs::Cap::sys_admin))
    return Errno::perm;
  if (kind == newns) {
    if (!fs::is_capable(creds, over, fs::Cap::sys_chroot)) return Errno::perm;
    if (task.fs().ref_count() > 1) return Errno::inval;
  }
  if (kind == newpid && !task.pid_namespace().contains(static_cast<PidNamespace&>(*ns))) return Errno::inval;
  if (ns) to.parts.join(std::move(ns));
  return {};
}

// The namespaces of a process, of these kinds.
Result<void> join_process(Task& task, ThreadGroup& group, uint64_t kinds, Joined& to) {
  ProcessNamespaces target = TRY(namespaces_of(group));
  if (kinds & newuser) TRY(join(task, newuser, target.creds->user_ns, to));
  for (uint64_t kind = 1; kind <= kinds; kind <<= 1) {
    if (!(kinds & kind) || kind == newuser) continue;
    // The one that it is in, not the one that its children will be in.
    Ref<Namespace> ns =
        kind == newpid ? Ref<Namespace>(Ref<PidNamespace>(group.pid_namespace())) : target.set->of_kind(kind);
    TRY(join(task, kind, std::move(ns), to));
  }
  return {};
}

// Whether `ns` is of somebody with these credentials, or below one that is.
bool is_own(const fs::Credentials& creds, const fs::UserNamespace* ns) {
  for (; ns; ns = ns->parent())
    if (ns->parent() == creds.user_ns.get() && ns->owner_uid() == creds.euid) return true;
  return false;
}

// Capabilities that come with a namespace of others are for nobody to look at, or to get by a parent's death.
void take_joined(Task& task, Ref<fs::Credentials> creds) {
  if (!is_own(task.creds(), creds->user_ns.get())) {
    set_dumpable(task.group(), 0);
    task.parent_death_signal.store(0, std::memory_order_relaxed);
  }
  task.set_creds(std::move(creds));
}

}  // namespace

Result<void> sys_unshare(Task& task, uint64_t flags) {
  flags = implied(flags);
  if (flags & ~kKnown) return Errno::inval;
  TRY(check_alone(task, flags));
  Ref<fs::FsContext> own_fs;
  Ref<fs::FdTable> own_files;
  Ref<Namespaces> own_namespaces;
  Ref<fs::Credentials> own_creds;
  if (flags & clone_flag::fs && task.fs().ref_count() > 1) own_fs = TRY(task.fs().clone());
  if (flags & clone_flag::files && task.files().ref_count() > 1) own_files = TRY(task.files().clone());
  if (flags & newuser) own_creds = TRY(creds_in_new_user_namespace(task));
  if (flags & kNamespaces & ~newuser)
    own_namespaces = TRY(
        task.namespaces().clone(flags, own_fs ? *own_fs : task.fs(), own_creds ? *own_creds : task.creds()));
  if (flags & (sysvsem | newipc)) set_sem_undo(task, nullptr);
  if (own_fs) task.set_fs(std::move(own_fs));
  if (own_files) task.set_files(std::move(own_files));
  if (own_namespaces) task.set_namespaces(std::move(own_namespaces));
  if (own_creds) task.set_creds(std::move(own_creds));
  return {};
}

Result<void> sys_setns(Task& task, int fd, int type) {
  Ref<fs::File> file = TRY(task.files().get(fd));
  const auto asked = static_cast<uint32_t>(type);
  uint64_t flags = asked;
  Joined to{task.namespaces().parts(), nullptr};
  if (file->kind() == fs::FileKind::pidfd) {
    if (flags == 0 || flags & ~kNamespaces) return Errno::inval;
    TRY(join_process(task, static_cast<PidFile&>(*file).group(), flags, to));
  } else if (uint64_t kind = namespace_type(*file)) {
    flags = kind;
    if (asked != 0 && asked != flags) return Errno::inval;
    TRY(join(task, kind, namespace_of(*file), to));
  } else {
    return Errno::inval;
  }
  Ref<Namespaces> joined = TRY(Namespaces::create(std::move(to.parts)));
  if (flags & newipc) set_sem_undo(task, nullptr);
  task.set_namespaces(std::move(joined));
  if (to.creds) take_joined(task, std::move(to.creds));
  if (flags & newns) {
    fs::Path root = task.namespaces().mounts().root();
    task.fs().set_root(root);
    task.fs().set_cwd(std::move(root));
  }
  return {};
}

Result<void> sys_rseq(Task& task, uint64_t area, uint32_t size, int flags, uint32_t signature) {
  constexpr int kUnregister = 1;
  if (flags & ~kUnregister) return Errno::inval;
  return flags & kUnregister ? rseq_unregister(task, area, size, signature)
                             : rseq_register(task, area, size, signature);
}

}  // namespace runsc::kernel
