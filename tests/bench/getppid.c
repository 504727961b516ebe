// The smallest system call.
#include <sys/syscall.h>

#include "bench.h"

static void run(long ops) {
  for (long i = 0; i < ops; i++) syscall(SYS_getppid);
}

int main(int argc, char **argv) { return bench(argc, argv, "getppid", run); }
