// statx(2): masks, attributes, what is asked in vain, and that it agrees with stat(2).
#include <linux/stat.h>
#include <sys/sysmacros.h>

#include "abi.h"

static struct statx x(int dir, const char* path, int flags, unsigned mask) {
  struct statx st;
  memset(&st, 0x5a, sizeof(st));
  OK(statx(dir, path, flags, mask, &st));
  return st;
}

static void agrees(const char* path) {
  struct stat st;
  OK(lstat(path, &st));
  struct statx s = x(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS);
  CHECK_EQ(s.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  CHECK_EQ(s.stx_mode, st.st_mode);
  CHECK_EQ(s.stx_ino, st.st_ino);
  CHECK_EQ(s.stx_nlink, st.st_nlink);
  CHECK_EQ(s.stx_uid, st.st_uid);
  CHECK_EQ(s.stx_gid, st.st_gid);
  CHECK_EQ(s.stx_size, st.st_size);
  CHECK_EQ(s.stx_blocks, st.st_blocks);
  CHECK_EQ(s.stx_blksize, st.st_blksize);
  CHECK_EQ(s.stx_mtime.tv_sec, st.st_mtim.tv_sec);
  CHECK_EQ(s.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
  CHECK_EQ(s.stx_ctime.tv_nsec, st.st_ctim.tv_nsec);
  CHECK_EQ(s.stx_atime.tv_nsec, st.st_atim.tv_nsec);
  CHECK_EQ(makedev(s.stx_dev_major, s.stx_dev_minor), st.st_dev);
  CHECK_EQ(makedev(s.stx_rdev_major, s.stx_rdev_minor), st.st_rdev);
  CHECK_EQ(s.stx_mtime.__reserved, 0);
}

int main(void) {
  abi_scratch();
  abi_put("f", "some text");
  OK(symlink("f", "l"));
  OK(mkdir("d", 0751));
  OK(mkfifo("p", 0640));
  for (int i = 0; i < 4; i++) agrees((const char*[]){"f", "l", "d", "p"}[i]);
  agrees("/dev/null");
  agrees("/proc/self");
  agrees("/");

  // Less may be asked for; at least that comes. Nothing asked: still a success.
  struct statx s = x(AT_FDCWD, "f", 0, STATX_SIZE);
  CHECK(s.stx_mask & STATX_SIZE);
  CHECK_EQ(s.stx_size, 9);
  s = x(AT_FDCWD, "f", 0, 0);
  CHECK_EQ(s.stx_mask & ~(unsigned)(STATX_ALL | STATX_MNT_ID | STATX_DIOALIGN | 0xff000), 0);
  s = x(AT_FDCWD, "f", 0, 0x40000000);  // unknown and not reserved: ignored
  CHECK_EQ(s.stx_mask & 0x40000000, 0);
  struct statx st;
  FAILS(statx(AT_FDCWD, "f", 0, STATX__RESERVED, &st), EINVAL);

  // The number of the mount is what mountinfo and fdinfo say.
  s = x(AT_FDCWD, "f", 0, STATX_MNT_ID);
  CHECK(s.stx_mask & STATX_MNT_ID);
  int fd = OK(open("f", O_RDONLY));
  char path[64], text[512];
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
  abi_get(path, text, sizeof(text));
  char* line = strstr(text, "mnt_id:");
  CHECK(line != NULL);
  CHECK_EQ(s.stx_mnt_id, strtoull(line + 7, NULL, 10));
  s = x(AT_FDCWD, "/proc/self", 0, STATX_MNT_ID);
  CHECK(s.stx_mnt_id != strtoull(line + 7, NULL, 10));

  // Roots of mounts say that they are.
  s = x(AT_FDCWD, "/proc", 0, STATX_BASIC_STATS);
  CHECK(s.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT);
  CHECK(s.stx_attributes & STATX_ATTR_MOUNT_ROOT);
  s = x(AT_FDCWD, "d", 0, STATX_BASIC_STATS);
  CHECK(s.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT);
  CHECK_EQ(s.stx_attributes & STATX_ATTR_MOUNT_ROOT, 0);
  CHECK_EQ(s.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_VERITY), 0);

  // By descriptor: with and without the flag, and of one that is only a place.
  s = x(fd, "", AT_EMPTY_PATH, STATX_SIZE);
  CHECK_EQ(s.stx_size, 9);
  FAILS(statx(fd, "", 0, STATX_SIZE, &st), ENOENT);
  FAILS(statx(fd, "f", 0, STATX_SIZE, &st), ENOTDIR);
  int place = OK(open("l", O_PATH | O_NOFOLLOW));
  s = x(place, "", AT_EMPTY_PATH, STATX_BASIC_STATS);
  CHECK(S_ISLNK(s.stx_mode));
  CHECK_EQ(s.stx_size, 1);
  int dir = OK(open("d", O_RDONLY | O_DIRECTORY));
  s = x(dir, "../f", 0, STATX_SIZE);
  CHECK_EQ(s.stx_size, 9);
  s = x(AT_FDCWD, "", AT_EMPTY_PATH, STATX_TYPE);
  CHECK(S_ISDIR(s.stx_mode));
  int pipes[2];
  OK(pipe(pipes));
  s = x(pipes[0], "", AT_EMPTY_PATH, STATX_TYPE);
  CHECK(S_ISFIFO(s.stx_mode));

  // Flags: how fresh is for others to know; both ways at once are none.
  x(AT_FDCWD, "f", AT_STATX_FORCE_SYNC, STATX_ALL);
  x(AT_FDCWD, "f", AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_ALL);
  FAILS(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_ALL, &st), EINVAL);
  FAILS(statx(AT_FDCWD, "f", AT_SYMLINK_FOLLOW, STATX_ALL, &st), EINVAL);
  FAILS(statx(AT_FDCWD, "f", 1, STATX_ALL, &st), EINVAL);
  FAILS(statx(AT_FDCWD, "f", 0, STATX_ALL, (void*)8), EFAULT);
  FAILS(statx(AT_FDCWD, (void*)8, 0, STATX_ALL, &st), EFAULT);
  FAILS(statx(-1, "f", 0, STATX_ALL, &st), EBADF);
  FAILS(statx(AT_FDCWD, "none", 0, STATX_ALL, &st), ENOENT);
  CHECK_EQ(statx(-1, "/", 0, STATX_ALL, &st), 0);

  // A time of birth that is told does not change.
  struct statx before = x(AT_FDCWD, "f", 0, STATX_BTIME);
  if (before.stx_mask & STATX_BTIME) {
    OK(utimensat(AT_FDCWD, "f", (struct timespec[]){{1, 2}, {3, 4}}, 0));
    s = x(AT_FDCWD, "f", 0, STATX_BTIME | STATX_MTIME);
    CHECK_EQ(s.stx_btime.tv_sec, before.stx_btime.tv_sec);
    CHECK_EQ(s.stx_btime.tv_nsec, before.stx_btime.tv_nsec);
    CHECK_EQ(s.stx_mtime.tv_sec, 3);
    CHECK(s.stx_btime.tv_sec > 1000000000);
  }
  return 0;
}
