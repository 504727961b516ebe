// clone3(2): the extensible form, its checks and pidfds.
#include <linux/sched.h>
#include <poll.h>

#include "abi.h"

static long clone3(struct clone_args* args, size_t size) { return syscall(SYS_clone3, args, size); }

int main(void) {
  pid_t parent_tid = 0;
  pid_t* child_tid = abi_shared(4096);
  struct clone_args args = {
      .flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
      .exit_signal = SIGCHLD,
      .parent_tid = (uintptr_t)&parent_tid,
      .child_tid = (uintptr_t)child_tid,
  };
  pid_t pid = clone3(&args, sizeof(args));
  if (pid == 0) _exit(*child_tid == abi_tid() ? 4 : 1);
  CHECK(pid > 0);
  CHECK_EQ(parent_tid, pid);
  WAIT_EXIT(pid, 4);
  CHECK_EQ(*child_tid, pid);

  // A pidfd becomes readable when the child has ended.
  int pidfd = -1;
  args = (struct clone_args){.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
  pid = clone3(&args, sizeof(args));
  if (pid == 0) _exit(6);
  CHECK(pid > 0);
  CHECK(pidfd >= 0);
  CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
  struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
  CHECK_EQ(poll(&poll_fd, 1, -1), 1);
  siginfo_t info;
  OK(waitid(P_PIDFD, pidfd, &info, WEXITED));
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(info.si_status, 6);
  FAILS(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), ESRCH);
  OK(close(pidfd));

  // Smaller structures of older programs and larger ones of zeroes are fine.
  args = (struct clone_args){.exit_signal = SIGCHLD};
  pid = clone3(&args, 64);
  if (pid == 0) _exit(0);
  WAIT_OK(pid);
  struct {
    struct clone_args args;
    uint64_t more[4];
  } large = {.args = {.exit_signal = SIGCHLD}};
  pid = clone3(&large.args, sizeof(large));
  if (pid == 0) _exit(0);
  WAIT_OK(pid);
  large.more[1] = 1;
  FAILS(clone3(&large.args, sizeof(large)), E2BIG);
  FAILS(clone3(&args, 63), EINVAL);
  FAILS(clone3(&args, 5000), E2BIG);
  FAILS(clone3((void*)8, sizeof(args)), EFAULT);
  args.exit_signal = 65;
  FAILS(clone3(&args, sizeof(args)), EINVAL);
  args = (struct clone_args){.flags = SIGCHLD};  // a signal among the flags
  FAILS(clone3(&args, sizeof(args)), EINVAL);
  args = (struct clone_args){.exit_signal = SIGCHLD, .stack_size = 4096};  // a size without a stack
  FAILS(clone3(&args, sizeof(args)), EINVAL);
  args = (struct clone_args){.exit_signal = SIGCHLD, .stack = (uintptr_t)child_tid};
  FAILS(clone3(&args, sizeof(args)), EINVAL);
  args = (struct clone_args){.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD};
  FAILS(clone3(&args, sizeof(args)), EINVAL);

  // Handlers can be cleared on the way.
  abi_handle(SIGUSR1, (void (*)(int))(uintptr_t)abi_tid, 0);
  CHECK(signal(SIGUSR2, SIG_IGN) == SIG_DFL);
  args = (struct clone_args){.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
  pid = clone3(&args, sizeof(args));
  if (pid == 0) {
    struct sigaction action;
    OK(sigaction(SIGUSR1, NULL, &action));
    CHECK_EQ(action.sa_handler, SIG_DFL);
    OK(sigaction(SIGUSR2, NULL, &action));
    CHECK_EQ(action.sa_handler, SIG_IGN);
    _exit(0);
  }
  WAIT_OK(pid);
  return 0;
}
