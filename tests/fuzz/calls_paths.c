// Calls that take names of files.
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/mount.h>

#include "calls.h"
#include "memory.h"
#include "paths.h"

SOME_OF(rename_flags, 1, 2, 4)
SOME_OF(statx_mask, STATX_BASIC_STATS, STATX_BTIME, STATX_ALL, STATX_MNT_ID)
ONE_OF(access_mode, 0, 1, 2, 4, 7)
SOME_OF(link_flags, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH)
ONE_OF(node_type, S_IFREG | 0666, S_IFIFO | 0666, S_IFSOCK | 0666, S_IFCHR | 0666, S_IFBLK | 0666,
       S_IFDIR | 0777, 0666)
SOME_OF(watch_mask, 0xfff, 0x100, 0x2, 0x8, 0x20, 0x200, 0x40, 0x1000000, 0x2000000, 0x20000000, 0x40000000,
        0x80000000, 0x10000000)
SOME_OF(stat_flags, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_STATX_FORCE_SYNC,
        AT_STATX_DONT_SYNC)
SOME_OF(access_flags, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_EACCESS)
SOME_OF(remove_flags, AT_REMOVEDIR)

static long open_how(struct Call* c) {
  static const long kResolve[] = {RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS,
                                  RESOLVE_BENEATH, RESOLVE_IN_ROOT,       RESOLVE_CACHED};
  struct open_how how = {.flags = (uint64_t)open_flags(c),
                         .resolve = (uint64_t)some_of(c, kResolve, COUNT(kResolve))};
  if (how.flags & (O_CREAT | O_TMPFILE)) how.mode = 0666;
  char* at = room(c, sizeof(how) + 8);
  memcpy(at, &how, sizeof(how));
  c->extent = sizeof(how);
  return place(c, at);
}

static long file_handle(struct Call* c) {
  char* at = room(c, 136);
  unsigned words[2] = {(unsigned)below(c, 129), (unsigned)below(c, 3)};
  memcpy(at, words, sizeof(words));
  return place(c, at);
}

static void keep_by_type(struct Call* c) {
  keep(c, c->a[2] & O_PATH ? kPathFd : c->a[2] & O_DIRECTORY ? kDir : kFile, c->result);
}

static void keep_opened(struct Call* c) {
  keep(c, c->a[1] & O_PATH ? kPathFd : c->a[1] & O_DIRECTORY ? kDir : kFile, c->result);
}

// A watch on files that others work on.
static void keep_watch(struct Call* c) { keep(c, kWatch, c->result); }

static const struct Row kRows[] = {
    {SYS_open, 6, .args = {path, open_flags, mode}, .after = keep_opened},
    {SYS_openat, 10, .args = {fd_at, path, open_flags, mode}, .after = keep_by_type},
    {SYS_openat, 4, .args = {fd_at, path_new, open_flags, mode}, .after = keep_by_type},
    {SYS_openat2, 6, .args = {fd_at, path, open_how, extent}, .gives = kFile},
    {SYS_creat, .args = {path_new, mode}, .gives = kFile},
    {SYS_stat, .args = {path, out_256}},
    {SYS_lstat, .args = {path, out_256}},
    {SYS_newfstatat, .args = {fd_at, path, out_256, stat_flags}},
    {SYS_statx, .args = {fd_at, path, stat_flags, statx_mask, out_256}},
    {SYS_statfs, .args = {path, out_256}},
    {SYS_access, .args = {path, access_mode}},
    {SYS_faccessat, .args = {fd_at, path, access_mode}},
    {SYS_faccessat2, .args = {fd_at, path, access_mode, access_flags}},
    {SYS_truncate, .args = {path, length}},
    {SYS_chdir, 1, .flags = kInChild, .args = {path_dir}},
    {SYS_chroot, 1, .flags = kInChild, .args = {path_dir}},
    {SYS_rename, 6, .args = {path, path_new}},
    {SYS_renameat, .args = {fd_at, path, fd_at, path_new}},
    {SYS_renameat2, 6, .args = {fd_at, path, fd_at, path, rename_flags}},
    {SYS_mkdir, 6, .args = {path_new, mode}},
    {SYS_mkdirat, .args = {fd_at, path_new, mode}},
    {SYS_rmdir, .args = {path_dir}},
    {SYS_link, .args = {path, path_new}},
    {SYS_linkat, .args = {fd_at, path, fd_at, path_new, link_flags}},
    {SYS_unlink, .args = {path_new}},
    {SYS_unlinkat, .args = {fd_at, path_new, remove_flags}},
    {SYS_symlink, .args = {path, path_new}},
    {SYS_symlinkat, .args = {path, fd_at, path_new}},
    {SYS_readlink, .args = {path, buffer, extent}},
    {SYS_readlinkat, .args = {fd_at, path, buffer, extent}},
    {SYS_mknod, .args = {path_new, node_type, device}},
    {SYS_mknodat, .args = {fd_at, path_new, node_type, device}},
    {SYS_chmod, .args = {path, mode}},
    {SYS_fchmodat, .args = {fd_at, path, mode}},
    {SYS_chown, .args = {path, owner, owner}},
    {SYS_lchown, .args = {path, owner, owner}},
    {SYS_fchownat, .args = {fd_at, path, owner, owner, at_flags}},
    {SYS_utimensat, .args = {fd_at, path, times, at_flags}},
    {SYS_utime, .args = {path, times}},
    {SYS_utimes, .args = {path, times}},
    {SYS_futimesat, .args = {fd_at, path, times}},
    {SYS_setxattr, .args = {path, xattr_name, xattr_value, extent, xattr_flags}},
    {SYS_lsetxattr, .args = {path, xattr_name, xattr_value, extent, xattr_flags}},
    {SYS_getxattr, .args = {path, xattr_name, buffer, extent}},
    {SYS_lgetxattr, .args = {path, xattr_name, buffer, extent}},
    {SYS_listxattr, .args = {path, buffer, extent}},
    {SYS_llistxattr, .args = {path, buffer, extent}},
    {SYS_removexattr, .args = {path, xattr_name}},
    {SYS_lremovexattr, .args = {path, xattr_name}},
    {SYS_inotify_add_watch, 6, .args = {fd_inotify, path, watch_mask}, .after = keep_watch},
    {SYS_name_to_handle_at, 2, .args = {fd_at, path, file_handle, out_8, link_flags}},
    {SYS_open_by_handle_at, 2, .args = {fd_at, file_handle, open_flags}, .gives = kFile},
};

struct Rows path_rows(void) {
  return ROWS(kRows);
}
