#include "memory.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "calls.h"

char *g_arena, *g_shifting;
static char* g_blocks;
static char* g_read_only;

void make_memory(void) {
  const int kAnon = MAP_PRIVATE | MAP_ANONYMOUS;
  char* at = mmap(NULL, (kBlocks + 1) * kBlock, PROT_READ | PROT_WRITE, kAnon | MAP_NORESERVE, -1, 0);
  g_blocks = (char*)(((unsigned long)at + kBlock - 1) / kBlock * kBlock);
  g_arena = mmap(NULL, kArenaSize, PROT_READ | PROT_WRITE, kAnon, -1, 0);
  g_shifting = mmap(NULL, kShiftingSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_read_only = mmap(NULL, kPage, PROT_READ, kAnon, -1, 0);
}

struct Task* new_task(unsigned number) {
  char* base = g_blocks + number * kBlock;
  struct Task* task = (struct Task*)base;
  memset(task, 0, sizeof(*task));
  task->stack_top = base + kStackEnd - 64;
  task->data = base + kStackEnd;
  mprotect(task->data + kDataSize, kPage, PROT_NONE);
  return task;
}

struct Task* task_of(unsigned long stack) {
  return (struct Task*)(stack & ~(kBlock - 1UL));
}

long wild_pointer(struct Call* c) {
  switch (below(c, 8)) {
    case 0:
      return 0;
    case 1:
      return (long)g_read_only + (long)below(c, kPage);
    case 2:
      return (long)(c->task->data + kDataSize) - (long)below(c, 16);  // over the edge
    case 3:
      return (long)(0xffff800000000000UL + (draw(c) & 0x7fffffffffff));
    case 4:
      return (long)(0x7ffffffff000UL - below(c, 64));
    case 5:
      return (long)(draw(c) & 0x7fffffffffff);
    case 6:
      return (long)g_arena + (long)below(c, kArenaSize);
    default:
      return odd_number(c);
  }
}

long place(struct Call* c, const void* at) { return chance(c, 96) ? (long)at : wild_pointer(c); }

char* room(struct Call* c, size_t size) {
  struct Task* task = c->task;
  uint64_t luck = below(c, 100), somewhere = draw(c);
  size_t step = (size + 15) / 16 * 16;
  char* at;
  if (luck < 5) {
    at = task->data + kDataSize - size;
  } else if (luck < 9) {
    at = g_shifting + somewhere % (kShiftingSize - size);
  } else {
    if (task->used + step + 16 > kDataSize) task->used = 0;
    at = task->data + task->used + (luck < 12 ? somewhere % 16 : 0);
    task->used += step + 16;
  }
  memset(at, 0, size);
  c->extent = (long)size;
  return at;
}

void noise(struct Call* c, char* at, size_t size) {
  for (size_t i = 0; i + 8 <= size && i < 512; i += 8) {
    uint64_t luck = below(c, 10), value = draw(c);
    if (luck < 4)
      value = 0;
    else if (luck < 7)
      value %= 16;
    else if (luck < 8)
      value = (uint64_t)(c->task->data + value % kDataSize);
    memcpy(at + i, &value, 8);
  }
}

char* text(struct Call* c, const char* from) {
  size_t size = strlen(from) + 1;
  char* at = room(c, size);
  memcpy(at, from, size);
  return at;
}

bool peek(void* to, long from, size_t size) {
  char* at = (char*)from;
  if (at < g_blocks || at + size > g_blocks + kBlocks * kBlock) return false;
  memcpy(to, at, size);
  return true;
}

void spoil(struct Call* c) {
  static const int kProtections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};
  char* page = g_shifting + below(c, kShiftingSize / kPage) * kPage;
  uint64_t protection = (uint64_t)kProtections[below(c, 4)], luck = below(c, 10);
  if (luck < 5) {
    raw3(SYS_mprotect, (long)page, kPage, (long)protection);
  } else if (luck < 7) {
    raw3(SYS_madvise, (long)page, kPage, luck == 5 ? MADV_DONTNEED : MADV_REMOVE);
  } else {
    int sharing = luck == 7 ? MAP_SHARED : MAP_PRIVATE;
    long a[kArguments] = {(long)page, kPage, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_ANONYMOUS | sharing,
                          -1,         0};
    raw_call(SYS_mmap, a);
  }
  for (int i = 0; i < 32; i++) {
    char* data = g_blocks + below(c, 3) * kBlock + kStackEnd;
    uint64_t offset = below(c, 512) * 4, value = draw(c);  // where buffers of calls begin
    uint64_t size = value % 3 == 0 ? (value >> 8) % 64 : value % 3 == 1 ? 0xffffffff : value >> 32;
    *(volatile unsigned*)(data + offset) = (unsigned)size;
  }
}

