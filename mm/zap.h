// Zap: pages on their way out of an address space. It alone knows the order "entry cleared, shot down,
// reference dropped".
#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/base/alloc.h"
#include "kvm/arch/seam.h"
#include "mm/page_table.h"
#include "mm/phys.h"

namespace runsc::mm {

// Pages that a space has mapped: RAM and window alike, the shared zero page not.
struct ResidentCount {
  std::atomic<uint64_t> total{0}, file{0}, peak{0};
  void add(Pte pte);
  void remove(Pte pte);
};

class Zap {
 public:
  enum class Space : uint8_t {
    live,
    dead,  // retired: nobody can use a translation any more
  };
  Zap(arch::UserSpace& user, ResidentCount& resident, Space state)
      : user_(user), resident_(resident), state_(state) {}
  Zap(const Zap&) = delete;
  ~Zap() { flush(); }

  // Clears the entries in [start, end) whose pages match(Pte) selects. lock_ held exclusively.
  template <class Match>
  void range(uint64_t start, uint64_t end, Match&& match);
  void range(uint64_t start, uint64_t end) {
    range(start, end, [](Pte) { return true; });
  }
  // Room for `n` more pages; may flush. Not under spinlocks.
  void make_room(size_t n);
  // What `old` was has left the table, or lost access, under pte_lock. With room made.
  void removed(uint64_t address, Pte old);
  void changed(uint64_t address, Pte old) {
    if (old.present() && state_ == Space::live) batch_.add(address, old.phys(), kPageSize);
  }
  // A page whose reference goes with the next flush.
  void drop_later(Page& page) { pages_[count_++] = &page; }
  // Tables that were unlinked; they are retired with the next flush.
  RetiredTables& tables() { return tables_; }
  // After return nobody can reach what was removed. Not under spinlocks.
  void flush();

 private:
  static constexpr size_t kInline = 64;
  static constexpr size_t kChunk = 510;
  struct Chunk : HeapObject {
    Chunk* next = nullptr;
    Page* pages[kChunk];
  };
  void spill();

  arch::UserSpace& user_;
  ResidentCount& resident_;
  Space state_;
  arch::TlbBatch batch_;
  size_t count_ = 0;
  Page* pages_[kInline];
  Chunk* full_ = nullptr;  // behind the first all are full
  size_t in_first_ = 0;
  RetiredTables tables_;  // destroyed after ~Zap's flush
};

template <class Match>
void Zap::range(uint64_t start, uint64_t end, Match&& match) {
  for_each_table(user_, start, end, [&](PteSlot slot, uint64_t address, size_t n) {
    for (size_t i = 0; i < n;) {
      size_t stop = n - i < kInline ? n : i + kInline;
      make_room(stop - i);
      LockGuard guard(user_.pte_lock);
      for (; i < stop; ++i) {
        Pte old = (slot + i).load();
        if (old.none() || !match(old)) continue;
        removed(address + i * kPageSize, (slot + i).exchange(Pte()));
      }
    }
  });
}

}  // namespace runsc::mm
