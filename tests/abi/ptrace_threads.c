// ptrace(2): processes with threads.
#include "trace.h"

static atomic_int* flag;
static void* park(void* tid) {
  if (tid) atomic_store((atomic_int*)tid, abi_tid());
  for (;;) pause();
  return NULL;
}

// A process of two threads, which says the second one's number in flag[0].
static pid_t two_threads(void) {
  atomic_store(flag, 0);
  pid_t pid = FORK(pthread_t t; ZERO(pthread_create(&t, NULL, park, flag)); for (;;) pause());
  while (atomic_load(flag) == 0) sched_yield();
  return pid;
}

// Each thread is traced by itself; wait(2) knows them by their numbers.
static void attaches(void) {
  pid_t pid = two_threads(), tid = atomic_load(flag);
  TRACE(PTRACE_ATTACH, tid, 0, 0);
  STOPS(tid, SIGSTOP);
  CHECK_EQ(abi_state(tid), 't');
  CHECK(abi_state(pid) == 'S' || abi_state(pid) == 'R');
  CHECK_EQ(waitpid(-1, NULL, __WALL | WNOHANG), 0);
  TRACE(PTRACE_ATTACH, pid, 0, 0);
  STOPS(pid, SIGSTOP);
  TRACE(PTRACE_DETACH, tid, 0, 0);
  TRACE(PTRACE_DETACH, pid, 0, 0);
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
}

static void* leave(void* code) {
  syscall(SYS_exit, (long)code);
  return NULL;
}

// A thread that is traced is a zombie until its tracer has waited for it.
static void thread_ends(void) {
  pid_t pid = TRACED(pthread_t t; ZERO(pthread_create(&t, NULL, leave, (void*)5L));
                     ZERO(pthread_join(t, NULL)); _exit(6));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_CLONE));
  pid_t tid = (pid_t)trace_message(pid);
  STOPS(tid, SIGSTOP);
  TRACE(PTRACE_CONT, tid, 0, 0);
  STOPS(tid, EVENT(PTRACE_EVENT_EXIT));
  CHECK_EQ(trace_message(tid), 5 << 8);
  TRACE(PTRACE_CONT, tid, 0, 0);
  siginfo_t info;
  OK(waitid(P_PID, tid, &info, WEXITED | WNOWAIT | __WALL));
  CHECK_EQ(info.si_pid, tid);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_status, 5);
  CHECK_EQ(abi_state(tid), 'Z');
  GONE(tid, 5 << 8);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_EXIT));
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 6 << 8);
}

// The end of the whole: every thread, then the leader.
static void group_ends(void) {
  pid_t pid = two_threads(), tid = atomic_load(flag);
  TRACE(PTRACE_SEIZE, pid, 0, 0);
  TRACE(PTRACE_SEIZE, tid, 0, 0);
  OK(kill(pid, SIGKILL));
  CHECK_EQ(waitpid(pid, NULL, __WALL | WNOHANG), 0);  // not before its threads
  GONE(tid, SIGKILL);
  GONE(pid, SIGKILL);
}

static char* const kTrue[] = {"/bin/true", NULL};
static void* execute(void* argument) {
  (void)argument;
  execv(kTrue[0], kTrue);
  _exit(1);
}

// execve(2) by a thread: it takes the process's number, the others end.
static void thread_executes(void) {
  pid_t pid = TRACED(pthread_t t; ZERO(pthread_create(&t, NULL, execute, NULL)); for (;;) pause());
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_CLONE));
  pid_t tid = (pid_t)trace_message(pid);
  STOPS(tid, SIGSTOP);
  // The thread last: once it executes, the leader goes from this stop to its next one by itself.
  TRACE(PTRACE_CONT, pid, 0, 0);
  TRACE(PTRACE_CONT, tid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_EXIT));  // the old leader
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_EXEC));
  CHECK_EQ(trace_message(pid), tid);
  TRACE_FAILS(PTRACE_CONT, tid, 0, 0, ESRCH);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_EXIT));
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
}

// Only the thread that traces may ask; any of its process may wait, or only itself.
static void* other_thread(void* pid_of) {
  pid_t pid = *(pid_t*)pid_of;
  TRACE_FAILS(PTRACE_CONT, pid, 0, 0, ESRCH);
  int status;
  FAILS(waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG), ECHILD);
  STOPS(pid, SIGUSR1);
  TRACE_FAILS(PTRACE_CONT, pid, 0, 0, ESRCH);
  return NULL;
}
static void tracer_threads(void) {
  pid_t pid = TRACED(pause());
  OK(kill(pid, SIGUSR1));
  TRACE(PTRACE_CONT, pid, 0, 0);
  pthread_t t;
  ZERO(pthread_create(&t, NULL, other_thread, &pid));
  ZERO(pthread_join(t, NULL));
  TRACE(PTRACE_CONT, pid, 0, SIGUSR1);
  GONE(pid, SIGUSR1);
}

// Its tracees are let go when a thread ends, though its process lives on.
static void* attach_and_end(void* pid_of) {
  pid_t pid = *(pid_t*)pid_of;
  TRACE(PTRACE_ATTACH, pid, 0, 0);
  STOPS(pid, SIGSTOP);
  return NULL;
}
static void tracer_thread_ends(void) {
  pid_t pid = FORK(pause());
  pthread_t t;
  ZERO(pthread_create(&t, NULL, attach_and_end, &pid));
  ZERO(pthread_join(t, NULL));
  abi_await_state(pid, 'S');
  CHECK_STR(trace_status(pid, "TracerPid"), "0");
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
}

int main(void) {
  flag = abi_shared(4096);
  attaches();
  thread_ends();
  group_ends();
  thread_executes();
  tracer_threads();
  tracer_thread_ends();
  return 0;
}
