// statfs(2) of the kinds of file systems, statvfs(3), and what it says of mount flags.
#include <linux/magic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "abi.h"

static long type_of(const char* path) {
  struct statfs s;
  memset(&s, 0x5a, sizeof(s));
  OK(statfs(path, &s));
  CHECK(s.f_bsize > 0);
  CHECK(s.f_namelen == 255 || s.f_namelen == 0);
  CHECK_EQ(s.f_spare[0] | s.f_spare[1] | s.f_spare[2] | s.f_spare[3], 0);
  return s.f_type;
}

static long type_fd(int fd) {
  struct statfs s;
  OK(fstatfs(fd, &s));
  return s.f_type;
}

int main(void) {
  const char* folder = abi_scratch();
  CHECK_EQ(type_of("/proc"), PROC_SUPER_MAGIC);
  CHECK_EQ(type_of("/proc/self/status"), PROC_SUPER_MAGIC);
  CHECK_EQ(type_of("/sys"), SYSFS_MAGIC);
  CHECK_EQ(type_of("/dev/pts"), DEVPTS_SUPER_MAGIC);
  CHECK_EQ(type_of("/dev/shm"), TMPFS_MAGIC);
  int fds[2], pair[2];
  OK(pipe(fds));
  CHECK_EQ(type_fd(fds[0]), PIPEFS_MAGIC);
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  CHECK_EQ(type_fd(pair[0]), SOCKFS_MAGIC);
  CHECK_EQ(type_fd(OK(eventfd(0, 0))), ANON_INODE_FS_MAGIC);
  CHECK_EQ(type_fd(OK(memfd_create("m", 0))), TMPFS_MAGIC);
  CHECK_EQ(type_fd(OK(open("/proc/self/ns/uts", O_RDONLY))), NSFS_MAGIC);

  // A file says what its folder says, by path, by descriptor, through a link.
  abi_put("f", "x");
  OK(symlink("f", "l"));
  struct statfs a, b;
  OK(statfs(folder, &a));
  OK(statfs("l", &b));
  CHECK_EQ(a.f_type, b.f_type);
  CHECK_EQ(memcmp(&a.f_fsid, &b.f_fsid, sizeof(a.f_fsid)), 0);
  OK(fstatfs(OK(open("f", O_RDONLY)), &b));
  CHECK_EQ(a.f_type, b.f_type);
  OK(fstatfs(OK(open("f", O_PATH)), &b));
  CHECK_EQ(a.f_type, b.f_type);
  CHECK_EQ(a.f_blocks, b.f_blocks);
  CHECK(a.f_blocks >= a.f_bfree && a.f_bfree >= a.f_bavail);
  CHECK(a.f_files >= a.f_ffree);

  struct statvfs v;
  OK(statvfs("/proc", &v));
  CHECK_EQ(v.f_blocks, 0);
  OK(statvfs(folder, &v));
  CHECK_EQ(v.f_namemax, 255);
  CHECK_EQ(v.f_bsize, (unsigned long)a.f_bsize);
  CHECK_EQ(v.f_blocks, a.f_blocks);
  // What takes room is missed, and comes back.
  int fd = OK(open("/dev/shm", O_TMPFILE | O_RDWR, 0600));
  OK(fstatfs(fd, &a));
  static char page[4096];
  memset(page, 1, sizeof(page));
  for (int i = 0; i < 256; i++) CHECK_EQ(write(fd, page, sizeof(page)), sizeof(page));
  OK(fstatfs(fd, &b));
  CHECK(a.f_bfree >= b.f_bfree + 256 * 4096 / (unsigned long)b.f_bsize - 16);
  CHECK_EQ(a.f_blocks, b.f_blocks);
  OK(ftruncate(fd, 0));
  OK(fstatfs(fd, &b));
  CHECK(b.f_bfree + 16 >= a.f_bfree);

  FAILS(statfs("none", &a), ENOENT);
  FAILS(statfs("f/x", &a), ENOTDIR);
  FAILS(statfs("", &a), ENOENT);
  FAILS(statfs("f", (void*)8), EFAULT);
  FAILS(statfs((void*)8, &a), EFAULT);
  FAILS(fstatfs(999, &a), EBADF);
  FAILS(fstatfs(fd, (void*)8), EFAULT);
  return 0;
}
