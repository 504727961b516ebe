// Calls on open files.
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "calls.h"
#include "ioctls.h"
#include "memory.h"
#include "paths.h"

ONE_OF(whence, SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE)
SOME_OF(rw_flags, RWF_HIPRI, RWF_DSYNC, RWF_SYNC, RWF_NOWAIT, RWF_APPEND)
ONE_OF(flock_operation, LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB, LOCK_UN, LOCK_SH, LOCK_EX)
SOME_OF(splice_flags, 1, 2, 4, 8)
ONE_OF(fallocate_mode, 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
       FALLOC_FL_ZERO_RANGE, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE)
ONE_OF(advice, 0, 1, 2, 3, 4, 5)
SOME_OF(sync_range_flags, 1, 2, 4)
SOME_OF(memfd_flags, 1, 2, 8)
SOME_OF(close_range_flags, 2, 4)
SOME_OF(dup_flags, O_CLOEXEC)
SOME_OF(pipe_flags, O_CLOEXEC, O_DIRECT, O_NONBLOCK)

static long new_fd(struct Call* c) { return chance(c, 80) ? 100 + (long)below(c, 60) : fd_any(c); }
static long high_fd(struct Call* c) { return 150 + (long)below(c, 120); }

static long fd_read(struct Call* c) { return below(c, 3) ? fd_data(c) : fd_any(c); }

static long memfd_name(struct Call* c) { return place(c, text(c, chance(c, 90) ? "memory" : "a/b/c")); }

static void keep_pipe(struct Call* c) { keep_pair(c, kPipe, c->a[0]); }

// A pipe that a task may wait for is no harm: it is woken.
static long some_pipe_flags(struct Call* c) { return pipe_flags(c) | (chance(c, 90) ? O_NONBLOCK : 0); }

static long flock_of(struct Call* c) {
  struct flock lock = {
      .l_type = (short)below(c, 3), .l_whence = (short)below(c, 3), .l_start = (long)below(c, 30000)};
  if (chance(c, 50)) lock.l_len = (long)below(c, 10000);
  if (chance(c, 5)) lock.l_start = odd_number(c);
  char* at = room(c, sizeof(lock));
  memcpy(at, &lock, sizeof(lock));
  return place(c, at);
}

static long owner_of(struct Call* c) {
  int both[2] = {(int)below(c, 4), (int)pid_any(c)};
  char* at = room(c, 8);
  memcpy(at, both, 8);
  return place(c, at);
}

static long pipe_size(struct Call* c) { return chance(c, 90) ? 4096L << below(c, 6) : odd_number(c); }
ONE_OF(seals, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL, F_SEAL_FUTURE_WRITE)
SOME_OF(status_flags, O_APPEND, O_ASYNC, O_DIRECT, O_NOATIME)
static long set_status(struct Call* c) { return status_flags(c) | O_NONBLOCK; }
static long a_signal(struct Call* c) { return (long)below(c, 65); }
static long notify_mask(struct Call* c) { return (long)below(c, 64) | (chance(c, 50) ? 0x80000000L : 0); }

static const struct Fcntl {
  long command;
  Drawer *fd, *argument;
} kFcntl[] = {
    {F_DUPFD, fd_any, high_fd},
    {F_DUPFD_CLOEXEC, fd_any, high_fd},
    {F_GETFD, fd_any, zero},
    {F_SETFD, fd_any, small},
    {F_GETFL, fd_any, zero},
    {F_SETFL, fd_any, set_status},
    {F_GETLK, fd_file, flock_of},
    {F_SETLK, fd_file, flock_of},
    {F_SETLKW, fd_file, flock_of},
    {F_OFD_GETLK, fd_file, flock_of},
    {F_OFD_SETLK, fd_file, flock_of},
    {F_OFD_SETLKW, fd_file, flock_of},
    {F_GETOWN, fd_any, zero},
    {F_SETOWN, fd_any, pid_any},
    {F_GETOWN_EX, fd_any, out_8},
    {F_SETOWN_EX, fd_any, owner_of},
    {F_GETSIG, fd_any, zero},
    {F_SETSIG, fd_any, a_signal},
    {F_GETLEASE, fd_file, zero},
    {F_SETLEASE, fd_file, small},
    {F_NOTIFY, fd_dir, notify_mask},
    {F_GETPIPE_SZ, fd_pipe, zero},
    {F_SETPIPE_SZ, fd_pipe, pipe_size},
    {F_GET_SEALS, fd_memfd, zero},
    {F_ADD_SEALS, fd_memfd, seals},
    {1035, fd_file, out_8},
    {1036, fd_file, buffer_of_8},
    {1037, fd_file, out_8},
    {1038, fd_file, buffer_of_8},
    {17, fd_any, out_64},
};

static void draw_fcntl(struct Call* c) {
  const struct Fcntl* one = &kFcntl[below(c, COUNT(kFcntl))];
  c->a[0] = one->fd(c);
  c->a[1] = chance(c, 97) ? one->command : odd_number(c);
  c->a[2] = one->argument(c);
}

