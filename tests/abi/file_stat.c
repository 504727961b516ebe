// stat(2), fstatat(2), statx(2), access(2), utimensat(2), times that change.
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/vfs.h>

#include "abi.h"

static struct stat status(const char* path) {
  struct stat st;
  OK(lstat(path, &st));
  return st;
}

static bool before(struct timespec a, struct timespec b) {
  return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

// Time passes enough for any file's clock.
static void tick(void) {
  struct timespec start, now;
  OK(clock_gettime(CLOCK_REALTIME_COARSE, &start));
  do {
    OK(clock_gettime(CLOCK_REALTIME_COARSE, &now));
  } while (now.tv_sec == start.tv_sec && now.tv_nsec == start.tv_nsec);
}

static void times(void) {
  abi_put("t", "x");
  struct stat first = status("t");
  tick();
  abi_put("t", "xy");
  struct stat second = status("t");
  CHECK(before(first.st_mtim, second.st_mtim));
  CHECK(before(first.st_ctim, second.st_ctim));
  tick();
  OK(chmod("t", 0600));
  struct stat third = status("t");
  CHECK_EQ(third.st_mtim.tv_nsec, second.st_mtim.tv_nsec);
  CHECK(before(second.st_ctim, third.st_ctim));
  OK(mkdir("dir", 0755));
  first = status("dir");
  tick();
  abi_put("dir/new", "");
  CHECK(before(first.st_mtim, status("dir").st_mtim));

  struct timespec set[2] = {{1000, 5}, {2000, 123456789}};
  OK(utimensat(AT_FDCWD, "t", set, 0));
  CHECK_EQ(status("t").st_atim.tv_sec, 1000);
  CHECK_EQ(status("t").st_mtim.tv_sec, 2000);
  CHECK_EQ(status("t").st_mtim.tv_nsec, 123456789);
  set[0].tv_nsec = UTIME_OMIT;
  set[1].tv_nsec = UTIME_NOW;
  OK(utimensat(AT_FDCWD, "t", set, 0));
  CHECK_EQ(status("t").st_atim.tv_sec, 1000);
  CHECK(!before(status("t").st_mtim, third.st_ctim));
  OK(symlink("t", "tl"));
  OK(utimensat(AT_FDCWD, "tl", (struct timespec[2]){{1, 0}, {2, 0}}, AT_SYMLINK_NOFOLLOW));
  CHECK_EQ(status("tl").st_mtim.tv_sec, 2);
  CHECK(status("t").st_mtim.tv_sec != 2);
  FAILS(utimensat(AT_FDCWD, "t", (struct timespec[2]){{0, 1000000000}, {0, 0}}, 0), EINVAL);
  FAILS(utimensat(AT_FDCWD, "missing", NULL, 0), ENOENT);
  OK(futimens(OK(open("t", O_RDONLY)), NULL));
  OK(utimes("t", (struct timeval[2]){{5, 6}, {7, 8}}));
  CHECK_EQ(status("t").st_mtim.tv_nsec, 8000);
}

int main(void) {
  abi_scratch();
  abi_put("f", "12345");
  struct stat st, again;
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0644);
  CHECK_EQ(st.st_nlink, 1);
  CHECK_EQ(st.st_size, 5);
  CHECK_EQ(st.st_uid, geteuid());
  CHECK_EQ(st.st_gid, getegid());
  CHECK(st.st_ino != 0);
  CHECK(st.st_blksize >= 512);
  int fd = OK(open("f", O_RDONLY));
  OK(fstat(fd, &again));
  CHECK_EQ(st.st_ino, again.st_ino);
  CHECK_EQ(st.st_dev, again.st_dev);
  CHECK_EQ(status("/dev/null").st_rdev, makedev(1, 3));
  CHECK(S_ISCHR(status("/dev/null").st_mode));

  OK(symlink("f", "l"));
  OK(fstatat(AT_FDCWD, "l", &again, 0));
  CHECK_EQ(again.st_ino, st.st_ino);
  OK(fstatat(AT_FDCWD, "l", &again, AT_SYMLINK_NOFOLLOW));
  CHECK(S_ISLNK(again.st_mode));
  OK(fstatat(fd, "", &again, AT_EMPTY_PATH));
  CHECK_EQ(again.st_ino, st.st_ino);
  OK(fstatat(AT_FDCWD, "", &again, AT_EMPTY_PATH));
  CHECK(S_ISDIR(again.st_mode));
  FAILS(fstatat(fd, "", &again, 0), ENOENT);
  FAILS(fstatat(fd, "x", &again, 0), ENOTDIR);
  FAILS(fstatat(AT_FDCWD, "f", &again, 0x8000000), EINVAL);
  FAILS(stat("missing", &st), ENOENT);
  FAILS(syscall(SYS_stat, "f", (void*)8), EFAULT);
  FAILS(syscall(SYS_stat, (void*)8, &st), EFAULT);
  FAILS(fstat(999, &st), EBADF);

  struct statx sx;
  OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx));
  CHECK_EQ(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  CHECK_EQ(sx.stx_size, 5);
  CHECK_EQ(sx.stx_mode, S_IFREG | 0644);
  CHECK_EQ(sx.stx_ino, st.st_ino);
  CHECK_EQ(makedev(sx.stx_dev_major, sx.stx_dev_minor), st.st_dev);
  CHECK_EQ(sx.stx_mtime.tv_sec, st.st_mtim.tv_sec);
  OK(statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_ALL, &sx));
  FAILS(statx(AT_FDCWD, "f", 0, 0x80000000U, &sx), EINVAL);
  FAILS(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_ALL, &sx), EINVAL);
  FAILS(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_ALL, (void*)8), EFAULT);

  int fds[2];
  OK(pipe(fds));
  OK(fstat(fds[0], &st));
  CHECK(S_ISFIFO(st.st_mode));
  OK(access("f", F_OK));
  OK(access("f", R_OK | W_OK));
  FAILS(access("f", X_OK), EACCES);  // root too needs one x
  FAILS(access("missing", F_OK), ENOENT);
  FAILS(access("f", 8), EINVAL);
  OK(faccessat(AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW));
  OK(syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH));
  FAILS(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0x8000), EINVAL);
  // By the real, or the effective, user.
  OK(chmod("f", 0600));
  IN_CHILD({
    OK(setresuid(1000, 0, 0));
    FAILS(access("f", R_OK), EACCES);
    OK(eaccess("f", R_OK));
    OK(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
  });
  times();
  struct statfs fs, fs2;
  OK(statfs(".", &fs));
  OK(fstatfs(fd, &fs2));
  CHECK_EQ(fs.f_type, fs2.f_type);
  CHECK(fs.f_bsize > 0 && fs.f_namelen >= 255);
  OK(statfs("/proc", &fs));
  CHECK_EQ(fs.f_type, 0x9fa0);
  return 0;
}
