// Checks and helpers of the ABI programs. A program passes by returning 0; the first check that does not hold
// prints where, what was wanted and what came, and ends the process with status 1.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((noreturn, format(printf, 3, 4))) static inline void abi_fail(const char* file, int line,
                                                                            const char* format, ...) {
  int error = errno;
  char text[1024];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  if (n > (int)sizeof(text) - 1) n = sizeof(text) - 1;
  dprintf(2, "%s:%d: pid %d: %s (errno %d: %s)\n", file, line, (int)getpid(), text, error, strerror(error));
  _exit(1);
}

#define FAIL(...) abi_fail(__FILE__, __LINE__, __VA_ARGS__)

// The condition holds.
#define CHECK(cond)                                \
  do {                                             \
    if (!(cond)) FAIL("%s: does not hold", #cond); \
  } while (0)

// Two integers or pointers are equal: what came first, then what is wanted.
#define CHECK_EQ(got, want)                                                                              \
  do {                                                                                                   \
    long long got_ = (long long)(got), want_ = (long long)(want);                                        \
    if (got_ != want_)                                                                                   \
      FAIL("%s: expected %s = %lld (0x%llx), got %lld (0x%llx)", #got, #want, want_, want_, got_, got_); \
  } while (0)

#define CHECK_STR(got, want)                                                                  \
  do {                                                                                        \
    const char *got_ = (got), *want_ = (want);                                                \
    if (strcmp(got_, want_) != 0) FAIL("%s: expected \"%s\", got \"%s\"", #got, want_, got_); \
  } while (0)

// A call does not return -1; yields what it returned.
#define OK(call)                                                      \
  ({                                                                  \
    errno = 0;                                                        \
    __auto_type ok_ = (call);                                         \
    if ((long)ok_ == -1) FAIL("%s: expected success, got -1", #call); \
    ok_;                                                              \
  })

// A call returns -1 with this errno.
#define FAILS(call, error)                                                                         \
  do {                                                                                             \
    errno = 0;                                                                                     \
    long fails_ = (long)(call);                                                                    \
    if (fails_ != -1) FAIL("%s: expected failure with %s, got %ld", #call, #error, fails_);        \
    if (errno != (error)) FAIL("%s: expected errno %s = %d, got %d", #call, #error, error, errno); \
  } while (0)

// A pthread function returns 0.
#define ZERO(call)                                                \
  do {                                                            \
    int zero_ = (call);                                           \
    if (zero_ != 0) FAIL("%s: expected 0, got %d", #call, zero_); \
  } while (0)

// Runs the statements in a forked child that exits with 0 after them; yields its pid.
#define FORK(...)             \
  ({                          \
    pid_t fork_ = OK(fork()); \
    if (fork_ == 0) {         \
      __VA_ARGS__;            \
      _exit(0);               \
    }                         \
    fork_;                    \
  })

// Waits for the child; yields its wait status.
#define WAIT_STATUS(pid)                                                                      \
  ({                                                                                          \
    int status_ = -1;                                                                         \
    pid_t wanted_ = (pid);                                                                    \
    pid_t waited_ = waitpid(wanted_, &status_, 0);                                            \
    if (waited_ != wanted_) FAIL("waitpid: expected %d, got %d", (int)wanted_, (int)waited_); \
    status_;                                                                                  \
  })

#define WAIT_EXIT(pid, code)                                                                \
  do {                                                                                      \
    int exit_ = WAIT_STATUS(pid);                                                           \
    if (!WIFEXITED(exit_) || WEXITSTATUS(exit_) != (code))                                  \
      FAIL("expected exit status %d of a child, got wait status 0x%x", (int)(code), exit_); \
  } while (0)

#define WAIT_OK(pid) WAIT_EXIT(pid, 0)

#define WAIT_SIGNAL(pid, signal)                                                                  \
  do {                                                                                            \
    int killed_ = WAIT_STATUS(pid);                                                               \
    if (!WIFSIGNALED(killed_) || WTERMSIG(killed_) != (signal))                                   \
      FAIL("expected a child to die of signal %d, got wait status 0x%x", (int)(signal), killed_); \
  } while (0)

// The statements in a child, which must succeed there.
#define IN_CHILD(...) WAIT_OK(FORK(__VA_ARGS__))

// Makes a scratch directory that other users may enter, and goes there.
static inline const char* abi_scratch(void) {
  static char path[256];
  const char* base = getenv("ABI_TMP");
  snprintf(path, sizeof(path), "%s/abi.XXXXXX", base ? base : "/tmp");
  CHECK(mkdtemp(path) != NULL);
  OK(chmod(path, 0755));
  OK(chdir(path));
  return path;
}

// A new file with this content, mode 0644.
static inline void abi_put(const char* path, const char* content) {
  int fd = OK(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644));
  size_t size = strlen(content);
  CHECK_EQ(write(fd, content, size), size);
  OK(close(fd));
}

// The head of a file as a string.
static inline ssize_t abi_get(const char* path, char* buffer, size_t size) {
  int fd = OK(open(path, O_RDONLY));
  size_t have = 0;
  while (have < size - 1) {
    ssize_t n = OK(read(fd, buffer + have, size - 1 - have));
    if (n == 0) break;
    have += n;
  }
  buffer[have] = 0;
  OK(close(fd));
  return have;
}

static inline bool abi_exists(const char* path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

static inline void abi_handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  OK(sigaction(signal, &action, NULL));
}

static inline void abi_handle_info(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
  OK(sigaction(signal, &action, NULL));
}

static inline pid_t abi_tid(void) { return (pid_t)syscall(SYS_gettid); }

// State letter of a thread as /proc shows it.
static inline char abi_state(pid_t tid) {
  char path[64], text[512];
  snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char* paren = strrchr(text, ')');
  return paren ? paren[2] : 0;
}

// Returns once the thread is in this state ('S': blocked where a signal can reach it, 'T' stopped, 'Z' dead).
static inline void abi_await_state(pid_t tid, char state) {
  while (abi_state(tid) != state) sched_yield();
}

static inline long long abi_ns(clockid_t clock) {
  struct timespec now;
  OK(clock_gettime(clock, &now));
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

// Memory that children share.
static inline void* abi_shared(size_t size) {
  return OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

// Waits until the word has the value. For short hand-overs between tasks that both run.
static inline void abi_await(atomic_int* word, int value) {
  while (atomic_load(word) != value) sched_yield();
}
