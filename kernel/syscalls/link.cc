// Making, removing and moving names.
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

Result<void> sys_mkdirat(Task& task, int dirfd, uint64_t path, uint32_t mode) {
  String text = TRY(path_argument(task, path));
  return fs::make_dir(task.walk_context(), TRY(start_of(task, dirfd, text.view())), text.view(), mode);
}

Result<void> sys_mkdir(Task& task, uint64_t path, uint32_t mode) {
  return sys_mkdirat(task, abi::at::fdcwd, path, mode);
}

Result<void> sys_unlinkat(Task& task, int dirfd, uint64_t path, uint32_t flags) {
  if (flags & ~abi::at::removedir) return Errno::inval;
  String text = TRY(path_argument(task, path));
  return fs::remove(task.walk_context(), TRY(start_of(task, dirfd, text.view())), text.view(),
                    flags & abi::at::removedir);
}

Result<void> sys_unlink(Task& task, uint64_t path) { return sys_unlinkat(task, abi::at::fdcwd, path, 0); }

Result<void> sys_rmdir(Task& task, uint64_t path) {
  return sys_unlinkat(task, abi::at::fdcwd, path, abi::at::removedir);
}

Result<void> sys_renameat2(Task& task, int from_fd, uint64_t from, int to_fd, uint64_t to, uint32_t flags) {
  String from_text = TRY(path_argument(task, from));
  String to_text = TRY(path_argument(task, to));
  fs::Path from_start = TRY(start_of(task, from_fd, from_text.view()));
  fs::Path to_start = TRY(start_of(task, to_fd, to_text.view()));
  return fs::rename(task.walk_context(), from_start, from_text.view(), to_start, to_text.view(), flags);
}

Result<void> sys_renameat(Task& task, int from_fd, uint64_t from, int to_fd, uint64_t to) {
  return sys_renameat2(task, from_fd, from, to_fd, to, 0);
}

Result<void> sys_rename(Task& task, uint64_t from, uint64_t to) {
  return sys_renameat2(task, abi::at::fdcwd, from, abi::at::fdcwd, to, 0);
}

Result<void> sys_linkat(Task& task, int from_fd, uint64_t from, int to_fd, uint64_t to, uint32_t flags) {
  if (flags & ~(abi::at::symlink_follow | abi::at::empty_path)) return Errno::inval;
  if ((flags & abi::at::empty_path) && !task.creds().has(fs::Cap::dac_read_search)) return Errno::noent;
  uint32_t lookup = flags & abi::at::empty_path;
  if (!(flags & abi::at::symlink_follow)) lookup |= abi::at::symlink_nofollow;
  fs::Path old_path = TRY(lookup_argument(task, from_fd, from, lookup));
  String to_text = TRY(path_argument(task, to));
  return fs::make_link(task.walk_context(), old_path, TRY(start_of(task, to_fd, to_text.view())),
                       to_text.view());
}

Result<void> sys_link(Task& task, uint64_t from, uint64_t to) {
  return sys_linkat(task, abi::at::fdcwd, from, abi::at::fdcwd, to, 0);
}

Result<void> sys_symlinkat(Task& task, uint64_t target, int dirfd, uint64_t path) {
  String target_text = TRY(path_argument(task, target));
  if (target_text.empty()) return Errno::noent;
  String text = TRY(path_argument(task, path));
  fs::Path start = TRY(start_of(task, dirfd, text.view()));
  return fs::make_symlink(task.walk_context(), target_text.view(), start, text.view());
}

Result<void> sys_symlink(Task& task, uint64_t target, uint64_t path) {
  return sys_symlinkat(task, target, abi::at::fdcwd, path);
}

Result<size_t> sys_readlinkat(Task& task, int dirfd, uint64_t path, uint64_t out, int size) {
  if (size <= 0) return Errno::inval;
  String text = TRY(path_argument(task, path));
  fs::Path start = TRY(start_of(task, dirfd, text.view()));
  fs::Path at = TRY(fs::walk(task.walk_context(), start, text.view(), text.empty() ? fs::kEmptyPath : 0));
  if (fs::inode_of(at).type() != fs::kSymlink) return text.empty() ? Errno::noent : Errno::inval;
  String target = TRY(fs::inode_of(at).read_link());
  size_t n = target.size() < static_cast<size_t>(size) ? target.size() : static_cast<size_t>(size);
  TRY(mm::copy_out_bytes(task.mm(), out, target.c_str(), n));
  return n;
}

Result<size_t> sys_readlink(Task& task, uint64_t path, uint64_t out, int size) {
  return sys_readlinkat(task, abi::at::fdcwd, path, out, size);
}

Result<void> sys_mknodat(Task& task, int dirfd, uint64_t path, uint32_t mode, uint32_t dev) {
  String text = TRY(path_argument(task, path));
  fs::Path start = TRY(start_of(task, dirfd, text.view()));
  // new_decode_dev: what the C library packs into 32 bits.
  uint64_t rdev = fs::make_dev(dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00));
  TRY(fs::make_node(task.walk_context(), start, text.view(), mode, rdev));
  return {};
}

Result<void> sys_mknod(Task& task, uint64_t path, uint32_t mode, uint32_t dev) {
  return sys_mknodat(task, abi::at::fdcwd, path, mode, dev);
}

}  // namespace runsc::kernel
