// pidfd_open(2), waitid(P_PIDFD), many children at once, pids that are not reused too soon.
#include <poll.h>
#include <sys/epoll.h>

#include "abi.h"

int main(void) {
  // Many alive at a time, each with its own number, waited for in any order.
  enum { kChildren = 30 };
  pid_t pids[kChildren];
  int fds[2];
  OK(pipe(fds));
  for (int i = 0; i < kChildren; i++) {
    pids[i] = FORK({
      char c;
      OK(close(fds[1]));
      CHECK_EQ(read(fds[0], &c, 1), 0);
      _exit(i);
    });
    for (int k = 0; k < i; k++) CHECK(pids[k] != pids[i]);
  }
  int epoll = OK(epoll_create1(0)), pidfds[kChildren];
  for (int i = 0; i < kChildren; i++) {
    pidfds[i] = OK(syscall(SYS_pidfd_open, pids[i], 0));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pidfds[i], &event));
  }
  struct epoll_event event;
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  OK(close(fds[1]));
  bool seen[kChildren] = {false};
  for (int n = 0; n < kChildren; n++) {
    CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
    int i = event.data.u32;
    CHECK(!seen[i]);
    seen[i] = true;
    siginfo_t info;
    OK(waitid(P_PIDFD, pidfds[i], &info, WEXITED));
    CHECK_EQ(info.si_pid, pids[i]);
    CHECK_EQ(info.si_status, i);
    OK(close(pidfds[i]));
  }
  FAILS(waitpid(-1, NULL, 0), ECHILD);

  pid_t pid = FORK(for (;;) pause());
  int pidfd = OK(syscall(SYS_pidfd_open, pid, O_NONBLOCK));
  siginfo_t info;
  FAILS(waitid(P_PIDFD, pidfd, &info, WEXITED), EAGAIN);
  struct pollfd set = {.fd = pidfd, .events = POLLIN};
  CHECK_EQ(poll(&set, 1, 0), 0);
  char path[64], text[512];
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
  abi_get(path, text, sizeof(text));
  char* at = strstr(text, "Pid:\t");
  CHECK(at != NULL);
  CHECK_EQ(atoi(at + 5), pid);
  OK(kill(pid, SIGKILL));
  CHECK_EQ(poll(&set, 1, -1), 1);
  OK(waitid(P_PIDFD, pidfd, &info, WEXITED));
  CHECK_EQ(info.si_code, CLD_KILLED);
  FAILS(waitid(P_PIDFD, pidfd, &info, WEXITED), ECHILD);
  FAILS(waitid(P_PIDFD, fds[0], &info, WEXITED), EBADF);
  FAILS(syscall(SYS_pidfd_open, pid, 0), ESRCH);
  // pidfd_send_signal takes a directory of procfs, too.
  pid_t target = FORK(pause());
  snprintf(path, sizeof(path), "/proc/%d", target);
  int dir = OK(open(path, O_RDONLY | O_DIRECTORY));
  int tasks = OK(openat(dir, "task", O_RDONLY | O_DIRECTORY));
  FAILS(syscall(SYS_pidfd_send_signal, tasks, 0, NULL, 0), EBADF);
  OK(syscall(SYS_pidfd_send_signal, dir, SIGTERM, NULL, 0));
  int status;
  OK(waitpid(target, &status, 0));
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  FAILS(syscall(SYS_pidfd_send_signal, dir, SIGTERM, NULL, 0), ESRCH);
  // Numbers go on upwards; one just freed does not come back at once.
  pid_t first = FORK(_exit(0));
  WAIT_OK(first);
  pid_t second = FORK(_exit(0));
  WAIT_OK(second);
  CHECK(second != first);
  return 0;
}
