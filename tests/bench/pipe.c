// A byte to another process and one back, over two pipes.
#include <signal.h>
#include <sys/wait.h>

#include "bench.h"

static int to_child[2], to_parent[2];

static void run(long ops) {
  char c = 'x';
  for (long i = 0; i < ops; i++)
    if (write(to_child[1], &c, 1) != 1 || read(to_parent[0], &c, 1) != 1) die("parent");
}

int main(int argc, char **argv) {
  if (pipe(to_child) != 0 || pipe(to_parent) != 0) die("pipe");
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    close(to_child[1]);
    char c;
    while (read(to_child[0], &c, 1) == 1)
      if (write(to_parent[1], &c, 1) != 1) _exit(1);
    _exit(0);
  }
  int result = bench(argc, argv, "pipe", run);
  close(to_child[1]);
  waitpid(child, NULL, 0);
  return result;
}
