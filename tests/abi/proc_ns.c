// /proc/PID/ns and what its links open: namespaces(7), ioctl_ns(2), setns(2).
#include <dirent.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

#include "abi.h"

static const struct {
  const char *name, *kind;
  int flag;
} kKinds[] = {
    {"cgroup", "cgroup", CLONE_NEWCGROUP},
    {"ipc", "ipc", CLONE_NEWIPC},
    {"mnt", "mnt", CLONE_NEWNS},
    {"net", "net", CLONE_NEWNET},
    {"pid", "pid", CLONE_NEWPID},
    {"pid_for_children", "pid", CLONE_NEWPID},
    {"time", "time", 0x80},
    {"time_for_children", "time", 0x80},
    {"user", "user", CLONE_NEWUSER},
    {"uts", "uts", CLONE_NEWUTS},
};
#define KINDS (int)(sizeof(kKinds) / sizeof(kKinds[0]))

static void one(int i) {
  char path[64], text[64], other[64], want[64];
  struct stat link, target, open_one;
  snprintf(path, sizeof(path), "/proc/self/ns/%s", kKinds[i].name);
  OK(lstat(path, &link));
  CHECK_EQ(link.st_mode, S_IFLNK | 0777);
  long n = OK(readlink(path, text, sizeof(text) - 1));
  text[n] = 0;
  OK(stat(path, &target));
  CHECK_EQ(target.st_mode, S_IFREG | 0444);
  CHECK_EQ(target.st_size, 0);
  snprintf(want, sizeof(want), "%s:[%lu]", kKinds[i].kind, (unsigned long)target.st_ino);
  CHECK_STR(text, want);

  int fd = OK(open(path, O_RDONLY | O_CLOEXEC));
  OK(fstat(fd, &open_one));
  CHECK_EQ(open_one.st_ino, target.st_ino);
  CHECK_EQ(open_one.st_dev, target.st_dev);
  struct statfs fs;
  OK(fstatfs(fd, &fs));
  CHECK_EQ(fs.f_type, 0x6e736673);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  n = OK(readlink(path, other, sizeof(other) - 1));
  other[n] = 0;
  CHECK_STR(other, want);
  FAILS(read(fd, text, 1), EINVAL);
  CHECK_EQ(OK(ioctl(fd, NS_GET_NSTYPE)), kKinds[i].flag);
  uid_t owner = 77;
  if (kKinds[i].flag == CLONE_NEWUSER) {
    OK(ioctl(fd, NS_GET_OWNER_UID, &owner));
    CHECK_EQ(owner, 0);
  } else {
    FAILS(ioctl(fd, NS_GET_OWNER_UID, &owner), EINVAL);
  }
  FAILS(ioctl(fd, 0xb7ff), ENOTTY);
  OK(close(fd));
}

static void parents(void) {
  int user = OK(open("/proc/self/ns/user", O_RDONLY)), uts = OK(open("/proc/self/ns/uts", O_RDONLY));
  FAILS(ioctl(user, NS_GET_USERNS), EPERM);
  FAILS(ioctl(user, NS_GET_PARENT), EPERM);
  FAILS(ioctl(uts, NS_GET_PARENT), EINVAL);
  int above = OK(ioctl(uts, NS_GET_USERNS));
  struct stat a, b;
  OK(fstat(user, &a));
  OK(fstat(above, &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  CHECK_EQ(OK(fcntl(above, F_GETFD)), FD_CLOEXEC);
  OK(close(above));

  FAILS(setns(uts, CLONE_NEWIPC), EINVAL);
  FAILS(setns(user, CLONE_NEWUSER), EINVAL);
  IN_CHILD({
    OK(setresuid(1, 1, 1));
    FAILS(setns(uts, CLONE_NEWUTS), EPERM);
    FAILS(setns(uts, 0), EPERM);
    FAILS(setns(user, 0), EINVAL);
  });
  OK(close(user));
  OK(close(uts));
}

static void listing(void) {
  struct stat dir;
  OK(stat("/proc/self/ns", &dir));
  CHECK_EQ(dir.st_mode, S_IFDIR | 0511);
  DIR* d = opendir("/proc/self/ns");
  CHECK(d);
  int seen = 0;
  for (struct dirent* e; (e = readdir(d));)
    for (int i = 0; i < KINDS; i++)
      if (!strcmp(e->d_name, kKinds[i].name)) {
        seen++;
        CHECK_EQ(e->d_type, DT_LNK);
      }
  CHECK_EQ(seen, KINDS);
  OK(closedir(d));
  FAILS(open("/proc/self/ns/none", O_RDONLY), ENOENT);
  // A child and a thread's directory name the same ones.
  struct stat own, child;
  OK(stat("/proc/self/ns/net", &own));
  OK(stat("/proc/thread-self/ns/net", &child));
  CHECK_EQ(own.st_ino, child.st_ino);
  IN_CHILD({
    OK(stat("/proc/self/ns/net", &child));
    CHECK_EQ(own.st_ino, child.st_ino);
  });
}

int main(void) {
  for (int i = 0; i < KINDS; i++) one(i);
  parents();
  listing();
  return 0;
}
