#include "draw.h"

// splitmix64: short, and good from every start.
static uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15UL;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9UL;
  value = (value ^ value >> 27) * 0x94d049bb133111ebUL;
  return value ^ value >> 31;
}

uint64_t draw(struct Call* c) {
  c->state += 0x9e3779b97f4a7c15UL;
  return mix(c->state);
}

void seed_call(struct Call* c, uint64_t seed, uint64_t where, uint64_t index) {
  c->state = mix(mix(mix(seed) + where) + index);
}

long odd_number(struct Call* c) {
  static const long kOdd[] = {0,
                              1,
                              -1,
                              2,
                              7,
                              8,
                              64,
                              255,
                              256,
                              4095,
                              4096,
                              4097,
                              65536,
                              0x7fffffff,
                              0x80000000,
                              0xffffffff,
                              0x100000000,
                              0x7fffffffffff,
                              0x800000000000,
                              0x7ffffffffffff000,
                              INT64_MAX,
                              INT64_MIN};
  switch (below(c, 4)) {
    case 0:
      return kOdd[below(c, COUNT(kOdd))];
    case 1:
      return (long)below(c, 64);
    case 2:
      return 1L << below(c, 64);
    default:
      return (long)draw(c);
  }
}

long one_of(struct Call* c, const long* set, size_t count) {
  long value = set[below(c, count)];
  return chance(c, 3) ? odd_number(c) : value;
}

long some_of(struct Call* c, const long* set, size_t count) {
  uint64_t many = below(c, 8), value = 0;  // none, one, one, one, two, two, three, each by chance
  if (many == 7) {
    for (size_t i = 0; i < count; i++) {
      if (chance(c, 30)) value |= (uint64_t)set[i];
    }
  } else {
    for (uint64_t i = 0; i < (many + 1) / 2; i++) value |= (uint64_t)set[below(c, count)];
  }
  if (chance(c, 3)) value |= 1UL << below(c, 40);
  return (long)value;
}