#define OUT(name, size) \
  long name(struct Call* c) { return place(c, room(c, size)); }
OUT(out_8, 8)
OUT(out_64, 64)
OUT(out_256, 256)
OUT(out_4k, 4096)

long in_noise(struct Call* c) {
  char* at = room(c, 64);
  noise(c, at, 64);
  return place(c, at);
}

long buffer(struct Call* c) {
  size_t size = below(c, 4) == 0 ? below(c, 20000) : below(c, 300);
  char* at = room(c, size);
  noise(c, at, size < 64 ? size : 64);
  c->extent = (long)size;
  return place(c, at);
}

long buffer_of_8(struct Call* c) {
  char* at = room(c, 8);
  uint64_t value = below(c, 3) ? below(c, 100) : draw(c);
  memcpy(at, &value, 8);
  return place(c, at);
}

long extent(struct Call* c) {
  uint64_t luck = below(c, 100);
  long odd_one = odd_number(c), less = (long)below(c, (uint64_t)c->extent + 1);
  return luck < 90 ? c->extent : luck < 96 ? less : odd_one;
}

long iovec(struct Call* c) {
  uint64_t count = below(c, 8);
  struct iovec vec[8] = {0};
  for (uint64_t i = 0; i < count; i++) {
    size_t size = below(c, 4) ? below(c, 200) : below(c, 5000);
    vec[i].iov_base = (void*)place(c, room(c, size));
    vec[i].iov_len = chance(c, 98) ? size : (size_t)odd_number(c);
  }
  char* at = room(c, sizeof(vec));
  memcpy(at, vec, sizeof(vec));
  c->extent = (long)count;
  return place(c, at);
}

long count_16(struct Call* c) { return chance(c, 92) ? (long)below(c, 16) : odd_number(c); }

long offset_pointer(struct Call* c) {
  if (chance(c, 60)) return 0;
  char* at = room(c, 8);
  uint64_t offset = below(c, 30000);
  memcpy(at, &offset, 8);
  return place(c, at);
}

long area(struct Call* c) {
  long in_arena = (long)g_arena + (long)below(c, kArenaSize / kPage) * kPage,
       region = taken(c, kRegion, in_arena);
  uint64_t luck = below(c, 100);
  if (luck < 80) return in_arena;
  if (luck < 95) return region;
  return luck < 97 ? in_arena + 1 : wild_pointer(c) & (luck == 97 ? ~4095L : -1L);
}

long area_size(struct Call* c) { return chance(c, 94) ? (long)(1 + below(c, 24)) * kPage : odd_number(c); }
long map_hint(struct Call* c) { return chance(c, 30) ? 0 : area(c); }
long file_offset(struct Call* c) { return chance(c, 92) ? (long)below(c, 30000) : odd_number(c); }
long small(struct Call* c) { return chance(c, 92) ? (long)below(c, 32) : odd_number(c); }
long zero(struct Call* c) { return chance(c, 96) ? 0 : odd_number(c); }
long odd(struct Call* c) { return odd_number(c); }
long length(struct Call* c) { return chance(c, 92) ? (long)below(c, 8192) : odd_number(c); }

long bits(struct Call* c) {
  long value = 0;
  for (uint64_t i = below(c, 4); i > 0; i--) value |= 1L << below(c, 32);
  return value;
}
