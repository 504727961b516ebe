// Helpers of the ptrace_* programs.
#pragma once

#include <elf.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "abi.h"

// The raw call: PEEK requests store, and say what went wrong.
static inline long trace(long request, pid_t pid, unsigned long address, unsigned long data) {
  return syscall(SYS_ptrace, request, (long)pid, address, data);
}
#define TRACE(request, pid, address, data) \
  OK(trace(request, pid, (unsigned long)(address), (unsigned long)(data)))
#define TRACE_FAILS(request, pid, address, data, error) \
  FAILS(trace(request, pid, (unsigned long)(address), (unsigned long)(data)), error)

// Waits for this task, a thread or a process; yields its status.
static inline int trace_wait(pid_t pid) {
  int status = -1;
  pid_t got = waitpid(pid, &status, __WALL);
  if (got != pid) FAIL("waitpid(%d): got %d", (int)pid, (int)got);
  return status;
}

// It stops with this code: a signal, with the event above it.
#define STOPS(pid, code)                                                                          \
  do {                                                                                            \
    int stop_ = trace_wait(pid);                                                                  \
    if (!WIFSTOPPED(stop_) || stop_ >> 8 != (int)(code))                                          \
      FAIL("expected a stop with 0x%x, got wait status 0x%x", (unsigned)(code), (unsigned)stop_); \
  } while (0)
#define EVENT(event) (SIGTRAP | (event) << 8)
#define SYSCALL_STOP (SIGTRAP | 0x80)

#define GONE(pid, status)                                                               \
  do {                                                                                  \
    int gone_ = trace_wait(pid);                                                        \
    if (gone_ != (int)(status))                                                         \
      FAIL("expected wait status 0x%x, got 0x%x", (unsigned)(status), (unsigned)gone_); \
  } while (0)

// A child that is traced and has stopped itself; goes on with the statements.
#define TRACED(...)                                                                        \
  ({                                                                                       \
    pid_t traced_ = FORK(TRACE(PTRACE_TRACEME, 0, 0, 0); OK(raise(SIGSTOP)); __VA_ARGS__); \
    STOPS(traced_, SIGSTOP);                                                               \
    traced_;                                                                               \
  })

static inline long trace_peek(pid_t pid, const volatile void* at) {
  long word = 0;
  TRACE(PTRACE_PEEKDATA, pid, at, &word);
  return word;
}

static inline struct user_regs_struct trace_regs(pid_t pid) {
  struct user_regs_struct regs;
  TRACE(PTRACE_GETREGS, pid, 0, &regs);
  return regs;
}

static inline unsigned long trace_message(pid_t pid) {
  unsigned long message = ~0ul;
  TRACE(PTRACE_GETEVENTMSG, pid, 0, &message);
  return message;
}

static inline siginfo_t trace_info(pid_t pid) {
  siginfo_t info;
  TRACE(PTRACE_GETSIGINFO, pid, 0, &info);
  return info;
}

// A line of /proc/PID/status, behind its name and the tab.
static inline const char* trace_status(pid_t pid, const char* name) {
  static char text[8192];
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
  abi_get(path, text, sizeof(text));
  for (char* line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    size_t n = strlen(name);
    if (strncmp(line, name, n) == 0 && line[n] == ':') return line + n + 2;
  }
  return "";
}
