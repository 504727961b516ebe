// clone(2): what each flag shares, and the words it writes.
#include <linux/futex.h>

#include "abi.h"

static char g_stack[65536] __attribute__((aligned(16)));
static volatile int g_value;
static int g_fd;
static pid_t g_parent_tid, g_child_tid;

static pid_t start(int (*fn)(void*), int flags) {
  return OK(clone(fn, g_stack + sizeof(g_stack), flags, NULL, &g_parent_tid, NULL, &g_child_tid));
}

static int set_value(void* arg) {
  (void)arg;
  g_value = 9;
  return 5;
}

static int close_fd(void* arg) {
  (void)arg;
  return close(g_fd) == 0 ? 0 : 1;
}

static int change_fs(void* arg) {
  (void)arg;
  umask(027);
  return chdir("/") == 0 ? 0 : 1;
}

static int change_action(void* arg) {
  (void)arg;
  return signal(SIGUSR1, SIG_IGN) == SIG_DFL ? 0 : 1;
}

static int check_tids(void* arg) {
  (void)arg;
  if (g_child_tid != syscall(SYS_gettid)) return 1;
  return g_parent_tid == 0 ? 0 : 2;  // that one is written in the parent's memory
}

static int same_parent(void* arg) {
  (void)arg;
  g_value = getppid();
  return 0;
}

int main(void) {
  const char* dir = abi_scratch();
  char cwd[256];

  g_value = 1;
  WAIT_EXIT(start(set_value, SIGCHLD), 5);
  CHECK_EQ(g_value, 1);
  WAIT_EXIT(start(set_value, CLONE_VM | SIGCHLD), 5);
  CHECK_EQ(g_value, 9);

  g_fd = OK(open("/dev/null", O_RDONLY));
  WAIT_OK(start(close_fd, SIGCHLD));
  OK(fcntl(g_fd, F_GETFD));
  WAIT_OK(start(close_fd, CLONE_FILES | SIGCHLD));
  FAILS(fcntl(g_fd, F_GETFD), EBADF);

  WAIT_OK(start(change_fs, SIGCHLD));
  CHECK_STR(getcwd(cwd, sizeof(cwd)), dir);
  WAIT_OK(start(change_fs, CLONE_FS | SIGCHLD));
  CHECK_STR(getcwd(cwd, sizeof(cwd)), "/");
  CHECK_EQ(umask(022), 027);

  struct sigaction action;
  WAIT_OK(start(change_action, CLONE_VM | SIGCHLD));
  OK(sigaction(SIGUSR1, NULL, &action));
  CHECK_EQ(action.sa_handler, SIG_DFL);
  WAIT_OK(start(change_action, CLONE_VM | CLONE_SIGHAND | SIGCHLD));
  OK(sigaction(SIGUSR1, NULL, &action));
  CHECK_EQ(action.sa_handler, SIG_IGN);

  g_parent_tid = g_child_tid = 0;
  pid_t pid = start(check_tids, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD);
  CHECK_EQ(g_parent_tid, pid);
  CHECK_EQ(g_child_tid, 0);  // written in the child's memory
  WAIT_OK(pid);

  // The word is cleared and woken when the thread's memory goes.
  g_child_tid = 77;
  pid = start(set_value, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD);
  while (*(volatile pid_t*)&g_child_tid == 77)
    syscall(SYS_futex, &g_child_tid, FUTEX_WAIT, 77, NULL, NULL, 0);
  CHECK_EQ(g_child_tid, 0);
  WAIT_EXIT(pid, 5);

  pid = start(same_parent, CLONE_VM | CLONE_VFORK | SIGCHLD);
  CHECK_EQ(g_value, getpid());
  WAIT_OK(pid);
  IN_CHILD({
    pid_t grandparent = getppid();
    // The signal of a sibling's end is that of its maker, not the one that is asked for.
    start(same_parent, CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGUSR2);
    CHECK_EQ(g_value, grandparent);
    FAILS(waitpid(-1, NULL, 0), ECHILD);
  });
  CHECK(waitpid(-1, NULL, 0) > 0);

  // A child that ends with another signal is waited for with __WCLONE.
  pid = start(set_value, 0);
  FAILS(waitpid(pid, NULL, 0), ECHILD);
  CHECK_EQ(waitpid(pid, NULL, __WCLONE), pid);
  CHECK_EQ(signal(SIGUSR2, SIG_IGN), SIG_DFL);
  pid = start(set_value, SIGUSR2 | CLONE_VM);
  CHECK_EQ(waitpid(pid, NULL, __WALL), pid);

  void* top = g_stack + sizeof(g_stack);
  FAILS(clone(set_value, top, CLONE_SIGHAND | SIGCHLD, NULL), EINVAL);
  FAILS(clone(set_value, top, CLONE_THREAD | CLONE_VM | SIGCHLD, NULL), EINVAL);
  FAILS(clone(set_value, top, CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL), EINVAL);
  return 0;
}
