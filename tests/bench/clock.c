// clock_gettime(2), through the vDSO where there is one.
#include "bench.h"

static void run(long ops) {
  struct timespec t;
  for (long i = 0; i < ops; i++) clock_gettime(CLOCK_MONOTONIC, &t);
}

int main(int argc, char **argv) { return bench(argc, argv, "clock_gettime", run); }
