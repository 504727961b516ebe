// Interrupted system calls: SA_RESTART against EINTR: signal(7).
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>

#include "abi.h"

static pid_t g_main;
static atomic_int g_handled;
static int g_pipe[2];

static void handler(int signal) {
  (void)signal;
  atomic_fetch_add(&g_handled, 1);
}

enum Kind { kRead, kWait, kFutex, kNanosleep, kPoll, kEpoll, kPause, kSigtimedwait, kLock, kFifo };

static int block(enum Kind kind) {
  char c;
  int word = 1;
  struct timespec long_time = {.tv_sec = 1000}, rest = {0};
  struct pollfd poll_fd = {.fd = g_pipe[0], .events = POLLIN};
  struct epoll_event event;
  sigset_t set;
  switch (kind) {
    case kRead:
      return read(g_pipe[0], &c, 1);
    case kWait:
      return waitpid(-1, NULL, 0);
    case kFutex:
      return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
    case kNanosleep: {
      int result = nanosleep(&long_time, &rest);
      if (result == -1) CHECK(rest.tv_sec > 900 && rest.tv_sec <= 1000);
      return result;
    }
    case kPoll:
      return poll(&poll_fd, 1, -1);
    case kEpoll:
      return epoll_wait(OK(epoll_create1(0)), &event, 1, -1);
    case kPause:
      return pause();
    case kSigtimedwait:
      sigemptyset(&set);
      sigaddset(&set, SIGUSR2);
      return sigtimedwait(&set, NULL, &long_time);
    case kLock: {
      struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
      return fcntl(OK(open("lock", O_RDWR)), F_SETLKW, &lock);
    }
    case kFifo:
      return open("fifo", O_RDONLY);
  }
  return 0;
}

// A child blocks; it gets a signal; is it still in the call, or has it returned?
static void try(enum Kind kind, int flags, bool restarts) {
  atomic_int* shared = abi_shared(4096);
  pid_t helper_pid = 0;
  pid_t pid = FORK({
    abi_handle(SIGUSR1, handler, flags);
    if (kind == kWait) helper_pid = FORK(for (;;) pause());
    atomic_store(shared + 1, helper_pid);
    atomic_store(shared, 1);
    errno = 0;
    int result = block(kind);
    int error = errno;
    if (helper_pid && !restarts) OK(kill(helper_pid, SIGKILL));
    CHECK_EQ(atomic_load(&g_handled), 1);
    if (restarts) {
      CHECK(result >= 0);
    } else {
      CHECK_EQ(result, -1);
      CHECK_EQ(error, EINTR);
    }
    _exit(0);
  });
  abi_await(shared, 1);
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGUSR1));
  if (restarts) {
    // The handler has run when nothing is pending; then it blocks again.
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    do {
      abi_get(path, text, sizeof(text));
    } while (!strstr(text, "ShdPnd:\t0000000000000000"));
    abi_await_state(pid, 'S');
    if (kind == kRead) CHECK_EQ(write(g_pipe[1], "x", 1), 1);
    if (kind == kWait) OK(kill(atomic_load(shared + 1), SIGKILL));
    if (kind == kFutex || kind == kLock || kind == kFifo) {
      OK(kill(pid, SIGKILL));  // it was blocked still; that is all we ask
      WAIT_SIGNAL(pid, SIGKILL);
      return;
    }
  }
  WAIT_OK(pid);
}

int main(void) {
  abi_scratch();
  g_main = getpid();
  OK(pipe(g_pipe));
  OK(mkfifo("fifo", 0600));
  abi_put("lock", "x");
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  OK(fcntl(OK(open("lock", O_RDWR)), F_SETLK, &lock));
  enum Kind restartable[] = {kRead, kWait, kFutex, kLock, kFifo};
  for (size_t i = 0; i < sizeof(restartable) / sizeof(restartable[0]); i++) {
    try(restartable[i], 0, false);
    try(restartable[i], SA_RESTART, true);
  }
  // These are never restarted, whatever the flag says.
  enum Kind never[] = {kNanosleep, kPoll, kEpoll, kPause, kSigtimedwait};
  for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
    try(never[i], 0, false);
    try(never[i], SA_RESTART, false);
  }
  return 0;
}
