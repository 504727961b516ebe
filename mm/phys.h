// Guest RAM by pages: the buddy allocator and the Page array.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

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
// A page's owner writes its flags while the allocator, for the sake of a neighbour, looks whether the page is
// free.
class PageFlags {
 public:
  operator uint8_t() const { return bits_.load(std::memory_order_relaxed); }
  PageFlags& operator=(uint8_t bits) {
    bits_.store(bits, std::memory_order_relaxed);
    return *this;
  }
  // One at a time: the owner's, or the allocator's under its lock.
  PageFlags& operator&=(uint8_t bits) { return *this = static_cast<uint8_t>(*this & bits); }
  PageFlags& operator|=(uint8_t bits) { return *this = static_cast<uint8_t>(*this | bits); }

 private:
  std::atomic<uint8_t> bits_;
};

struct Page {
  std::atomic<uint32_t> count;
  std::atomic<uint32_t> map_count;  // PTEs that point here
  uint8_t order;                    // of the block that starts here
  PageFlags flags;
  AccountId account;  // who pays for it; of a slab nobody does: its objects have accounts of their own
  uint8_t used;       // the slab allocator's
  uint32_t reserved;  // the slab allocator's
  Page* next;         // free lists; the allocator's
  Page* prev;
};

enum class Zero : uint8_t { no, yes };
// Who asks. The last pages of the sandbox's limit are kept for the sentry itself (page tables, objects): an
// application that has eaten everything meets ENOMEM first.
enum class Use : uint8_t { user, sentry };

// Sets up the allocator over [free_start, ram_limit), all of which reads as zeros; only what is usable is
// touched, more is asked for (MemoryGrow) on demand.
void phys_init(const hostcall::BootInfo& boot);
// How much of it may be in use at a time, in bytes: the host would kill the sandbox for much more. May
// change. EBUSY, and nothing has changed: it leaves the sentry nothing beside what is in use.
Result<void> phys_set_cap(uint64_t bytes);
// Applications get nothing, or are about to.
bool phys_is_short();
// A block of 2^order pages, count 1, which arch::CpuLocal::account pays for. ENOMEM when the sandbox's limit
// is reached, no block of that size is left, or that account has taken all that it may. May do a hostcall:
// not under spinlocks. Freed pages come back dirty: ask for Zero::yes unless everything is overwritten.
Result<Page*> alloc_pages(unsigned order, Zero zero, Use use = Use::user);
inline Result<Page*> alloc_page(Zero zero, Use use = Use::user) { return alloc_pages(0, zero, use); }
// From what is usable now, without a hostcall: any context above LockRank::phys_memory. Null when there is
// none.
Page* alloc_pages_atomic(unsigned order);
// The same for who keeps accounts of the pieces: nobody pays for the block.
Page* alloc_pages_unpaid(unsigned order);
// Nobody pays for the block any more.
void release_account(Page& block);
// Makes 2^order single pages, each with count 1, of a block that the caller owns alone.
void split_block(Page& block);
void get_page(Page& page);
void put_page(Page& page);  // frees the block at count 0
// put_page for many under one lock.
void put_pages(std::span<Page* const> pages);

uint64_t page_phys(const Page& page);
// Copies a page of RAM that applications may be writing meanwhile.
void copy_ram_page(Page& to, uint64_t from_phys);
inline void* page_data(const Page& page) { return arch::phys_to_virt(page_phys(page)); }
// The Page of RAM at phys, or null for the file window and beyond.
Page* page_of_phys(uint64_t phys);

// free_pages: all that could still be allocated, usable or not yet asked from the host; dirty_pages of them
// hold old data and host memory.
// The page that reads of untouched anonymous memory see. Never written, never freed; its PTEs hold no
// reference.
uint64_t zero_page();
inline bool is_zero_page(uint64_t phys) { return phys == zero_page(); }

// free_pages: all that could still be allocated, usable or not yet asked from the host; dirty_pages of them
// hold old data and host memory.
struct PhysStats {
  uint64_t total_pages, free_pages, dirty_pages;
};
PhysStats phys_stats();
// kalloc may be called where nobody can wait for the host, so it takes what is usable now. Whoever can wait,
// and is on the way of every system call (user_copy.cc), keeps some usable memory ahead of it.
namespace detail {
extern std::atomic<bool> usable_is_low;
}
void phys_grow_ahead();  // does a hostcall
inline void phys_top_up() {
  if (detail::usable_is_low.load(std::memory_order_relaxed)) [[unlikely]]
    phys_grow_ahead();
}

// Gives freed blocks back to the host, in batches, until little is kept at hand (called by idle CPUs). Does
// hostcalls.
void phys_reclaim_to_host();
// The same when a lot has piled up; mm calls it after large frees.
void phys_after_large_free();

}  // namespace runsc::mm
