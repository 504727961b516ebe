// Address spaces.
#include <sys/mman.h>

#include "calls.h"
#include "memory.h"

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

ONE_OF(protection, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE,
       PROT_READ | PROT_EXEC, PROT_WRITE, PROT_READ | PROT_WRITE | PROT_EXEC, PROT_READ | PROT_GROWSDOWN)
SOME_OF(map_flags, MAP_NORESERVE, MAP_POPULATE, MAP_GROWSDOWN, MAP_LOCKED, MAP_NONBLOCK, MAP_STACK, MAP_32BIT,
        MAP_HUGETLB, MAP_FIXED_NOREPLACE)
ONE_OF(map_sharing, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE)
SOME_OF(remap_flags, MREMAP_MAYMOVE, MREMAP_FIXED | MREMAP_MAYMOVE, 4)
SOME_OF(sync_flags, MS_ASYNC, MS_SYNC, MS_INVALIDATE)
ONE_OF(memory_advice, 0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25)
SOME_OF(lock_all, MCL_CURRENT, MCL_FUTURE, 4)
SOME_OF(lock_flags, 1)
ONE_OF(memory_policy, 0, 0, 1, 2, 3, 4, 5, 6, 7, 2 | 1 << 13, 2 | 1 << 14, 2 | 1 << 15, 3 << 14)
ONE_OF(node_count, 0, 1, 2, 64, 64, 64, 65, 1024, 40000)
SOME_OF(policy_asked, 1, 2, 4, 8)
SOME_OF(pages_moved, 1, 2, 4, 8)

static void draw_mmap(struct Call* c) {
  bool anonymous = chance(c, 50), fixed = chance(c, 60);
  c->a[0] = fixed ? area(c) : map_hint(c);
  // What stands outside the arena is not ours to map over.
  if (fixed && chance(c, 99) && (c->a[0] < (long)g_arena || c->a[0] >= (long)g_arena + kArenaSize))
    c->a[0] = (long)g_arena;
  c->a[1] = area_size(c);
  if (fixed && (unsigned long)c->a[1] > (unsigned long)((long)g_arena + kArenaSize - c->a[0])) c->a[1] = 4096;
  c->a[2] = protection(c);
  c->a[3] = map_flags(c) | map_sharing(c) | (anonymous ? MAP_ANONYMOUS : 0) | (fixed ? MAP_FIXED : 0);
  c->a[4] = anonymous ? -1 : fd_data(c);
  c->a[5] = anonymous ? 0 : chance(c, 95) ? (long)below(c, 6) * 4096 : odd_number(c);
}

static void keep_region(struct Call* c) {
  if (c->a[3] & MAP_FIXED) return;
  if ((unsigned long)c->a[1] <= 32 * 4096) {
    keep(c, kRegion, c->result);
  } else {
    raw3(SYS_munmap, c->result, c->a[1], 0);
  }
}

// Only in the arena and in what calls mapped, or the worker loses its own memory.
static long own_area(struct Call* c) {
  long in_arena = (long)g_arena + (long)below(c, kArenaSize / kPage - 24) * kPage,
       region = taken(c, kRegion, in_arena);
  uint64_t luck = below(c, 100);
  if (luck < 70) return in_arena;
  return luck < 97 ? region : luck < 98 ? in_arena + 1 : wild_pointer(c) & -4096;
}

static long own_size(struct Call* c) {
  uint64_t luck = below(c, 200);
  return luck < 196 ? (long)(1 + below(c, 12)) * kPage : luck < 199 ? 0 : odd_number(c);
}

static void draw_mremap(struct Call* c) {
  for (int i = 0; i < 3; i++) c->a[i] = i == 0 ? own_area(c) : own_size(c);
  c->a[3] = remap_flags(c);
  c->a[4] = own_area(c);
}

static long break_at(struct Call* c) {
  long now = raw3(SYS_brk, 0, 0, 0);
  return chance(c, 30) ? 0 : chance(c, 95) ? now + (long)below(c, 8192) - 4096 : odd_number(c);
}

static const struct Row kRows[] = {
    {SYS_mmap, 24, .prepare = draw_mmap, .after = keep_region},
    {SYS_mprotect, 8, .args = {own_area, own_size, protection}},
    {SYS_munmap, 6, .args = {own_area, own_size}},
    {SYS_mremap, 8, .prepare = draw_mremap},
    {SYS_madvise, 8, .args = {own_area, own_size, memory_advice}},
    {SYS_process_madvise, 2, .args = {fd_any, iovec, count_16, memory_advice, zero}},
    {SYS_remap_file_pages, 2, .args = {own_area, own_size, zero, count_16, zero}},
    {SYS_mbind, 2, .args = {own_area, own_size, memory_policy, in_noise, node_count, pages_moved}},
    {SYS_set_mempolicy, 1, .args = {memory_policy, in_noise, node_count}},
    {SYS_get_mempolicy, 2, .args = {out_8, out_256, node_count, area, policy_asked}},
    {SYS_migrate_pages, 1, .args = {pid_any, node_count, in_noise, in_noise}},
    {SYS_move_pages, 1, .args = {pid_any, count_16, in_noise, in_noise, out_256, pages_moved}},
    {SYS_set_mempolicy_home_node, 1, .args = {own_area, own_size, zero, zero}},
    {SYS_mincore, .args = {area, area_size, out_256}},
    {SYS_msync, .args = {area, area_size, sync_flags}},
    {SYS_mlock, .args = {area, area_size}},
    {SYS_mlock2, .args = {area, area_size, lock_flags}},
    {SYS_munlock, .args = {area, area_size}},
    {SYS_mlockall, 1, .args = {lock_all}},
    {SYS_munlockall, 1},
    {SYS_brk, 2, .args = {break_at}},
};

struct Rows memory_rows(void) {
  return ROWS(kRows);
}
