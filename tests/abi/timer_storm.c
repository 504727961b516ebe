// Timers whose periods are shorter than handling them takes: the process goes on, and can be killed.
#include <sys/time.h>
#include <time.h>

#include "abi.h"

static int g_pipe[2];
static volatile sig_atomic_t g_count;

static void on_alarm(int signal) {
  (void)signal;
  if (++g_count == 200) (void)!write(g_pipe[1], "x", 1);
}

static void storm(int posix_timers) {
  struct sigaction action = {.sa_handler = on_alarm};
  OK(sigaction(SIGALRM, &action, NULL));
  OK(sigaction(SIGUSR1, &action, NULL));
  for (int i = 0; i < posix_timers; i++) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec every = {{0, 1}, {0, 1}};
    OK(timer_settime(timer, 0, &every, NULL));
  }
  struct itimerval every = {{0, 1}, {0, 1}};
  OK(setitimer(ITIMER_REAL, &every, NULL));
  for (;;) {
  }
}

// Nobody handles what these send.
static void ignored_storm(void) {
  OK((long)signal(SIGUSR2, SIG_IGN));
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
  struct itimerspec every = {{0, 1}, {0, 1}};
  timer_t timer;
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  OK(timer_settime(timer, 0, &every, NULL));
  for (volatile long i = 0; i < 3000000; i++) {
  }
  OK(write(g_pipe[1], "x", 1));
  for (;;) pause();
}

static void run(void (*body)(void)) {
  OK(pipe(g_pipe));
  pid_t pid = OK(fork());
  if (pid == 0) body();
  char byte;
  CHECK_EQ(OK(read(g_pipe[0], &byte, 1)), 1);
  OK(kill(pid, SIGKILL));
  int status;
  CHECK_EQ(OK(waitpid(pid, &status, 0)), pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  OK(close(g_pipe[0]));
  OK(close(g_pipe[1]));
}

static void one(void) { storm(0); }
static void many(void) { storm(16); }

int main(void) {
  run(one);
  run(many);
  run(ignored_storm);
  return 0;
}
