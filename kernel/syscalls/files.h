// System calls on files and names: see table_files.cc.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

// read_write.cc
Result<size_t> sys_read(Task& task, int fd, uint64_t buffer, uint64_t size);
Result<size_t> sys_write(Task& task, int fd, uint64_t buffer, uint64_t size);
Result<size_t> sys_pread64(Task& task, int fd, uint64_t buffer, uint64_t size, int64_t offset);
Result<size_t> sys_pwrite64(Task& task, int fd, uint64_t buffer, uint64_t size, int64_t offset);
Result<size_t> sys_readv(Task& task, int fd, uint64_t iov, uint64_t count);
Result<size_t> sys_writev(Task& task, int fd, uint64_t iov, uint64_t count);
Result<size_t> sys_preadv(Task& task, int fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t high);
Result<size_t> sys_pwritev(Task& task, int fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t high);
Result<size_t> sys_preadv2(Task& task, int fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t high,
                           uint32_t flags);
Result<size_t> sys_pwritev2(Task& task, int fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t high,
                            uint32_t flags);
// seek.cc
Result<uint64_t> sys_lseek(Task& task, int fd, int64_t offset, int whence);
Result<void> sys_ftruncate(Task& task, int fd, int64_t size);
Result<void> sys_truncate(Task& task, uint64_t path, int64_t size);
Result<void> sys_fallocate(Task& task, int fd, int mode, int64_t offset, int64_t size);
Result<void> sys_fadvise64(Task& task, int fd, int64_t offset, int64_t size, int advice);
Result<void> sys_readahead(Task& task, int fd, int64_t offset, uint64_t size);
// open.cc
Result<int> sys_open(Task& task, uint64_t path, uint32_t flags, uint32_t mode);
Result<int> sys_openat(Task& task, int dirfd, uint64_t path, uint32_t flags, uint32_t mode);
Result<int> sys_openat2(Task& task, int dirfd, uint64_t path, uint64_t how, uint64_t size);
Result<int> sys_creat(Task& task, uint64_t path, uint32_t mode);
Result<void> sys_close(Task& task, int fd);
Result<void> sys_close_range(Task& task, uint32_t first, uint32_t last, uint32_t flags);
Result<int> sys_dup(Task& task, int fd);
Result<int> sys_dup2(Task& task, int old_fd, int new_fd);
Result<int> sys_dup3(Task& task, int old_fd, int new_fd, uint32_t flags);
Result<int> sys_memfd_create(Task& task, uint64_t name, uint32_t flags);
// stat.cc
Result<void> sys_stat(Task& task, uint64_t path, uint64_t out);
Result<void> sys_fstat(Task& task, int fd, uint64_t out);
Result<void> sys_lstat(Task& task, uint64_t path, uint64_t out);
Result<void> sys_newfstatat(Task& task, int dirfd, uint64_t path, uint64_t out, uint32_t flags);
Result<void> sys_statx(Task& task, int dirfd, uint64_t path, uint32_t flags, uint32_t mask, uint64_t out);
Result<void> sys_statfs(Task& task, uint64_t path, uint64_t out);
Result<void> sys_fstatfs(Task& task, int fd, uint64_t out);
Result<void> sys_access(Task& task, uint64_t path, uint32_t mode);
Result<void> sys_faccessat(Task& task, int dirfd, uint64_t path, uint32_t mode);
Result<void> sys_faccessat2(Task& task, int dirfd, uint64_t path, uint32_t mode, uint32_t flags);
// directory.cc
Result<size_t> sys_getdents(Task& task, int fd, uint64_t out, uint32_t size);
Result<size_t> sys_getdents64(Task& task, int fd, uint64_t out, uint32_t size);
Result<size_t> sys_getcwd(Task& task, uint64_t out, uint64_t size);
Result<void> sys_chdir(Task& task, uint64_t path);
Result<void> sys_fchdir(Task& task, int fd);
Result<void> sys_chroot(Task& task, uint64_t path);
Result<uint32_t> sys_umask(Task& task, uint32_t mask);
// link.cc
Result<void> sys_mkdir(Task& task, uint64_t path, uint32_t mode);
Result<void> sys_mkdirat(Task& task, int dirfd, uint64_t path, uint32_t mode);
Result<void> sys_rmdir(Task& task, uint64_t path);
Result<void> sys_unlink(Task& task, uint64_t path);
Result<void> sys_unlinkat(Task& task, int dirfd, uint64_t path, uint32_t flags);
Result<void> sys_rename(Task& task, uint64_t from, uint64_t to);
Result<void> sys_renameat(Task& task, int from_fd, uint64_t from, int to_fd, uint64_t to);
Result<void> sys_renameat2(Task& task, int from_fd, uint64_t from, int to_fd, uint64_t to, uint32_t flags);
Result<void> sys_link(Task& task, uint64_t from, uint64_t to);
Result<void> sys_linkat(Task& task, int from_fd, uint64_t from, int to_fd, uint64_t to, uint32_t flags);
Result<void> sys_symlink(Task& task, uint64_t target, uint64_t path);
Result<void> sys_symlinkat(Task& task, uint64_t target, int dirfd, uint64_t path);
Result<size_t> sys_readlink(Task& task, uint64_t path, uint64_t out, int size);
Result<size_t> sys_readlinkat(Task& task, int dirfd, uint64_t path, uint64_t out, int size);
Result<void> sys_mknod(Task& task, uint64_t path, uint32_t mode, uint32_t dev);
Result<void> sys_mknodat(Task& task, int dirfd, uint64_t path, uint32_t mode, uint32_t dev);
// attributes.cc
Result<void> sys_chmod(Task& task, uint64_t path, uint32_t mode);
Result<void> sys_fchmod(Task& task, int fd, uint32_t mode);
Result<void> sys_fchmodat(Task& task, int dirfd, uint64_t path, uint32_t mode);
Result<void> sys_chown(Task& task, uint64_t path, uint32_t uid, uint32_t gid);
Result<void> sys_lchown(Task& task, uint64_t path, uint32_t uid, uint32_t gid);
Result<void> sys_fchown(Task& task, int fd, uint32_t uid, uint32_t gid);
Result<void> sys_fchownat(Task& task, int dirfd, uint64_t path, uint32_t uid, uint32_t gid, uint32_t flags);
Result<void> sys_utime(Task& task, uint64_t path, uint64_t times);
Result<void> sys_utimes(Task& task, uint64_t path, uint64_t times);
Result<void> sys_futimesat(Task& task, int dirfd, uint64_t path, uint64_t times);
Result<void> sys_utimensat(Task& task, int dirfd, uint64_t path, uint64_t times, uint32_t flags);
// fcntl.cc
Result<uint64_t> sys_fcntl(Task& task, int fd, int command, uint64_t argument);
Result<void> sys_flock(Task& task, int fd, int operation);
Result<uint64_t> sys_ioctl(Task& task, int fd, uint32_t request, uint64_t argument);
// sendfile.cc
Result<size_t> sys_sendfile(Task& task, int out_fd, int in_fd, uint64_t offset, uint64_t count);
Result<size_t> sys_copy_file_range(Task& task, int in_fd, uint64_t in_offset, int out_fd, uint64_t out_offset,
                                   uint64_t size, uint32_t flags);
