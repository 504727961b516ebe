#include "kernel/pidfd.h"

#include "fs/mount.h"
#include "fs/pseudo/pseudo.h"
#include "kernel/pid.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace fs;

uint32_t PidFile::poll() {
  LockGuard guard(g_tree_lock);
  return group_->zombie || group_->reaped ? poll_bit::in | poll_bit::rdnorm : 0;
}

void PidFile::fdinfo(TextSink& out) const {
  LockGuard guard(g_tree_lock);
  if (group_->reaped) return format(out, "Pid:\t-1\nNSpid:\t-1\n");
  const PidNamespace& ns = Task::current().pid_namespace();
  format(out, "Pid:\t{}\nNSpid:", number_in_locked(ns, group_->pid));
  show_numbers_locked(group_->pid, ns, out);
  out.write("\n");
}

Result<int> open_pidfd(Task& task, ThreadGroup& group, uint32_t flags) {
  Ref<File> file = make_ref<PidFile>(Ref<ThreadGroup>(group), flags);
  if (!file) return Errno::nomem;
  return task.files().install(std::move(file), true, task.limit(static_cast<unsigned>(Resource::nofile)));
}

Result<void> install_pidfd(Task& task, ThreadGroup& group, uint64_t address) {
  int fd = TRY(open_pidfd(task, group, 0));
  return mm::copy_out_bytes(task.mm(), address, &fd, sizeof fd);
}

Result<Ref<ThreadGroup>> group_of_pidfd(Task& task, int fd) {
  Ref<File> file = TRY(task.files().get(fd));
  if (file->kind() != FileKind::pidfd) return Errno::badf;
  return Ref<ThreadGroup>(static_cast<PidFile&>(*file).group());
}

Result<Ref<ThreadGroup>> group_to_signal(Task& task, int fd) {
  Ref<File> file = TRY(task.files().get(fd));
  Inode* inode = file->path().dentry ? file->path().dentry->inode() : nullptr;
  // Directories of procfs are all of this class.
  if (!inode || !inode->is_dir() || inode->super().type_name() != "proc") return group_of_pidfd(task, fd);
  int32_t pid = static_cast<DirNode*>(inode)->process();
  if (pid == 0) return Errno::badf;
  Ref<ThreadGroup> group = pid > 0 ? find_group(pid) : nullptr;
  if (!group) return Errno::srch;
  return group;
}

}  // namespace runsc::kernel
