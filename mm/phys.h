// Guest RAM by pages: the buddy allocator and the Page array.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "kvm/arch/seam.h"

namespace runsc::mm {

inline constexpr uint64_t kPageSize = 4096;
inline constexpr uint64_t kPageMask = kPageSize - 1;
inline constexpr unsigned kMaxOrder = 9;  // 2 MiB

constexpr uint64_t page_down(uint64_t a) { return a & ~kPageMask; }
constexpr uint64_t page_up(uint64_t a) { return (a + kPageMask) & ~kPageMask; }

// One page of guest RAM. Counted: the allocator gives it with count 1; when the count falls to 0 it goes
// back.
struct Page {
  std::atomic<uint32_t> count;
  std::atomic<uint32_t> map_count;  // PTEs that point here
  uint8_t order;                    // of the block that starts here
  uint8_t flags;
  uint16_t reserved;
  uint32_t reserved2;
  Page* next;  // free lists; the allocator's
  Page* prev;
};

enum class Zero : uint8_t { no, yes };

// Sets up the allocator over [free_start, ram_limit); only what is usable is touched, more is asked for
// (MemoryGrow) on demand.
void phys_init(const hostcall::BootInfo& boot);
// A block of 2^order pages, count 1. ENOMEM when the sandbox's limit is reached. May do a hostcall: not under
// spinlocks. Freed pages come back dirty: ask for Zero::yes unless everything is overwritten.
Result<Page*> alloc_pages(unsigned order, Zero zero);
inline Result<Page*> alloc_page(Zero zero) { return alloc_pages(0, zero); }
void get_page(Page& page);
void put_page(Page& page);  // frees the block at count 0

uint64_t page_phys(const Page& page);
inline void* page_data(const Page& page) { return arch::phys_to_virt(page_phys(page)); }
// The Page of RAM at phys, or null for the file window and beyond.
Page* page_of_phys(uint64_t phys);

struct PhysStats {
  uint64_t total_pages, free_pages;
};
PhysStats phys_stats();
// Gives batches of freed blocks back to the host (called by idle CPUs and after large frees).
void phys_reclaim_to_host();

}  // namespace runsc::mm
