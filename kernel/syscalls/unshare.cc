// unshare(2), setns(2); rseq(2).
#include "fs/mount.h"
#include "kernel/clone.h"
#include "kernel/inspect.h"
#include "kernel/ipc/sem.h"
#include "kernel/namespace_file.h"
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

// The process whose namespaces are to be joined: ESRCH when it is gone.
Result<void> check_target(ThreadGroup& group) {
  Ref<Task> target;
  {
    LockGuard tree(g_tree_lock);
    if (group.leader && !group.zombie) target = Ref<Task>(*group.leader);
  }
  if (!target) return Errno::srch;
  if (!may_inspect(*target, InspectAs::real_creds)) return Errno::perm;
  return {};
}

Result<void> join(Task& task, uint64_t flags) {
  if (flags & newuser) return Errno::inval;
  if (!task.creds().has(fs::Cap::sys_admin)) return Errno::perm;
  if (!(flags & newns)) return {};
  if (!task.creds().has(fs::Cap::sys_chroot)) return Errno::perm;
  if (task.fs().ref_count() > 1) return Errno::inval;
  task.fs().set_root(fs::tree_root_path());
  task.fs().set_cwd(fs::tree_root_path());
  return {};
}

}  // namespace

// There is one namespace of each kind, and no more.
Result<void> sys_unshare(Task& task, uint64_t flags) {
  flags = implied(flags);
  if (flags & ~kKnown) return Errno::inval;
  TRY(check_alone(task, flags));
  Ref<fs::FsContext> own_fs;
  Ref<fs::FdTable> own_files;
  if (flags & clone_flag::fs && task.fs().ref_count() > 1) own_fs = TRY(task.fs().clone());
  if (flags & clone_flag::files && task.files().ref_count() > 1) own_files = TRY(task.files().clone());
  if (flags & kNamespaces) {
    if (!(flags & newuser) && !task.creds().has(fs::Cap::sys_admin)) return Errno::perm;
    return Errno::inval;
  }
  if (flags & (sysvsem | newipc)) set_sem_undo(task, nullptr);
  if (own_fs) task.set_fs(std::move(own_fs));
  if (own_files) task.set_files(std::move(own_files));
  return {};
}

// Joining where one is already.
Result<void> sys_setns(Task& task, int fd, int type) {
  Ref<fs::File> file = TRY(task.files().get(fd));
  const auto asked = static_cast<uint32_t>(type);
  uint64_t flags = asked;
  if (file->kind() == fs::FileKind::pidfd) {
    if (flags == 0 || flags & ~kNamespaces) return Errno::inval;
    TRY(check_target(static_cast<PidFile&>(*file).group()));
  } else if (uint64_t kind = namespace_type(*file)) {
    flags = kind;
    if (asked != 0 && asked != flags) return Errno::inval;
  } else {
    return Errno::inval;
  }
  return join(task, flags);
}

Result<void> sys_rseq(Task& task, uint64_t area, uint32_t size, int flags, uint32_t signature) {
  constexpr int kUnregister = 1;
  if (flags & ~kUnregister) return Errno::inval;
  return flags & kUnregister ? rseq_unregister(task, area, size, signature)
                             : rseq_register(task, area, size, signature);
}

}  // namespace runsc::kernel
