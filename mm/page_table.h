// Page-table entries of user space, and the four-level tables they stand in (SDM vol. 3, 4.5).
//
// A table, once linked, stays until nobody can map below it: unlinking needs AddressSpace::lock_ exclusively.
// So with lock_ shared a slot stays valid. Every store to an entry is under UserSpace::pte_lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/base/result.h"
#include "kvm/arch/seam.h"
#include "mm/phys.h"
#include "mm/vma.h"

namespace runsc::mm {

// The value of a leaf entry. Four states:
//   none     0
//   present  what the machine uses
//   parked   the page is kept, but nobody may touch it (PROT_NONE). Not present; the address is stored
//   inverted, so that
//            a CPU that speculates past the present bit (L1TF) finds no memory there.
//   busy     a fault replaces a present page, see fault.cc; never seen with lock_ held exclusively
class Pte {
 public:
  static constexpr uint64_t kPresent = 1, kWrite = 2, kUser = 4, kAccessed = 0x20, kDirty = 0x40;
  static constexpr uint64_t kAnon = uint64_t{1}
                                    << 9;  // software: a private page of this space (or COW-shared)
  static constexpr uint64_t kParked = uint64_t{1} << 10, kBusy = uint64_t{1} << 11;
  static constexpr uint64_t kNoExec = uint64_t{1} << 63;
  static constexpr uint64_t kAddress = 0x000ffffffffff000;

  constexpr Pte() = default;
  explicit constexpr Pte(uint64_t bits) : bits_(bits) {}
  // Present with the access that `prot` gives; writable only if `writable` too. PROT_NONE: parked.
  static constexpr Pte make(uint64_t phys, Prot prot, bool writable, bool anon) {
    uint64_t kind = anon ? kAnon : 0;
    if (prot == Prot::none) return Pte((~phys & kAddress) | kind | kParked);
    uint64_t bits = phys | kind | kPresent | kUser | kAccessed;
    if (writable && has(prot, Prot::write)) bits |= kWrite | kDirty;
    if (!has(prot, Prot::exec)) bits |= kNoExec;
    return Pte(bits);
  }
  static constexpr Pte busy() { return Pte(kBusy); }

  constexpr uint64_t bits() const { return bits_; }
  constexpr bool none() const { return bits_ == 0; }
  constexpr bool present() const { return bits_ & kPresent; }
  constexpr bool parked() const { return !present() && (bits_ & kParked); }
  constexpr bool is_busy() const { return !present() && (bits_ & kBusy); }
  constexpr bool has_page() const { return present() || parked(); }
  constexpr bool anon() const { return bits_ & kAnon; }
  constexpr bool writable() const { return present() && (bits_ & kWrite); }
  constexpr bool executable() const { return present() && !(bits_ & kNoExec); }
  constexpr uint64_t phys() const { return (present() ? bits_ : ~bits_) & kAddress; }
  // The same page under another protection.
  constexpr Pte with(Prot prot, bool writable) const { return make(phys(), prot, writable, anon()); }
  // Whether some access that `o` allows (same page) is not allowed here.
  constexpr bool loses(Pte o) const {
    return o.present() && (!present() || (o.writable() && !writable()) || (o.executable() && !executable()));
  }
  friend constexpr bool operator==(Pte a, Pte b) = default;

 private:
  uint64_t bits_ = 0;
};

// Entries that the machine reads, and marks accessed and dirty, while we work.
class PteSlot {
 public:
  PteSlot() = default;
  explicit PteSlot(std::atomic<uint64_t>* p) : p_(p) {}
  explicit operator bool() const { return p_ != nullptr; }
  Pte load() const { return Pte(p_->load(std::memory_order_acquire)); }
  void store(Pte v) const { p_->store(v.bits(), std::memory_order_release); }
  Pte exchange(Pte v) const { return Pte(p_->exchange(v.bits(), std::memory_order_acq_rel)); }
  PteSlot operator+(size_t n) const { return PteSlot(p_ + n); }

 private:
  std::atomic<uint64_t>* p_ = nullptr;
};

inline constexpr uint64_t kTableSpan = uint64_t{1} << 21;  // what one leaf table maps
inline constexpr uint64_t kTablesEnd = uint64_t{1} << 47;  // of what user tables can map

// lock_ held, shared or exclusive, for all.
PteSlot find_slot(const arch::UserSpace& space, uint64_t address);    // null slot: no leaf table
Result<PteSlot> make_slot(arch::UserSpace& space, uint64_t address);  // ENOMEM; sleeps
// Calls f(slot, address, count) for the entries of [start, end) leaf table by leaf table, skipping missing
// tables. f takes pte_lock itself.
template <class F>
void for_each_table(const arch::UserSpace& space, uint64_t start, uint64_t end, F&& f);
// The first address >= `address`, < end, whose leaf table exists; `end` if none.
uint64_t next_table(const arch::UserSpace& space, uint64_t address, uint64_t end);

// Pages that were page tables, chained by Page::next, until they may be used anew.
class RetiredTables {
 public:
  RetiredTables() = default;
  RetiredTables(const RetiredTables&) = delete;
  ~RetiredTables();  // no spinlocks held. After the shoot-down, or with the space retired
  void add(Page& table);
  bool empty() const { return !first_; }

 private:
  Page* first_ = nullptr;
};
// Makes all retired tables usable now, for when memory is short. Returns how many pages came back. Sleeps.
size_t reuse_retired_tables();
void retired_tables_init(uint64_t ram_limit);

// What is left between its neighbours when [start, end) was unmapped: nothing is mapped in [floor, ceiling),
// which holds [start, end).
struct Hole {
  uint64_t start, end, floor, ceiling;
};
// Unlinks the tables that map some of [start, end) and nothing outside [floor, ceiling). lock_ held
// exclusively, or the space dead.
void unlink_tables(arch::UserSpace& space, const Hole& hole, RetiredTables& out);

template <class F>
void for_each_table(const arch::UserSpace& space, uint64_t start, uint64_t end, F&& f) {
  while ((start = next_table(space, start, end)) < end) {
    uint64_t stop = (start & ~(kTableSpan - 1)) + kTableSpan;
    if (stop > end) stop = end;
    f(find_slot(space, start), start, static_cast<size_t>((stop - start) / kPageSize));
    start = stop;
  }
}

}  // namespace runsc::mm
