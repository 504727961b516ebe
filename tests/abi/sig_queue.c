// sigqueue(3), rt_sigqueueinfo(2): values, forged codes, the limit on queued signals; pidfd_send_signal(2).
#include <sys/resource.h>

#include "abi.h"

static int queue(pid_t pid, int signal, siginfo_t* info) {
  return syscall(SYS_rt_sigqueueinfo, pid, signal, info);
}

int main(void) {
  sigset_t set;
  siginfo_t info, got;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  struct timespec zero = {0};

  memset(&info, 0, sizeof(info));
  info.si_code = SI_QUEUE;
  info.si_pid = 123;
  info.si_value.sival_ptr = &info;
  OK(queue(getpid(), SIGRTMIN, &info));
  CHECK_EQ(sigtimedwait(&set, &got, &zero), SIGRTMIN);
  CHECK_EQ(got.si_code, SI_QUEUE);
  CHECK_EQ(got.si_pid, 123);  // taken as given
  CHECK_EQ(got.si_value.sival_ptr, &info);

  // Codes of the kernel, and kill's, may be given only to oneself.
  pid_t pid = FORK(for (;;) pause());
  info.si_code = SI_USER;
  FAILS(queue(pid, SIGRTMIN, &info), EPERM);
  info.si_code = SI_TKILL;
  FAILS(queue(pid, SIGRTMIN, &info), EPERM);
  info.si_code = 5;
  FAILS(queue(pid, SIGRTMIN, &info), EPERM);
  OK(queue(getpid(), SIGRTMIN, &info));
  CHECK_EQ(sigtimedwait(&set, &got, &zero), SIGRTMIN);
  CHECK_EQ(got.si_code, 5);
  info.si_code = SI_QUEUE;
  FAILS(queue(pid, 65, &info), EINVAL);
  FAILS(queue(0x3fffffff, SIGRTMIN, &info), ESRCH);
  FAILS(queue(getpid(), SIGRTMIN, (void*)8), EFAULT);
  OK(queue(pid, SIGKILL, &info));
  WAIT_SIGNAL(pid, SIGKILL);
  OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), abi_tid(), SIGUSR1, &info));
  CHECK_EQ(sigtimedwait(&set, &got, &zero), SIGUSR1);
  FAILS(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &info), EINVAL);

  // The limit: real-time signals are refused, ordinary ones still arrive.
  IN_CHILD({
    OK(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){5, 5}));
    int sent = 0;
    while (sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = sent}) == 0) sent++;
    CHECK_EQ(errno, EAGAIN);
    CHECK(sent <= 5);
    OK(kill(getpid(), SIGUSR1));
    OK(kill(getpid(), SIGRTMIN));
    CHECK_EQ(sigtimedwait(&set, &got, &zero), SIGUSR1);
    for (int i = 0; i < sent; i++) {
      CHECK_EQ(sigtimedwait(&set, &got, &zero), SIGRTMIN);
      CHECK_EQ(got.si_value.sival_int, i);
    }
  });

  // Through a descriptor of the process.
  int self = OK(syscall(SYS_pidfd_open, getpid(), 0));
  CHECK_EQ(fcntl(self, F_GETFD), FD_CLOEXEC);
  OK(syscall(SYS_pidfd_send_signal, self, SIGUSR1, NULL, 0));
  CHECK_EQ(sigtimedwait(&set, &got, &zero), SIGUSR1);
  CHECK_EQ(got.si_code, SI_USER);
  CHECK_EQ(got.si_pid, getpid());
  FAILS(syscall(SYS_pidfd_send_signal, self, 65, NULL, 0), EINVAL);
  FAILS(syscall(SYS_pidfd_send_signal, self, SIGUSR1, NULL, 0x100), EINVAL);
  FAILS(syscall(SYS_pidfd_open, 0x3fffffff, 0), ESRCH);
  FAILS(syscall(SYS_pidfd_open, 0, 0), EINVAL);
  FAILS(syscall(SYS_pidfd_open, getpid(), 0x100), EINVAL);
  pid = FORK(for (;;) pause());
  int other = OK(syscall(SYS_pidfd_open, pid, 0));
  OK(syscall(SYS_pidfd_send_signal, other, SIGTERM, NULL, 0));
  WAIT_SIGNAL(pid, SIGTERM);
  FAILS(syscall(SYS_pidfd_send_signal, other, 0, NULL, 0), ESRCH);
  return 0;
}
