// Signals in numbers between processes: real-time ones all arrive and in order, ordinary ones at least once;
// pairs that answer each other; handlers, waits and descriptors side by side.
#include <sys/signalfd.h>

#include "abi.h"

enum { kMany = 200 };
static volatile int g_next, g_bad;

static void in_order(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  if (info->si_value.sival_int != g_next) g_bad = 1;
  g_next++;
}

static volatile int g_turns;
static volatile pid_t g_peer;

static void answer(int signal) {
  g_turns++;
  if (g_peer && g_turns < 100) kill(g_peer, signal);
}

int main(void) {
  atomic_int* word = abi_shared(4096);
  pid_t parent = getpid();
  abi_handle_info(SIGRTMIN, in_order, 0);
  pid_t pid = FORK(for (int i = 0; i < kMany; i++) {
    while (sigqueue(parent, SIGRTMIN, (union sigval){.sival_int = i}) != 0) CHECK_EQ(errno, EAGAIN);
  });
  while (g_next < kMany) sched_yield();
  CHECK_EQ(g_bad, 0);
  WAIT_OK(pid);

  // Ping and pong by handlers.
  abi_handle(SIGUSR1, answer, SA_RESTART);
  g_peer = 0;
  pid = FORK({
    g_peer = parent;
    atomic_store(word, 1);
    while (g_turns < 99) sched_yield();
    atomic_store(word, 2);
  });
  abi_await(word, 1);
  g_peer = pid;
  OK(kill(pid, SIGUSR1));
  abi_await(word, 2);
  WAIT_OK(pid);
  CHECK(g_turns >= 98);

  // By a descriptor, blocked: nothing is lost up to the last.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  int fd = OK(signalfd(-1, &set, SFD_CLOEXEC));
  pid_t senders[4];
  for (int s = 0; s < 4; s++) {
    senders[s] = FORK(for (int i = 0; i < 50; i++) {
      while (sigqueue(parent, SIGRTMIN + 1, (union sigval){.sival_int = s * 1000 + i}) != 0)
        CHECK_EQ(errno, EAGAIN);
    });
  }
  int next[4] = {0};
  for (int have = 0; have < 200;) {
    struct signalfd_siginfo info[16];
    ssize_t n = OK(read(fd, info, sizeof(info)));
    for (size_t i = 0; i < n / sizeof(info[0]); i++, have++) {
      int sender = info[i].ssi_int / 1000;
      CHECK_EQ(info[i].ssi_pid, senders[sender]);
      CHECK_EQ(info[i].ssi_int % 1000, next[sender]++);
    }
  }
  for (int s = 0; s < 4; s++) WAIT_OK(senders[s]);

  // A child that is stopped and continued many times makes its way.
  pid = FORK({
    for (int i = 1; i <= 300; i++) {
      atomic_store(word + 1, i);
      sched_yield();
    }
  });
  int status;
  for (int i = 0; i < 10; i++) {
    if (kill(pid, SIGSTOP) != 0 || waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) break;
    OK(kill(pid, SIGCONT));
  }
  if (WIFSTOPPED(status)) WAIT_OK(pid);
  CHECK_EQ(atomic_load(word + 1), 300);
  return 0;
}
