// seccomp(2): filters that the application puts on its own system calls.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ucontext.h>

#include "abi.h"

#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define IF_NOT(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
// One system call gets an answer, the rest is allowed.
#define ON(number, answer) \
  { LOAD(nr), IF_NOT(number, 1), RETURN(answer), RETURN(SECCOMP_RET_ALLOW) }

static long install(unsigned flags, struct sock_filter* program, unsigned short length) {
  struct sock_fprog p = {length, program};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}
#define INSTALL(flags, ...)                                           \
  ({                                                                  \
    struct sock_filter program_[] = __VA_ARGS__;                      \
    install(flags, program_, sizeof(program_) / sizeof(program_[0])); \
  })

static void no_new_privs(void) { OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

static int status_value(const char* name) {
  char text[4096];
  abi_get("/proc/self/status", text, sizeof(text));
  char* at = strstr(text, name);
  CHECK(at != NULL);
  return atoi(at + strlen(name));
}

static volatile sig_atomic_t g_traps;

static void on_sigsys(int signal, siginfo_t* info, void* context) {
  greg_t* r = ((ucontext_t*)context)->uc_mcontext.gregs;
  CHECK_EQ(signal, SIGSYS);
  CHECK_EQ(info->si_code, 1);
  CHECK_EQ(info->si_errno, 77);
  CHECK_EQ(info->si_syscall, SYS_getppid);
  CHECK_EQ(info->si_arch, AUDIT_ARCH_X86_64);
  CHECK_EQ((uintptr_t)info->si_call_addr, r[REG_RIP]);
  CHECK_EQ(r[REG_RAX], SYS_getppid);
  r[REG_RAX] = 4321;
  g_traps++;
}

static void* asks(void* arg) {
  (void)arg;
  errno = 0;
  return (void*)(intptr_t)(syscall(SYS_getppid) == -1 ? errno : 0);
}

static void errors(void) {
  IN_CHILD({
    CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
    no_new_privs();
    CHECK_EQ(status_value("Seccomp:\t"), 0);
    ZERO(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_ERRNO | 123)));
    FAILS(syscall(SYS_getppid), 123);
    CHECK_EQ(syscall(SYS_getpid), getpid());
    CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
    CHECK_EQ(status_value("Seccomp:\t"), 2);
    CHECK_EQ(status_value("Seccomp_filters:\t"), 1);
    // 0 is success; the newest of equals holds; what is too large for an errno is cut.
    ZERO(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_ERRNO | 0)));
    CHECK_EQ(syscall(SYS_getppid), 0);
    ZERO(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_ERRNO | 0xffff)));
    FAILS(syscall(SYS_getppid), 4095);
    // A weaker action changes nothing, without a tracer TRACE is ENOSYS.
    ZERO(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_LOG)));
    FAILS(syscall(SYS_getppid), 4095);
    ZERO(INSTALL(0, ON(SYS_getuid, SECCOMP_RET_TRACE)));
    FAILS(syscall(SYS_getuid), ENOSYS);
    ZERO(INSTALL(0, ON(SYS_getgid, SECCOMP_RET_LOG)));
    CHECK_EQ(syscall(SYS_getgid), getgid());
    CHECK_EQ(status_value("Seccomp_filters:\t"), 6);
    // Children and new programs have them, too.
    IN_CHILD(FAILS(syscall(SYS_getppid), 4095));
    pthread_t thread;
    ZERO(pthread_create(&thread, NULL, asks, NULL));
    void* result;
    ZERO(pthread_join(thread, &result));
    CHECK_EQ((intptr_t)result, 4095);
    pid_t child = FORK(execl("/proc/self/exe", "seccomp_filter", "child", NULL));
    WAIT_EXIT(child, 3);
  });
}

static void arguments(void) {
  IN_CHILD({
    no_new_privs();
    // dup(2) of 1000 and above is refused, by the upper half of the argument as well.
    ZERO(INSTALL(0, {LOAD(arch), IF_NOT(AUDIT_ARCH_X86_64, 7), LOAD(nr), IF_NOT(SYS_dup, 6), LOAD(args[0]),
                     BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 1000, 3, 0),
                     BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + 4),
                     IF_NOT(0, 1), BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), RETURN(SECCOMP_RET_ERRNO | ENOTTY),
                     RETURN(SECCOMP_RET_ALLOW)}));
    OK(syscall(SYS_dup, 1));
    FAILS(syscall(SYS_dup, 1000), ENOTTY);
    FAILS(syscall(SYS_dup, 999), EBADF);
    FAILS(syscall(SYS_dup, 0x100000001), ENOTTY);
  });
}

static void traps(void) {
  IN_CHILD({
    no_new_privs();
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGSYS, &action, NULL));
    ZERO(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_TRAP | 77)));
    CHECK_EQ(syscall(SYS_getppid), 4321);
    CHECK_EQ(g_traps, 1);
  });
  pid_t child =
      FORK(no_new_privs(); ZERO(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_TRAP))); syscall(SYS_getppid));
  WAIT_SIGNAL(child, SIGSYS);
}

