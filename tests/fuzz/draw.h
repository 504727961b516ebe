// What a call is while it is put together, and the random numbers it draws. Every call has numbers of its
// own, decided by the seed, its task and its place: what the calls before it gave back does not shift them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { kSyscalls = 512, kArguments = 6 };

struct Task;
struct Row;

struct Call {
  struct Task* task;
  const struct Row* row;
  uint64_t state;
  long number;
  long a[kArguments];
  int at;       // the argument that is being drawn
  long extent;  // bytes in the buffer drawn last
  long result;
};

// Draws one argument of a call.
typedef long Drawer(struct Call* c);

uint64_t draw(struct Call* c);

// The numbers of a call: `where` tells tasks apart, `index` the calls of a task.
void seed_call(struct Call* c, uint64_t seed, uint64_t where, uint64_t index);

static inline uint64_t below(struct Call* c, uint64_t limit) { return draw(c) % limit; }
static inline bool chance(struct Call* c, unsigned percent) { return below(c, 100) < percent; }

// A number at one of the edges where kernels go wrong.
long odd_number(struct Call* c);

// One of the numbers, rarely another.
long one_of(struct Call* c, const long* set, size_t count);

// Some of the bits of the set, often none, rarely one that is not in it.
long some_of(struct Call* c, const long* set, size_t count);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// Defines a drawer of one of the values, or of some of the flags.
#define ONE_OF(name, ...)                     \
  static long name(struct Call* c) {          \
    static const long kSet[] = {__VA_ARGS__}; \
    return one_of(c, kSet, COUNT(kSet));      \
  }
#define SOME_OF(name, ...)                    \
  static long name(struct Call* c) {          \
    static const long kSet[] = {__VA_ARGS__}; \
    return some_of(c, kSet, COUNT(kSet));     \
  }
