// The RESOLVE_ flags of openat2(2), each in what it refuses, and the rules of its structure.
#include <linux/openat2.h>

#include "abi.h"

static long open2(int dir, const char* path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = flags, .resolve = resolve};
  return syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static void goes(int dir, const char* path, uint64_t flags, uint64_t resolve) {
  OK(close(OK(open2(dir, path, flags, resolve))));
}

static void beneath(int dir) {
  goes(dir, "sub/file", O_RDONLY, RESOLVE_BENEATH);
  goes(dir, "sub/../sub/file", O_RDONLY, RESOLVE_BENEATH);
  goes(dir, ".", O_RDONLY, RESOLVE_BENEATH);
  goes(dir, "near", O_RDONLY, RESOLVE_BENEATH);  // -> sub/file
  FAILS(open2(dir, "..", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  FAILS(open2(dir, "sub/../../top/sub/file", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  FAILS(open2(dir, "out", O_RDONLY, RESOLVE_BENEATH), EXDEV);       // -> ../outside
  FAILS(open2(dir, "absolute", O_RDONLY, RESOLVE_BENEATH), EXDEV);  // -> /etc/passwd
  FAILS(open2(dir, "/etc", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  FAILS(open2(dir, "none", O_RDONLY, RESOLVE_BENEATH), ENOENT);
  goes(dir, "made", O_RDWR | O_CREAT, RESOLVE_BENEATH);
  FAILS(open2(dir, "../made", O_RDWR | O_CREAT, RESOLVE_BENEATH), EXDEV);
  FAILS(open2(dir, "sub", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
}

static void in_root(int dir) {
  struct stat top, st;
  OK(fstat(dir, &top));
  int fd = OK(open2(dir, "../../..", O_RDONLY, RESOLVE_IN_ROOT));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_ino, top.st_ino);
  fd = OK(open2(dir, "/", O_RDONLY, RESOLVE_IN_ROOT));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_ino, top.st_ino);
  goes(dir, "/sub/file", O_RDONLY, RESOLVE_IN_ROOT);
  FAILS(open2(dir, "absolute", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);  // no etc in there
  FAILS(open2(dir, "out", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
  FAILS(open2(AT_FDCWD, "/proc/self/exe", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
}

static void links(int dir) {
  FAILS(open2(dir, "near", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
  FAILS(open2(dir, "way/file", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
  goes(dir, "way/file", O_RDONLY, 0);
  // Itself one may have, not followed.
  goes(dir, "near", O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
  FAILS(open2(dir, "near", O_RDONLY | O_NOFOLLOW, RESOLVE_NO_SYMLINKS), ELOOP);
  char name[64];
  snprintf(name, sizeof(name), "/proc/self/fd/%d/sub/file", dir);
  goes(AT_FDCWD, name, O_RDONLY, 0);
  FAILS(open2(AT_FDCWD, name, O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
  FAILS(open2(AT_FDCWD, "/proc/self/exe", O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
  FAILS(open2(AT_FDCWD, "/proc/self/cwd", O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
  goes(AT_FDCWD, "/proc/self/exe", O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS);
  goes(AT_FDCWD, "/proc/self/status", O_RDONLY, RESOLVE_NO_MAGICLINKS);  // `self` is an ordinary one
  FAILS(open2(AT_FDCWD, "/proc/self/status", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
  goes(dir, "near", O_RDONLY, RESOLVE_NO_MAGICLINKS);
  // A jump has no way that could stay beneath.
  int proc = OK(open("/proc/self", O_RDONLY));
  FAILS(open2(proc, "exe", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  FAILS(open2(proc, "exe", O_RDONLY, RESOLVE_IN_ROOT), EXDEV);
  FAILS(open2(proc, "root", O_RDONLY, RESOLVE_BENEATH), EXDEV);
}

static void mounts(int dir) {
  int root = OK(open("/", O_RDONLY));
  FAILS(open2(root, "proc/self", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
  FAILS(open2(root, "proc", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
  goes(root, "etc/passwd", O_RDONLY, RESOLVE_NO_XDEV);
  int proc = OK(open("/proc", O_RDONLY));
  goes(proc, "self/status", O_RDONLY, RESOLVE_NO_XDEV);
  goes(proc, "..", O_RDONLY, 0);
  FAILS(open2(proc, "..", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
  FAILS(open2(proc, "self/exe", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
  goes(dir, "sub/../sub/file", O_RDONLY, RESOLVE_NO_XDEV);
  FAILS(open2(proc, "/proc/self", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
}

static void cached(int dir) {
  goes(dir, "sub/file", O_RDONLY, 0);
  goes(dir, "sub/file", O_RDONLY, RESOLVE_CACHED);
  FAILS(open2(dir, "made", O_RDWR | O_CREAT, RESOLVE_CACHED), EAGAIN);
  FAILS(open2(dir, "made", O_RDWR | O_TRUNC, RESOLVE_CACHED), EAGAIN);
  FAILS(open2(dir, ".", O_RDWR | O_TMPFILE, RESOLVE_CACHED), EAGAIN);
}

static void structure(int dir) {
  struct {
    struct open_how how;
    uint64_t more;
  } longer = {.how = {.flags = O_RDONLY}};
  OK(syscall(SYS_openat2, dir, "sub", &longer, sizeof(longer)));
  longer.more = 1;
  FAILS(syscall(SYS_openat2, dir, "sub", &longer, sizeof(longer)), E2BIG);
  FAILS(syscall(SYS_openat2, dir, "sub", &longer, 23), EINVAL);
  FAILS(syscall(SYS_openat2, dir, "sub", &longer, 0), EINVAL);
  FAILS(syscall(SYS_openat2, dir, "sub", &longer, 5000), E2BIG);
  FAILS(syscall(SYS_openat2, dir, "sub", (void*)8, 24), EFAULT);
  // What open(2) ignores is refused.
  FAILS(open2(dir, "sub", 1ULL << 40, 0), EINVAL);
  FAILS(open2(dir, "sub", O_PATH | O_APPEND, 0), EINVAL);
  FAILS(open2(dir, "sub", O_RDONLY | 4, 0), EINVAL);
  FAILS(open2(dir, "sub", O_RDONLY, 0x40), EINVAL);
  struct open_how how = {.flags = O_CREAT | O_RDWR, .mode = 010600};
  FAILS(syscall(SYS_openat2, dir, "x", &how, sizeof(how)), EINVAL);
  how = (struct open_how){.flags = O_RDONLY, .mode = 0600};
  FAILS(syscall(SYS_openat2, dir, "sub", &how, sizeof(how)), EINVAL);
  how = (struct open_how){.flags = O_CREAT | O_RDWR, .mode = 04755};
  int fd = OK(syscall(SYS_openat2, dir, "suid", &how, sizeof(how)));
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mode & 07777, 04755);
}

int main(void) {
  abi_scratch();
  umask(022);
  OK(mkdir("top", 0755));
  OK(mkdir("top/sub", 0755));
  abi_put("top/sub/file", "x");
  abi_put("outside", "x");
  OK(symlink("sub/file", "top/near"));
  OK(symlink("sub", "top/way"));
  OK(symlink("../outside", "top/out"));
  OK(symlink("/etc/passwd", "top/absolute"));
  int dir = OK(open("top", O_RDONLY | O_DIRECTORY));
  beneath(dir);
  in_root(dir);
  links(dir);
  mounts(dir);
  cached(dir);
  structure(dir);
  return 0;
}
