// What /proc tells of the allocator: buddyinfo, zoneinfo, pagetypeinfo, slabinfo, vmallocinfo. There is one
// node, of one zone.
#include "kernel/pid.h"
#include "kernel/proc/proc.h"
#include "kernel/task_pool.h"
#include "mm/phys_blocks.h"

namespace runsc::kernel::proc {

namespace {
// Linux has blocks of up to 4 MiB.
constexpr unsigned kOrders = 11;
static_assert(mm::kMaxOrder < kOrders);

void show_free_blocks(TextSink& out) {
  uint64_t blocks[kOrders] = {};
  mm::phys_free_blocks(std::span<uint64_t, mm::kMaxOrder + 1>(blocks, mm::kMaxOrder + 1));
  for (const uint64_t n : blocks) format(out, "{:6} ", n);
  out.write("\n");
}
}  // namespace

Result<void> show_buddyinfo(TextSink& out) {
  out.write("Node 0, zone   Normal ");
  show_free_blocks(out);
  return {};
}

Result<void> show_pagetypeinfo(TextSink& out) {
  out.write("Page block order: 9\nPages per block:  512\n\n");
  format(out, "{:<43}", "Free pages count per migrate type at order");
  for (unsigned i = 0; i < kOrders; ++i) format(out, "{:6} ", i);
  out.write("\nNode    0, zone   Normal, type      Movable ");
  show_free_blocks(out);
  const uint64_t blocks = mm::phys_stats().total_pages >> 9;
  format(out, "\n{:<23}{:>12} \nNode 0, zone   Normal {:12} \n", "Number of blocks type", "Movable", blocks);
  return {};
}

Result<void> show_zoneinfo(TextSink& out) {
  const mm::PhysStats s = mm::phys_stats();
  const uint64_t reserve = mm::phys_reserve();
  format(out,
         "Node 0, zone   Normal\n  per-node stats\n      nr_anon_pages {}\n  pages free     {}\n        "
         "boost    "
         "0\n        min      {}\n        low      {}\n        high     {}\n        spanned  {}\n        "
         "present  "
         "{}\n        managed  {}\n        cma      0\n        protection: (0, 0, 0, 0)\n      nr_free_pages "
         "{}\n",
         s.total_pages - s.free_pages, s.free_pages, reserve, reserve + reserve / 4, reserve + reserve / 2,
         s.total_pages, s.total_pages, s.total_pages, s.free_pages);
  out.write("  pagesets\n");
  for (unsigned i = 0; i < arch::cpu_count(); ++i)
    format(out, "    cpu: {}\n              count: 0\n              high:  0\n              batch: 1\n", i);
  out.write("  node_unreclaimable:  0\n  start_pfn:           0\n");
  return {};
}

// Of objects only tasks have a pool of their own.
Result<void> show_slabinfo(TextSink& out) {
  out.write(
      "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> "
      "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> "
      "<sharedavail>\n");
  uint64_t active = 0;
  {
    LockGuard tree(g_tree_lock);
    for (ThreadGroup& g : all_groups()) active += g.thread_count;
  }
  const uint64_t all = active + task_pool_bytes() / sizeof(Task);
  format(out, "{:<17} {:6} {:6} {:6} {:4} {:4} : tunables    0    0    0 : slabdata {:6} {:6}      0\n",
         "task_struct", active, all, sizeof(Task), 1, (sizeof(Task) + mm::kPageSize - 1) / mm::kPageSize, all,
         all);
  return {};
}

}  // namespace runsc::kernel::proc
