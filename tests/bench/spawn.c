// fork, execve of this very program, exit and wait.
#include <sys/wait.h>

#include "bench.h"

static char *self;

static void run(long ops) {
  char *const arguments[] = {self, "--exit", NULL}, *const environment[] = {NULL};
  for (long i = 0; i < ops; i++) {
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
      execve(self, arguments, environment);
      _exit(1);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) die("the child");
  }
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--exit") == 0) _exit(0);
  self = argv[0];
  return bench(argc, argv, "spawn", run);
}
