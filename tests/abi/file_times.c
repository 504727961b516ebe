// Which call changes which time of which file (inode(7)), O_NOATIME, and who may set times (utimensat(2)).
#include "abi.h"

struct times {
  struct timespec a, m, c;
};

static struct times of(const char* path) {
  struct stat st;
  OK(lstat(path, &st));
  return (struct times){st.st_atim, st.st_mtim, st.st_ctim};
}

static bool same(struct timespec a, struct timespec b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// Sets times of long ago, so that any change shows at once.
static struct times age(const char* path) {
  OK(utimensat(AT_FDCWD, path, (struct timespec[]){{1000, 11}, {2000, 22}}, AT_SYMLINK_NOFOLLOW));
  struct times t = of(path);
  CHECK_EQ(t.a.tv_sec, 1000);
  CHECK_EQ(t.a.tv_nsec, 11);
  CHECK_EQ(t.m.tv_sec, 2000);
  CHECK_EQ(t.m.tv_nsec, 22);
  CHECK(t.c.tv_sec > 1000000000);
  // The clock of files moves on in steps: the next change must be later than this one.
  struct timespec until = t.c, now;
  do OK(clock_gettime(CLOCK_REALTIME_COARSE, &now));
  while (now.tv_sec == until.tv_sec && now.tv_nsec <= until.tv_nsec);
  return t;
}

// M, C: whether the times of contents and of the inode change.
#define CHANGES(path, what, M, C)          \
  do {                                     \
    struct times before = age(path);       \
    what;                                  \
    struct times after = of(path);         \
    CHECK_EQ(!same(before.m, after.m), M); \
    CHECK_EQ(!same(before.c, after.c), C); \
  } while (0)

static void calls(void) {
  char c;
  abi_put("f", "content");
  OK(mkdir("d", 0755));
  int fd = OK(open("f", O_RDWR));
  CHANGES("f", CHECK_EQ(pwrite(fd, "x", 1, 0), 1), 1, 1);
  CHANGES("f", CHECK_EQ(pwrite(fd, "x", 0, 0), 0), 0, 0);
  CHANGES("f", OK(ftruncate(fd, 3)), 1, 1);
  CHANGES("f", OK(truncate("f", 2)), 1, 1);
  CHANGES("f", OK(fchmod(fd, 0600)), 0, 1);
  CHANGES("f", OK(fchown(fd, 0, 0)), 0, 1);
  CHANGES("f", OK(link("f", "g")), 0, 1);
  CHANGES("f", OK(unlink("g")), 0, 1);
  CHANGES("f", CHECK_EQ(pread(fd, &c, 1, 0), 1), 0, 0);
  CHANGES("f", OK(close(OK(open("f", O_RDWR | O_TRUNC)))), 1, 1);
  CHANGES("f", OK(close(OK(open("f", O_RDWR)))), 0, 0);
  // Directories change with their names, not with what the names stand for.
  CHANGES("d", abi_put("d/new", "x"), 1, 1);
  CHANGES("d", abi_put("d/new", "y"), 0, 0);
  CHANGES("d", OK(chmod("d/new", 0600)), 0, 0);
  CHANGES("d", OK(rename("d/new", "d/other")), 1, 1);
  CHANGES("d", OK(symlink("x", "d/link")), 1, 1);
  CHANGES("d", OK(mkdir("d/sub", 0755)), 1, 1);
  CHANGES("d", OK(rmdir("d/sub")), 1, 1);
  CHANGES("d", OK(link("f", "d/hard")), 1, 1);
  CHANGES("d", OK(unlink("d/hard")), 1, 1);
  CHANGES("d", OK(rename("d/other", "moved")), 1, 1);
  CHANGES("d", FAILS(unlink("d/none"), ENOENT), 0, 0);
  CHANGES("f", OK(rename("f", "h")); OK(rename("h", "f")), 0, 1);
  OK(close(fd));
}

static void reading(void) {
  abi_put("r", "content");
  char c;
  // relatime: a read counts when the file was changed after the last one.
  age("r");
  int fd = OK(open("r", O_RDONLY));
  CHECK_EQ(read(fd, &c, 1), 1);
  CHECK(of("r").a.tv_sec > 1000000000);
  age("r");
  int quiet = OK(open("r", O_RDONLY | O_NOATIME));
  CHECK_EQ(read(quiet, &c, 1), 1);
  CHECK_EQ(of("r").a.tv_sec, 1000);
  // Only for who owns it.
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(open("r", O_RDONLY | O_NOATIME), EPERM);
    FAILS(fcntl(fd, F_SETFL, O_NOATIME), EPERM);
    OK(open("r", O_RDONLY));
  });
  OK(fcntl(fd, F_SETFL, O_NOATIME));
  age("r");
  CHECK_EQ(read(fd, &c, 1), 1);
  CHECK_EQ(of("r").a.tv_sec, 1000);
}

