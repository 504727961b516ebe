#include "mm/page_table.h"

#include <algorithm>

#include "kernel/base/check.h"

namespace runsc::mm {
namespace {

using Entry = std::atomic<uint64_t>;

// Levels count from the leaf tables: 1 leaf .. 4 top.
constexpr unsigned shift_of(unsigned level) { return 12 + 9 * (level - 1); }
constexpr size_t index_of(uint64_t address, unsigned level) { return (address >> shift_of(level)) & 511; }

// SAFETY: table pages are RAM of the sandbox, 512 naturally aligned entries.
Entry* table_at(uint64_t entry_or_phys) {
  return static_cast<Entry*>(arch::phys_to_virt(entry_or_phys & Pte::kAddress));
}

// Access is decided by the leaves alone, so upper entries never change between linking and unlinking.
constexpr uint64_t kUpper = Pte::kPresent | Pte::kWrite | Pte::kUser | Pte::kAccessed;

Result<uint64_t> link_table(arch::UserSpace& space, Entry& entry) {
  Page* fresh = TRY(alloc_page(Zero::yes, Use::sentry));
  uint64_t value;
  {
    LockGuard guard(space.pte_lock);
    value = entry.load(std::memory_order_acquire);
    if (!(value & Pte::kPresent)) {
      value = page_phys(*fresh) | kUpper;
      entry.store(value, std::memory_order_release);
      fresh = nullptr;
    }
  }
  if (fresh) put_page(*fresh);  // never linked
  return value;
}

}  // namespace

PteSlot find_slot(const arch::UserSpace& space, uint64_t address) {
  Entry* table = table_at(space.root_phys);
  for (unsigned level = 4; level > 1; --level) {
    uint64_t value = table[index_of(address, level)].load(std::memory_order_acquire);
    if (!(value & Pte::kPresent)) return {};
    table = table_at(value);
  }
  return PteSlot(&table[index_of(address, 1)]);
}

Result<PteSlot> make_slot(arch::UserSpace& space, uint64_t address) {
  Entry* table = table_at(space.root_phys);
  for (unsigned level = 4; level > 1; --level) {
    Entry& entry = table[index_of(address, level)];
    uint64_t value = entry.load(std::memory_order_acquire);
    if (!(value & Pte::kPresent)) value = TRY(link_table(space, entry));
    table = table_at(value);
  }
  return PteSlot(&table[index_of(address, 1)]);
}

uint64_t next_table(const arch::UserSpace& space, uint64_t address, uint64_t end) {
  while (address < end) {
    Entry* table = table_at(space.root_phys);
    unsigned level = 4;
    for (; level > 1; --level) {
      uint64_t value = table[index_of(address, level)].load(std::memory_order_acquire);
      if (!(value & Pte::kPresent)) break;
      table = table_at(value);
    }
    if (level == 1) return address;
    address = ((address >> shift_of(level)) + 1) << shift_of(level);
  }
  return end;
}

namespace {

// Unlinks below `table`, which maps [base, ...) and is of `level`.
void unlink_below(arch::UserSpace& space, Entry* table, unsigned level, uint64_t base, const Hole& hole,
                  RetiredTables& out) {
  uint64_t span = uint64_t{1} << shift_of(level);
  uint64_t at = hole.start > base ? base + (hole.start - base) / span * span : base;
  uint64_t last = std::min(hole.end, base + 512 * span);
  for (; at < last; at += span) {
    Entry& entry = table[index_of(at, level)];
    uint64_t value = entry.load(std::memory_order_acquire);
    if (!(value & Pte::kPresent)) continue;
    if (level > 2) unlink_below(space, table_at(value), level - 1, at, hole, out);
    if (at < hole.floor || hole.ceiling < at + span) continue;
    {
      LockGuard guard(space.pte_lock);
      entry.store(0, std::memory_order_release);
    }
    out.add(*page_of_phys(value & Pte::kAddress));
  }
}

}  // namespace

void unlink_tables(arch::UserSpace& space, const Hole& hole, RetiredTables& out) {
  unlink_below(space, table_at(space.root_phys), 4, 0, hole, out);
}

namespace {

// Where tables are shadowed they wait here, unlinked, zeroed and untouched, for one flush for all of them.
struct Quarantine {
  SpinLock lock{LockRank::leaf};
  Page* first GUARDED_BY(lock) = nullptr;
  size_t count GUARDED_BY(lock) = 0;
  size_t max GUARDED_BY(lock) = 1024;
};
constinit Quarantine g_quarantine;

void free_chain(Page* first) {
  while (first) {
    Page* next = first->next;
    first->next = nullptr;
    put_page(*first);
    first = next;
  }
}

}  // namespace

void RetiredTables::add(Page& table) {
  release_account(table);
  table.next = first_;
  first_ = &table;
}

RetiredTables::~RetiredTables() {
  if (!first_) return;
  if constexpr (!arch::kTablesAreShadowed) {
    free_chain(first_);
  } else {
    bool full;
    {
      LockGuard guard(g_quarantine.lock);
      while (first_) {
        Page* table = first_;
        first_ = table->next;
        table->next = g_quarantine.first;
        g_quarantine.first = table;
        ++g_quarantine.count;
      }
      full = g_quarantine.count >= g_quarantine.max;
    }
    if (full) (void)reuse_retired_tables();
  }
}

size_t reuse_retired_tables() {
  if constexpr (!arch::kTablesAreShadowed) return 0;
  Page* all;
  size_t count;
  {
    LockGuard guard(g_quarantine.lock);
    all = std::exchange(g_quarantine.first, nullptr);
    count = std::exchange(g_quarantine.count, 0);
  }
  if (count == 0) return 0;
  arch::flush_retired_tables();
  free_chain(all);
  return count;
}

void retired_tables_init(uint64_t ram_limit) {
  LockGuard guard(g_quarantine.lock);
  g_quarantine.first = nullptr;
  g_quarantine.count = 0;
  // At most 4 MiB, less in a small sandbox.
  g_quarantine.max = std::clamp<size_t>(ram_limit / kPageSize / 128, 32, 1024);
}

}  // namespace runsc::mm
