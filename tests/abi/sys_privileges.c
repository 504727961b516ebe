// Calls that need privileges are refused to a user without any, and change nothing.
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include "abi.h"

// What is wrong with the arguments is told before the missing privilege, or after: Linux's order.
static void order(void) {
  FAILS(umount2("d", 0x1000), EINVAL);
  FAILS(umount2("missing", 0), ENOENT);
  FAILS(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
  FAILS(syscall(SYS_mount, "none", "d", 8, 0, NULL), EFAULT);
  FAILS(syscall(SYS_pivot_root, 8, 8), EPERM);
  FAILS(syscall(SYS_reboot, 0, 0, 0, 0), EPERM);
  FAILS(syscall(SYS_swapon, 8, 0), EPERM);
  FAILS(syscall(SYS_swapoff, 8), EPERM);
  FAILS(syscall(SYS_acct, 8), EPERM);

  struct timeval bad_time = {.tv_sec = 1, .tv_usec = 1000001};
  FAILS(syscall(SYS_settimeofday, &bad_time, NULL), EINVAL);
  FAILS(syscall(SYS_settimeofday, 8, NULL), EFAULT);
  FAILS(syscall(SYS_settimeofday, NULL, 8), EFAULT);
  FAILS(syscall(SYS_settimeofday, NULL, NULL), EPERM);
  struct timespec bad = {.tv_nsec = 1000000000}, fine = {.tv_sec = 1};
  FAILS(syscall(SYS_clock_settime, CLOCK_REALTIME, &bad), EINVAL);
  FAILS(syscall(SYS_clock_settime, CLOCK_REALTIME, 8), EFAULT);
  FAILS(syscall(SYS_clock_settime, CLOCK_MONOTONIC, 8), EINVAL);
  FAILS(syscall(SYS_clock_settime, CLOCK_PROCESS_CPUTIME_ID, &fine), EINVAL);
  FAILS(syscall(SYS_clock_settime, 77, &fine), EINVAL);
  FAILS(syscall(SYS_adjtimex, 8), EFAULT);
  FAILS(adjtimex(&(struct timex){.modes = ADJ_TICK, .tick = 1}), EPERM);
  CHECK(adjtimex(&(struct timex){.modes = ADJ_OFFSET_SS_READ}) >= 0);
  FAILS(adjtimex(&(struct timex){.modes = ADJ_OFFSET_SINGLESHOT}), EPERM);
  FAILS(syscall(SYS_clock_adjtime, 77, 8), EFAULT);
  FAILS(syscall(SYS_clock_adjtime, 77, &(struct timex){0}), EINVAL);
  FAILS(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &(struct timex){0}), EOPNOTSUPP);
  CHECK(clock_adjtime(CLOCK_REALTIME, &(struct timex){0}) >= 0);
  FAILS(clock_adjtime(CLOCK_REALTIME, &(struct timex){.modes = ADJ_FREQUENCY}), EPERM);

  OK(syscall(SYS_quotactl, QCMD(Q_SYNC, 0), NULL, 0, NULL));
  FAILS(syscall(SYS_quotactl, QCMD(Q_SYNC, 5), NULL, 0, NULL), EINVAL);
  FAILS(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 0), NULL, 0, NULL), ENODEV);
  FAILS(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 0), "/dev/null", 0, NULL), ENOTBLK);
  FAILS(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 0), "missing", 0, NULL), ENOENT);
  FAILS(syscall(SYS_fanotify_init, 0, 0), EPERM);

  FAILS(unshare(0x1), EINVAL);
  FAILS(unshare(CLONE_NEWNS), EPERM);
  FAILS(unshare(CLONE_NEWUTS | CLONE_FILES), EPERM);
  FAILS(unshare(CLONE_NEWNET), EPERM);
  OK(unshare(0));
  OK(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM));
  OK(unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM));
  FAILS(syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0), EPERM);
  FAILS(setns(999, 0), EBADF);
  FAILS(setns(0, 0), EINVAL);
  int self = OK(syscall(SYS_pidfd_open, getpid(), 0));
  FAILS(setns(self, 0), EINVAL);
  FAILS(setns(self, 1), EINVAL);
  FAILS(setns(self, CLONE_NEWUTS), EPERM);
  OK(close(self));
  FAILS(syscall(SYS_fsopen, "tmpfs", 0), EPERM);
  FAILS(syscall(SYS_fspick, AT_FDCWD, "d", 0), EPERM);
  FAILS(syscall(SYS_move_mount, -1, "", -1, "", 0), EPERM);
}

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
  order();
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
