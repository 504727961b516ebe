// ptrace(2): who traces whom, memory, going on and letting go.
#include "trace.h"

static volatile long word = 0x1122334455667788;
static const volatile long constant = 0x0102030405060708;

static void memory(void) {
  volatile long* shared = abi_shared(4096);
  pid_t pid = TRACED(_exit(word == 42 && constant == 43 && *shared == 44 ? 7 : 1));
  CHECK_EQ(trace_peek(pid, &word), 0x1122334455667788);
  CHECK_EQ(trace_peek(pid, (char*)&word + 1) & 0xffffffffffffff, 0x11223344556677);
  long text = 0;
  TRACE(PTRACE_PEEKTEXT, pid, memory, &text);
  CHECK_EQ(text, *(long*)(void*)memory);
  TRACE(PTRACE_POKEDATA, pid, &word, 42);
  TRACE(PTRACE_POKETEXT, pid, &constant, 43);  // though it is read-only
  TRACE(PTRACE_POKEDATA, pid, shared, 44);
  CHECK_EQ(word, 0x1122334455667788);
  CHECK_EQ(*shared, 44);
  long out;
  TRACE_FAILS(PTRACE_PEEKDATA, pid, 8, &out, EIO);
  TRACE_FAILS(PTRACE_POKEDATA, pid, 8, 0, EIO);
  TRACE_FAILS(PTRACE_PEEKDATA, pid, &word, 8, EFAULT);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 7 << 8);
}

static void who(void) {
  TRACE_FAILS(PTRACE_ATTACH, getpid(), 0, 0, EPERM);
  TRACE_FAILS(PTRACE_ATTACH, 0x3fffffff, 0, 0, ESRCH);
  TRACE_FAILS(PTRACE_CONT, 1, 0, 0, ESRCH);
  pid_t pid = FORK(pause());
  TRACE_FAILS(PTRACE_CONT, pid, 0, 0, ESRCH);
  TRACE_FAILS(PTRACE_SEIZE, pid, 8, 0, EIO);
  TRACE_FAILS(PTRACE_SEIZE, pid, 0, 1 << 30, EIO);
  CHECK_STR(trace_status(pid, "TracerPid"), "0");
  TRACE(PTRACE_ATTACH, pid, 0, 0);
  STOPS(pid, SIGSTOP);
  char self[16];
  snprintf(self, sizeof(self), "%d", (int)getpid());
  CHECK_STR(trace_status(pid, "TracerPid"), self);
  CHECK_STR(trace_status(pid, "State"), "t (tracing stop)");
  CHECK_EQ(abi_state(pid), 't');
  IN_CHILD(TRACE_FAILS(PTRACE_ATTACH, pid, 0, 0, EPERM); TRACE_FAILS(PTRACE_CONT, pid, 0, 0, ESRCH));
  TRACE_FAILS(PTRACE_ATTACH, pid, 0, 0, EPERM);
  TRACE_FAILS(PTRACE_CONT, pid, 0, 65, EIO);
  TRACE_FAILS(PTRACE_DETACH, pid, 0, 65, EIO);
  TRACE_FAILS(0x5000, pid, 0, 0, EIO);
  TRACE_FAILS(PTRACE_SETOPTIONS, pid, 0, 1 << 30, EINVAL);
  TRACE_FAILS(PTRACE_INTERRUPT, pid, 0, 0, EIO);
  TRACE_FAILS(PTRACE_LISTEN, pid, 0, 0, EIO);
  TRACE(PTRACE_DETACH, pid, 0, 0);
  CHECK_STR(trace_status(pid, "TracerPid"), "0");
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGTERM));
  WAIT_SIGNAL(pid, SIGTERM);
}

static void ends(void) {
  pid_t pid = TRACED(pause());
  TRACE(PTRACE_KILL, pid, 0, 0);
  GONE(pid, SIGKILL);
  pid = TRACED(pause());
  OK(kill(pid, SIGKILL));
  GONE(pid, SIGKILL);
  // Detached with a signal.
  pid = TRACED(pause());
  TRACE(PTRACE_DETACH, pid, 0, SIGUSR1);
  WAIT_SIGNAL(pid, SIGUSR1);
  pid = FORK(TRACE(PTRACE_TRACEME, 0, 0, 0); TRACE_FAILS(PTRACE_TRACEME, 0, 0, 0, EPERM));
  WAIT_OK(pid);
}

static void through_proc(void) {
  pid_t pid = TRACED(_exit(word == 5 && constant == 6 ? 0 : 1));
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
  int fd = OK(open(path, O_RDWR));
  long value = 0;
  CHECK_EQ(pread(fd, &value, 8, (off_t)&word), 8);
  CHECK_EQ(value, word);
  value = 5;
  CHECK_EQ(pwrite(fd, &value, 8, (off_t)&word), 8);
  value = 6;
  CHECK_EQ(pwrite(fd, &value, 8, (off_t)&constant), 8);
  FAILS(pread(fd, &value, 8, 8), EIO);
  FAILS(pwrite(fd, &value, 8, 8), EIO);
  CHECK_EQ(lseek(fd, (off_t)&word, SEEK_SET), (off_t)&word);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, 5);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), (off_t)&word + 8);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
  CHECK_EQ(pread(fd, &value, 8, (off_t)&word), 0);
  OK(close(fd));
}

// A zombie that another traces is first that one's, then its parent's.
static void parent_and_tracer(void) {
  int go[2], told[2];
  OK(pipe(go));
  OK(pipe(told));
  char c;
  pid_t pid = FORK(read(go[0], &c, 1); _exit(3));
  pid_t tracer = FORK(TRACE(PTRACE_SEIZE, pid, 0, 0); write(go[1], "x", 1); siginfo_t info;
                      OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT)); CHECK_EQ(info.si_status, 3);
                      write(told[1], "x", 1); read(go[0], &c, 1); GONE(pid, 3 << 8));
  CHECK_EQ(read(told[0], &c, 1), 1);
  CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
  CHECK_EQ(abi_state(pid), 'Z');
  write(go[1], "x", 1);
  WAIT_OK(tracer);
  WAIT_EXIT(pid, 3);
}

int main(void) {
  memory();
  who();
  ends();
  through_proc();
  parent_and_tracer();
  return 0;
}