// splice.cc
Result<size_t> sys_splice(Task& task, int in_fd, uint64_t in_offset, int out_fd, uint64_t out_offset,
                          uint64_t size, uint32_t flags);
Result<size_t> sys_tee(Task& task, int in_fd, int out_fd, uint64_t size, uint32_t flags);
Result<size_t> sys_vmsplice(Task& task, int fd, uint64_t iov, uint64_t count, uint32_t flags);
// sync.cc
Result<void> sys_fsync(Task& task, int fd);
Result<void> sys_fdatasync(Task& task, int fd);
Result<void> sys_sync(Task& task);
Result<void> sys_syncfs(Task& task, int fd);
Result<void> sys_sync_file_range(Task& task, int fd, int64_t offset, int64_t size, uint32_t flags);
// mount.cc
Result<void> sys_mount(Task& task, uint64_t source, uint64_t target, uint64_t type, uint64_t flags,
                       uint64_t data);
Result<void> sys_umount2(Task& task, uint64_t target, uint32_t flags);
Result<void> sys_pivot_root(Task& task, uint64_t new_root, uint64_t put_old);
Result<void> sys_name_to_handle_at(Task& task, int dirfd, uint64_t path, uint64_t handle, uint64_t mount_id,
                                   uint32_t flags);
// xattr.cc
Result<size_t> sys_getxattr(Task& task, uint64_t path, uint64_t name, uint64_t value, uint64_t size);
Result<size_t> sys_lgetxattr(Task& task, uint64_t path, uint64_t name, uint64_t value, uint64_t size);
Result<size_t> sys_fgetxattr(Task& task, int fd, uint64_t name, uint64_t value, uint64_t size);
Result<void> sys_setxattr(Task& task, uint64_t path, uint64_t name, uint64_t value, uint64_t size, int flags);
Result<void> sys_lsetxattr(Task& task, uint64_t path, uint64_t name, uint64_t value, uint64_t size,
                           int flags);
Result<void> sys_fsetxattr(Task& task, int fd, uint64_t name, uint64_t value, uint64_t size, int flags);
Result<size_t> sys_listxattr(Task& task, uint64_t path, uint64_t list, uint64_t size);
Result<size_t> sys_llistxattr(Task& task, uint64_t path, uint64_t list, uint64_t size);
Result<size_t> sys_flistxattr(Task& task, int fd, uint64_t list, uint64_t size);
Result<void> sys_removexattr(Task& task, uint64_t path, uint64_t name);
Result<void> sys_lremovexattr(Task& task, uint64_t path, uint64_t name);
Result<void> sys_fremovexattr(Task& task, int fd, uint64_t name);

}  // namespace runsc::kernel
