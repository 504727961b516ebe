// reboot(2) in a PID namespace ends its init, as if by a signal that tells which kind it was.
#include <linux/reboot.h>

#include "abi.h"

static int restart(unsigned command) {
  return (int)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, NULL);
}
static pid_t new_init(void) { return (pid_t)OK(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0)); }

static void by_init(unsigned command, int signal) {
  pid_t init = new_init();
  if (init == 0) {
    FORK(for (;;) pause());
    restart(command);
    _exit(1);
  }
  WAIT_SIGNAL(init, signal);
}

int main(void) {
  by_init(LINUX_REBOOT_CMD_RESTART, SIGHUP);
  by_init(LINUX_REBOOT_CMD_POWER_OFF, SIGINT);
  by_init(LINUX_REBOOT_CMD_HALT, SIGINT);
  // By another in it.
  pid_t init = new_init();
  if (init == 0) {
    FORK(restart(LINUX_REBOOT_CMD_RESTART));
    for (;;) pause();
  }
  WAIT_SIGNAL(init, SIGHUP);
  init = new_init();
  if (init == 0) {
    FAILS(restart(LINUX_REBOOT_CMD_CAD_OFF), EINVAL);
    FAILS(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, 0, LINUX_REBOOT_CMD_RESTART, NULL), EINVAL);
    OK(setresuid(1, 1, 1));
    FAILS(restart(LINUX_REBOOT_CMD_RESTART), EPERM);
    _exit(0);
  }
  WAIT_OK(init);
  return 0;
}
