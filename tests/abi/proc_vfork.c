// vfork(2): memory is the parent's, who waits until the child has exec'ed or gone.
#include <spawn.h>

#include "abi.h"

extern char** environ;
static volatile int g_value;

int main(int argc, char** argv) {
  if (argc > 1) return strcmp(argv[1], "child") == 0 ? 23 : 1;

  g_value = 1;
  pid_t pid = vfork();
  if (pid == 0) {
    g_value = 2;
    _exit(3);
  }
  CHECK(pid > 0);
  CHECK_EQ(g_value, 2);  // it has run already, in our memory
  WAIT_EXIT(pid, 3);

  char* args[] = {argv[0], "child", NULL};
  pid = vfork();
  if (pid == 0) {
    g_value = 3;
    execv(argv[0], args);
    _exit(9);
  }
  CHECK(pid > 0);
  CHECK_EQ(g_value, 3);
  WAIT_EXIT(pid, 23);

  // A failed exec returns to the child, whose parent still waits.
  pid = vfork();
  if (pid == 0) {
    execv("/nonexistent", args);
    g_value = errno;
    _exit(4);
  }
  CHECK_EQ(g_value, ENOENT);
  WAIT_EXIT(pid, 4);

  // Death by signal releases the parent too.
  pid = vfork();
  if (pid == 0) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    _exit(5);
  }
  WAIT_SIGNAL(pid, SIGKILL);

  pid_t spawned;
  ZERO(posix_spawn(&spawned, argv[0], NULL, NULL, args, environ));
  WAIT_EXIT(spawned, 23);
  CHECK_EQ(posix_spawn(&spawned, "/nonexistent", NULL, NULL, args, environ), ENOENT);
  CHECK_EQ(system("exit 7"), 7 << 8);
  FILE* pipe = popen("echo hello", "r");
  char line[32];
  CHECK(fgets(line, sizeof(line), pipe) != NULL);
  CHECK_STR(line, "hello\n");
  CHECK_EQ(pclose(pipe), 0);
  return 0;
}
