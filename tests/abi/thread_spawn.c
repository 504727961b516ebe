// Threads that start programs at the same time: posix_spawn, fork and exec, pipes to each, no descriptor
// astray.
#include <spawn.h>

#include "abi.h"

extern char** environ;

static void* spawns(void* arg) {
  for (int i = 0; i < 3; i++) {
    int fds[2];
    OK(pipe2(fds, O_CLOEXEC));
    posix_spawn_file_actions_t actions;
    ZERO(posix_spawn_file_actions_init(&actions));
    ZERO(posix_spawn_file_actions_adddup2(&actions, fds[1], 1));
    char text[32], got[64] = "";
    snprintf(text, sizeof(text), "%lu-%d", (unsigned long)(uintptr_t)arg, i);
    char* args[] = {"echo", text, NULL};
    pid_t pid;
    ZERO(posix_spawn(&pid, "/bin/echo", &actions, NULL, args, environ));
    OK(close(fds[1]));
    size_t have = 0;
    // The end comes when this child is gone: no other has the writing end.
    for (ssize_t n; (n = OK(read(fds[0], got + have, sizeof(got) - 1 - have))) > 0;) have += n;
    strcat(text, "\n");
    CHECK_STR(got, text);
    OK(close(fds[0]));
    WAIT_OK(pid);
    ZERO(posix_spawn_file_actions_destroy(&actions));
  }
  return NULL;
}

static void* forks(void* arg) {
  for (int i = 0; i < 3; i++) {
    pid_t pid = FORK({
      char* args[] = {"sh", "-c", "exit 9", NULL};
      OK(execv("/bin/sh", args));
    });
    WAIT_EXIT(pid, 9);
  }
  return arg;
}

static void* allocates(void* arg) {
  for (int i = 0; i < 200; i++) {
    char* p = malloc(200000);
    memset(p, 1, 200000);
    free(p);
  }
  return arg;
}

int main(void) {
  pthread_t threads[6];
  for (uintptr_t i = 0; i < 6; i++) {
    ZERO(pthread_create(&threads[i], NULL, i < 3 ? spawns : i < 5 ? forks : allocates, (void*)i));
  }
  for (int i = 0; i < 6; i++) ZERO(pthread_join(threads[i], NULL));
  FAILS(waitpid(-1, NULL, WNOHANG), ECHILD);
  // Attributes of a spawned program.
  posix_spawnattr_t attr;
  ZERO(posix_spawnattr_init(&attr));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ZERO(posix_spawnattr_setsigmask(&attr, &set));
  ZERO(posix_spawnattr_setpgroup(&attr, 0));
  ZERO(posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP));
  char* args[] = {"grep", "-q", "SigBlk:.*0200$", "/proc/self/status", NULL};
  pid_t pid;
  ZERO(posix_spawn(&pid, "/bin/grep", NULL, &attr, args, environ));
  CHECK_EQ(getpgid(pid), pid);
  WAIT_OK(pid);
  return 0;
}
