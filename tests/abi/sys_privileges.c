// Calls that need privileges are refused to a user without any, and change nothing.
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include "abi.h"

int main(void) {
  abi_scratch();
  OK(chmod(".", 0777));
  OK(mkdir("d", 0777));
  struct utsname before, after;
  OK(uname(&before));
  OK(setresgid(1000, 1000, 1000));
  OK(setresuid(1000, 1000, 1000));

  FAILS(sethostname("x", 1), EPERM);
  FAILS(setdomainname("x", 1), EPERM);
  FAILS(mount("none", "d", "tmpfs", 0, NULL), EPERM);
  FAILS(mount("/", "d", NULL, MS_BIND, NULL), EPERM);
  FAILS(umount2("/", MNT_DETACH), EPERM);
  FAILS(syscall(SYS_pivot_root, ".", "d"), EPERM);
  FAILS(chroot("."), EPERM);
  FAILS(reboot(RB_AUTOBOOT), EPERM);
  FAILS(swapon("/nonexistent", 0), EPERM);
  FAILS(swapoff("/nonexistent"), EPERM);
  FAILS(settimeofday(&(struct timeval){.tv_sec = 1}, NULL), EPERM);
  FAILS(clock_settime(CLOCK_REALTIME, &(struct timespec){.tv_sec = 1}), EPERM);
  FAILS(adjtimex(&(struct timex){.modes = ADJ_FREQUENCY}), EPERM);
  CHECK(adjtimex(&(struct timex){.modes = 0}) >= 0);
  FAILS(mknod("node", S_IFCHR | 0600, makedev(1, 3)), EPERM);
  FAILS(mknod("node", S_IFBLK | 0600, makedev(8, 0)), EPERM);
  FAILS(chown("d", 1000, 1000), EPERM);
  FAILS(setuid(0), EPERM);
  FAILS(setgid(0), EPERM);
  FAILS(acct("/tmp/x"), EPERM);
  FAILS(vhangup(), EPERM);
  FAILS(open("/etc/shadow", O_RDONLY), EACCES);
  CHECK_EQ(open("/etc/passwd", O_WRONLY), -1);
  CHECK(errno == EACCES || errno == EROFS);
  FAILS(open("/root/x", O_CREAT | O_WRONLY, 0600), EACCES);
  FAILS(kill(1, SIGKILL), EPERM);
  OK(uname(&after));
  CHECK_EQ(memcmp(&before, &after, sizeof(before)), 0);
  CHECK(!abi_exists("node"));
  return 0;
}
