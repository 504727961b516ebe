// unshare(2), setns(2); rseq(2).
#include "fs/mount.h"
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
Result<Ref<Namespaces>> namespaces_of(ThreadGroup& group) {
  Ref<Task> target;
  {
    LockGuard tree(g_tree_lock);
    if (group.leader && !group.zombie) target = Ref<Task>(*group.leader);
  }
  if (!target) return Errno::srch;
  if (!may_inspect(*target, InspectAs::real_creds)) return Errno::perm;
  Ref<Namespaces> set = target->namespaces_ref();
  if (!set) return Errno::srch;
  return set;
}

// What joining a namespace of each of these kinds asks for. Of user namespaces there is one: it is entered
// already.
Result<void> check_join(Task& task, uint64_t flags) {
  if (flags & newuser) return Errno::inval;
  if (flags & newtime) {
    LockGuard tree(g_tree_lock);
    if (task.group().thread_count > 1) return Errno::users;
  }
  if (!task.creds().has(fs::Cap::sys_admin)) return Errno::perm;
  if (!(flags & newns)) return {};
  if (!task.creds().has(fs::Cap::sys_chroot)) return Errno::perm;
  if (task.fs().ref_count() > 1) return Errno::inval;
  return {};
}

}  // namespace

Result<void> sys_unshare(Task& task, uint64_t flags) {
  flags = implied(flags);
  if (flags & ~kKnown) return Errno::inval;
  TRY(check_alone(task, flags));
  Ref<fs::FsContext> own_fs;
  Ref<fs::FdTable> own_files;
  Ref<Namespaces> own_namespaces;
  if (flags & clone_flag::fs && task.fs().ref_count() > 1) own_fs = TRY(task.fs().clone());
  if (flags & clone_flag::files && task.files().ref_count() > 1) own_files = TRY(task.files().clone());
  if (flags & kNamespaces) {
    if (!(flags & newuser) && !task.creds().has(fs::Cap::sys_admin)) return Errno::perm;
    own_namespaces = TRY(task.namespaces().clone(flags, own_fs ? *own_fs : task.fs()));
  }
  if (flags & (sysvsem | newipc)) set_sem_undo(task, nullptr);
  if (own_fs) task.set_fs(std::move(own_fs));
  if (own_files) task.set_files(std::move(own_files));
  if (own_namespaces) task.set_namespaces(std::move(own_namespaces));
  return {};
}

Result<void> sys_setns(Task& task, int fd, int type) {
  Ref<fs::File> file = TRY(task.files().get(fd));
  const auto asked = static_cast<uint32_t>(type);
  uint64_t flags = asked;
  Namespaces::Parts parts = task.namespaces().parts();
  if (file->kind() == fs::FileKind::pidfd) {
    if (flags == 0 || flags & ~kNamespaces) return Errno::inval;
    Ref<Namespaces> target = TRY(namespaces_of(static_cast<PidFile&>(*file).group()));
    for (uint64_t kind = 1; kind <= flags; kind <<= 1)
      if (Ref<Namespace> ns = flags & kind ? target->of_kind(kind) : nullptr) parts.join(std::move(ns));
  } else if (uint64_t kind = namespace_type(*file)) {
    flags = kind;
    if (asked != 0 && asked != flags) return Errno::inval;
    if (Ref<Namespace> ns = namespace_of(*file)) parts.join(std::move(ns));
  } else {
    return Errno::inval;
  }
  TRY(check_join(task, flags));
  Ref<Namespaces> joined = TRY(Namespaces::create(std::move(parts)));
  if (flags & newipc) set_sem_undo(task, nullptr);
  task.set_namespaces(std::move(joined));
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