// Nothing that a watcher is woken with is sent to others.
static void keep_duplicate(struct Call* c) {
  if ((c->a[1] == F_DUPFD || c->a[1] == F_DUPFD_CLOEXEC) && c->result > 2) keep(c, kFile, c->result);
}

static long set_at_most(struct Call* c) { return chance(c, 70) ? 0 : (long)below(c, 20000); }

static const struct Row kRows[] = {
    {SYS_read, 12, .args = {fd_any, buffer, extent}},
    {SYS_read, 6, .args = {fd_special, buffer, extent}},
    {SYS_write, 12, .args = {fd_any, buffer, extent}},
    {SYS_write, 6, .args = {fd_data, buffer, extent}},
    {SYS_close, 2, .args = {fd_any}},
    {SYS_close_range, 1, .args = {high_fd, high_fd, close_range_flags}},
    {SYS_fstat, .args = {fd_any, out_256}},
    {SYS_fstatfs, .args = {fd_any, out_256}},
    {SYS_lseek, .args = {fd_read, file_offset, whence}},
    {SYS_ioctl, 30, .prepare = draw_ioctl, .after = keep_ioctl},
    {SYS_pread64, 6, .args = {fd_read, buffer, extent, file_offset}},
    {SYS_pwrite64, 6, .args = {fd_data, buffer, extent, file_offset}},
    {SYS_readv, 6, .args = {fd_any, iovec, extent}},
    {SYS_writev, 6, .args = {fd_any, iovec, extent}},
    {SYS_preadv, .args = {fd_read, iovec, extent, file_offset, zero}},
    {SYS_pwritev, .args = {fd_data, iovec, extent, file_offset, zero}},
    {SYS_preadv2, .args = {fd_read, iovec, extent, file_offset, zero, rw_flags}},
    {SYS_pwritev2, .args = {fd_data, iovec, extent, file_offset, zero, rw_flags}},
    {SYS_dup, .args = {fd_any}, .gives = kFile},
    {SYS_dup2, .args = {fd_any, new_fd}, .gives = kFile},
    {SYS_dup3, .args = {fd_any, new_fd, dup_flags}, .gives = kFile},
    {SYS_pipe, .args = {out_8}, .after = keep_pipe},
    {SYS_pipe2, .args = {out_8, some_pipe_flags}, .after = keep_pipe},
    {SYS_sendfile, 6, .args = {fd_any, fd_data, offset_pointer, length}},
    {SYS_copy_file_range, 6, .args = {fd_data, offset_pointer, fd_data, offset_pointer, length, zero}},
    {SYS_splice, 6, .args = {fd_pipe, zero, fd_any, offset_pointer, length, splice_flags}},
    {SYS_splice, 6, .args = {fd_any, offset_pointer, fd_pipe, zero, length, splice_flags}},
    {SYS_tee, .args = {fd_pipe, fd_pipe, length, splice_flags}},
    {SYS_vmsplice, 6, .args = {fd_pipe, iovec, extent, splice_flags}},
    {SYS_fcntl, 14, .prepare = draw_fcntl, .after = keep_duplicate},
    {SYS_flock, .args = {fd_any, flock_operation}},
    {SYS_fsync, .args = {fd_any}},
    {SYS_fdatasync, .args = {fd_any}},
    {SYS_syncfs, 1, .args = {fd_any}},
    {SYS_sync, 1, .flags = kNotLinux},
    {SYS_sync_file_range, .args = {fd_data, file_offset, set_at_most, sync_range_flags}},
    {SYS_ftruncate, .args = {fd_data, length}},
    {SYS_fallocate, 6, .args = {fd_data, fallocate_mode, file_offset, length}},
    {SYS_getdents, .args = {fd_dir, buffer, extent}},
    {SYS_getdents64, .args = {fd_dir, buffer, extent}},
    {SYS_fchdir, 1, .flags = kInChild, .args = {fd_dir}},
    {SYS_fchmod, .args = {fd_any, mode}},
    {SYS_fchown, .args = {fd_any, owner, owner}},
    {SYS_fsetxattr, .args = {fd_any, xattr_name, xattr_value, extent, xattr_flags}},
    {SYS_fgetxattr, .args = {fd_any, xattr_name, buffer, extent}},
    {SYS_flistxattr, .args = {fd_any, buffer, extent}},
    {SYS_fremovexattr, .args = {fd_any, xattr_name}},
    {SYS_readahead, .args = {fd_data, file_offset, length}},
    {SYS_fadvise64, .args = {fd_data, file_offset, length, advice}},
    {SYS_memfd_create, .args = {memfd_name, memfd_flags}, .gives = kMemfd},
    {SYS_getcwd, .args = {buffer, extent}},
    {SYS_umask, 1, .flags = kInChild, .args = {mode}},
};

struct Rows file_rows(void) {
  return ROWS(kRows);
}
