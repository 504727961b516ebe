// Runs ABI programs one after another, so that one sandbox serves many: `abi_driver TIMEOUT PROGRAM...`
// prints `RUN name` before each, its output as it comes, and `PASS name` or `FAIL name: why` after it.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t g_current;
static volatile sig_atomic_t g_timed_out;

static void on_alarm(int signal) {
  (void)signal;
  g_timed_out = 1;
  if (g_current > 0) {
    kill(-g_current, SIGKILL);
    kill(g_current, SIGKILL);
  }
}

// What Docker gives to a container: chown dac_override fowner fsetid kill setgid setuid setpcap
// net_bind_service net_raw sys_chroot mknod audit_write setfcap.
#define DOCKER_CAPS 0xa80425fbULL

static void drop_capabilities(void) {
  for (int cap = 0; cap <= 63; cap++) {
    if (!(DOCKER_CAPS >> cap & 1)) prctl(PR_CAPBSET_DROP, cap);
  }
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{(unsigned)DOCKER_CAPS, (unsigned)DOCKER_CAPS, 0},
                                           {DOCKER_CAPS >> 32, DOCKER_CAPS >> 32, 0}};
  if (syscall(SYS_capset, &header, data) != 0) perror("capset");
}

static void child(const char* program) {
  setpgid(0, 0);
  // Whatever the one who started us ignores or blocks is no matter of the program's.
  for (int sig = 1; sig < 65; sig++) signal(sig, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  int null = open("/dev/null", O_RDONLY);
  if (null > 0) dup2(null, 0);
  for (int fd = 3; fd < 64; fd++) close(fd);
  umask(022);
  char* args[] = {(char*)program, NULL};
  execv(program, args);
  fprintf(stderr, "cannot execute %s: %s\n", program, strerror(errno));
  _exit(127);
}

static int run(const char* program, unsigned timeout) {
  const char* slash = strrchr(program, '/');
  const char* name = slash ? slash + 1 : program;
  printf("RUN %s\n", name);
  fflush(stdout);
  g_timed_out = 0;
  pid_t pid = fork();
  if (pid == 0) child(program);
  if (pid < 0) {
    printf("\nFAIL %s: fork: %s\n", name, strerror(errno));
    fflush(stdout);
    return 1;
  }
  g_current = pid;
  alarm(timeout);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  alarm(0);
  g_current = 0;
  // What the program left behind, whether still of its group or handed to us as the first process.
  kill(-pid, SIGKILL);
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  int passed = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !g_timed_out;
  if (passed) {
    printf("PASS %s\n", name);
  } else if (g_timed_out) {
    printf("FAIL %s: no end within %u s\n", name, timeout);
  } else if (WIFSIGNALED(status)) {
    printf("FAIL %s: died of signal %d (%s)\n", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
  } else {
    printf("FAIL %s: exit status %d\n", name, WEXITSTATUS(status));
  }
  fflush(stdout);
  return !passed;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: abi_driver TIMEOUT PROGRAM...\n");
    return 2;
  }
  unsigned timeout = (unsigned)atoi(argv[1]);
  if (getenv("ABI_DROP_CAPS")) drop_capabilities();
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  int failed = 0;
  for (int i = 2; i < argc; i++) failed |= run(argv[i], timeout);
  printf("END\n");
  return failed;
}