static void setting(void) {
  abi_put("s", "x");
  OK(chmod("s", 0666));
  struct timespec now = {0, UTIME_NOW}, omit = {0, UTIME_OMIT}, then = {5, 6};
  age("s");
  OK(utimensat(AT_FDCWD, "s", (struct timespec[]){omit, then}, 0));
  CHECK_EQ(of("s").a.tv_sec, 1000);
  CHECK_EQ(of("s").m.tv_sec, 5);
  OK(utimensat(AT_FDCWD, "s", (struct timespec[]){now, omit}, 0));
  CHECK(of("s").a.tv_sec > 1000000000);
  CHECK_EQ(of("s").m.tv_sec, 5);
  struct times before = of("s");
  CHECK_EQ(utimensat(AT_FDCWD, "none at all", (struct timespec[]){omit, omit}, 0), 0);  // not even looked for
  CHECK(same(before.c, of("s").c));
  // Before 1970, and with odd places behind the point.
  OK(utimensat(AT_FDCWD, "s", (struct timespec[]){{-5, 999999999}, {-1, 1}}, 0));
  CHECK_EQ(of("s").a.tv_sec, -5);
  CHECK_EQ(of("s").a.tv_nsec, 999999999);
  CHECK_EQ(of("s").m.tv_sec, -1);
  FAILS(utimensat(AT_FDCWD, "s", (struct timespec[]){{0, -1}, omit}, 0), EINVAL);
  FAILS(utimensat(AT_FDCWD, "s", NULL, 0x8000), EINVAL);
  FAILS(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0), EFAULT);
  OK(syscall(SYS_futimesat, AT_FDCWD, "s", (long[]){7, 8, 9, 10}));
  CHECK_EQ(of("s").a.tv_nsec, 8000);
  CHECK_EQ(of("s").m.tv_nsec, 10000);
  FAILS(syscall(SYS_futimesat, AT_FDCWD, "s", (long[]){7, 1000000, 9, 10}), EINVAL);
  OK(syscall(SYS_utime, "s", (long[]){100, 200}));
  CHECK_EQ(of("s").a.tv_sec, 100);
  CHECK_EQ(of("s").m.tv_sec, 200);
  // Who may write sets the present; any other time the owner alone.
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    OK(utimensat(AT_FDCWD, "s", NULL, 0));
    OK(utimensat(AT_FDCWD, "s", (struct timespec[]){now, now}, 0));
    FAILS(utimensat(AT_FDCWD, "s", (struct timespec[]){now, omit}, 0), EPERM);
    FAILS(utimensat(AT_FDCWD, "s", (struct timespec[]){then, then}, 0), EPERM);
    OK(utimensat(AT_FDCWD, "s", (struct timespec[]){omit, omit}, 0));
  });
  OK(chmod("s", 0644));
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(utimensat(AT_FDCWD, "s", NULL, 0), EACCES);
    FAILS(utimensat(AT_FDCWD, "s", (struct timespec[]){now, now}, 0), EACCES);
  });
  int place = OK(open("s", O_PATH));
  FAILS(futimens(place, NULL), EBADF);
}

int main(void) {
  abi_scratch();
  calls();
  reading();
  setting();
  return 0;
}
