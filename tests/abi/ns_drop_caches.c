// /proc/sys/vm/drop_caches (proc_sys_vm(5)), in a proc of its own, whose settings nobody has made read-only.
#include <sys/mount.h>

#include "abi.h"

int main(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
  abi_scratch();
  OK(mkdir("proc", 0755));
  OK(mount("none", "proc", "proc", 0, NULL));

  struct stat s;
  OK(stat("proc/sys/vm/drop_caches", &s));
  CHECK_EQ(s.st_mode, S_IFREG | 0200);
  int fd = OK(open("proc/sys/vm/drop_caches", O_WRONLY));
  FAILS(write(fd, "0", 1), EINVAL);
  FAILS(write(fd, "x", 1), EINVAL);
  CHECK_EQ(OK(write(fd, "4\n", 2)), 2);  // drops nothing
  OK(close(fd));
  OK(umount("proc"));
  return 0;
}
