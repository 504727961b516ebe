// What the programs of tests/bench share. A program times one operation, ROUNDS times so many OPS, and prints
// lines `NAME VALUE UNIT`: the fastest and the median round, in nanoseconds an operation, and how many
// operations there were.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline void die(const char* what) {
  fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
  exit(1);
}

static inline double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare_doubles(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

// Arguments: ROUNDS OPS; OPS 0: as many as take some 20 ms. `run` does `ops` operations.
static inline int bench(int argc, char** argv, const char* name, void (*run)(long ops)) {
  long rounds = argc > 1 ? atol(argv[1]) : 15, ops = argc > 2 ? atol(argv[2]) : 0;
  if (rounds < 1 || rounds > 1000 || ops < 0) {
    fprintf(stderr, "usage: %s [ROUNDS [OPS]]\n", argv[0]);
    return 2;
  }
  long done = 0;
  if (ops == 0) {
    double took = 0;
    for (ops = 1;; ops *= 2) {
      double begun = now_ns();
      run(ops);
      took = now_ns() - begun;
      done += ops;
      if (took > 5e6) break;
    }
    double wanted = (double)ops * 20e6 / took;
    ops = wanted < 1 ? 1 : (long)wanted;
  } else {
    run(ops);
    done += ops;
  }
  static double results[1000];
  for (long i = 0; i < rounds; i++) {
    double begun = now_ns();
    run(ops);
    results[i] = (now_ns() - begun) / (double)ops;
    done += ops;
  }
  qsort(results, (size_t)rounds, sizeof results[0], compare_doubles);
  printf("%s.min %.2f ns\n%s.median %.2f ns\n%s.ops %ld ops\n", name, results[0], name, results[rounds / 2],
         name, done);
  return 0;
}