static void* call_it(void* arg) {
  syscall(SYS_getppid);
  return arg;
}

static void kills(void) {
  pid_t child = FORK(no_new_privs(); ZERO(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS)));
                     signal(SIGSYS, SIG_IGN); pthread_t t; ZERO(pthread_create(&t, NULL, call_it, NULL));
                     pthread_join(t, NULL));
  WAIT_SIGNAL(child, SIGSYS);
  child =
      FORK(no_new_privs(); ZERO(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_KILL_THREAD))); syscall(SYS_getppid));
  WAIT_SIGNAL(child, SIGSYS);
  // Beside other threads one alone dies.
  IN_CHILD({
    no_new_privs();
    ZERO(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_KILL_THREAD)));
    pthread_t t;
    ZERO(pthread_create(&t, NULL, call_it, NULL));
    ZERO(pthread_join(t, NULL));
  });
  // An action that nobody knows kills as well.
  child = FORK(no_new_privs(); ZERO(INSTALL(0, ON(SYS_getppid, 0x12340000))); syscall(SYS_getppid));
  WAIT_SIGNAL(child, SIGSYS);
}

static void strict(void) {
  int pipes[2];
  OK(pipe(pipes));
  pid_t child =
      FORK(OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)); OK(write(pipes[1], "x", 1)); syscall(SYS_exit, 5));
  WAIT_EXIT(child, 5);
  char c;
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  child = FORK(OK(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL)); syscall(SYS_getpid));
  WAIT_SIGNAL(child, SIGKILL);
}

static atomic_int g_step;

static void* waits(void* arg) {
  atomic_fetch_add(&g_step, 1);
  while (atomic_load(&g_step) < 2) sched_yield();
  return asks(arg);
}

static void* has_its_own(void* arg) {
  ZERO(INSTALL(0, ON(SYS_getgid, SECCOMP_RET_ERRNO | 9)));
  *(pid_t*)arg = syscall(SYS_gettid);
  return waits(arg);
}

static void threads(void) {
  IN_CHILD({
    no_new_privs();
    pthread_t t;
    ZERO(pthread_create(&t, NULL, waits, NULL));
    while (atomic_load(&g_step) < 1) sched_yield();
    ZERO(INSTALL(SECCOMP_FILTER_FLAG_TSYNC, ON(SYS_getppid, SECCOMP_RET_ERRNO | 55)));
    atomic_fetch_add(&g_step, 1);
    void* result;
    ZERO(pthread_join(t, &result));
    CHECK_EQ((intptr_t)result, 55);
  });
  IN_CHILD({
    no_new_privs();
    pthread_t t;
    pid_t tid = 0;
    ZERO(pthread_create(&t, NULL, has_its_own, &tid));
    while (atomic_load(&g_step) < 1) sched_yield();
    CHECK_EQ(INSTALL(SECCOMP_FILTER_FLAG_TSYNC, ON(SYS_getppid, SECCOMP_RET_ERRNO | 55)), tid);
    FAILS(INSTALL(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
                  ON(SYS_getppid, SECCOMP_RET_ERRNO | 55)),
          ESRCH);
    CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
    atomic_fetch_add(&g_step, 1);
    ZERO(pthread_join(t, NULL));
  });
}

static void refusals(void) {
  FAILS(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
  FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
  FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, "x"), EINVAL);
  FAILS(prctl(PR_SET_SECCOMP, 77, 0), EINVAL);
  IN_CHILD({
    no_new_privs();
    FAILS(INSTALL(1u << 20, ON(1, 0)), EINVAL);
    FAILS(install(0, NULL, 0), EINVAL);
    FAILS(install(0, NULL, 1), EINVAL);
    FAILS(install(0, (struct sock_filter*)8, 1), EFAULT);
    FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
    FAILS(INSTALL(0, {LOAD(nr)}), EINVAL);
    FAILS(INSTALL(0, {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0)}), EINVAL);
    FAILS(INSTALL(0, {BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN(0)}), EINVAL);
    FAILS(INSTALL(0, {IF_NOT(1, 1), RETURN(0)}), EINVAL);
    CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
  });
  // Only with no_new_privs or CAP_SYS_ADMIN.
  IN_CHILD({
    OK(setgid(1000));
    OK(setuid(1000));
    FAILS(INSTALL(0, ON(SYS_getppid, SECCOMP_RET_ALLOW)), EACCES);
    struct sock_filter program[] = {RETURN(SECCOMP_RET_ALLOW)};
    struct sock_fprog p = {1, program};
    FAILS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p), EACCES);
    no_new_privs();
    OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p));
    CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
  });
  uint32_t action = SECCOMP_RET_ERRNO;
  ZERO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
  action = 0x12340000;
  FAILS(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "child") == 0) return syscall(SYS_getppid) == -1 && errno == 4095 ? 3 : 4;
  errors();
  arguments();
  traps();
  kills();
  strict();
  threads();
  refusals();
  return 0;
}
