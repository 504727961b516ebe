// Guest RAM: which of it is usable, who may have it, and its way back to the host.
#include "mm/phys.h"

#include <algorithm>

#include "kernel/base/check.h"
#include "kernel/base/lock.h"
#include "kvm/hostcall/calls.h"
#include "mm/buddy.h"
#include "mm/page_table.h"
#include "mm/phys_blocks.h"

namespace runsc::mm {

constinit std::atomic<bool> detail::usable_is_low{false};

namespace {

constexpr uint64_t kMaxSections = hostcall::kWindowBase / kSectionSize;
// Below this many free pages, memory is asked from the host before somebody that cannot wait needs it.
constexpr uint64_t kLowPages = 1024;
// Growing itself may need pages (for the direct map): applications do not get these while there is RAM to
// grow into.
constexpr uint64_t kGrowthPages = 64;
// Dirty free pages that stay when the rest goes back to the host.
constexpr uint64_t kKeepPages = 1024;
// Blocks below 64 KiB are not worth a host operation.
constexpr unsigned kMinReleaseOrder = 4;

struct Phys {
  SpinLock lock{LockRank::phys_memory};
  BuddyLists free GUARDED_BY(lock);
  uint64_t limit = 0;                     // bytes; constant after phys_init
  uint64_t reserve GUARDED_BY(lock) = 0;  // pages for Use::sentry
  std::atomic<uint64_t> cap{0};           // pages that may be in use
  std::atomic<uint64_t> pile_up{0};       // dirty free pages that a busy sandbox may keep
  uint64_t total = 0;                     // pages that boot left; constant after phys_init
  uint64_t zero_page = 0;                 // constant after phys_init
  std::atomic<uint64_t> ready{0};         // bytes; grows under grow_lock
  Page* sections[kMaxSections] = {};      // [i] written before `ready` covers it
  Mutex grow_lock;
};
constinit Phys g;

// The section's array, and the first usable byte behind it.
uint64_t place_section(uint64_t section, uint64_t at) {
  constexpr uint64_t kBlock = uint64_t{1} << kMaxOrder;  // whole blocks, so that every buddy has a Page
  uint64_t pages = std::min(kSectionPages, (g.limit - section * kSectionSize) / kPageSize);
  pages = (pages + kBlock - 1) & ~(kBlock - 1);
  // SAFETY: usable RAM that nobody has; it reads as zeros, which is a valid state of every Page (not free,
  // count 0).
  g.sections[section] = static_cast<Page*>(arch::phys_to_virt(at));
  return page_up(at + pages * sizeof(Page));
}

void add_ram(uint64_t start, uint64_t end) {
  while (start < end) {
    uint64_t section = start / kSectionSize, section_end = std::min(end, (section + 1) * kSectionSize);
    uint64_t first = g.sections[section] ? start : place_section(section, start);
    LockGuard guard(g.lock);
    if (first < section_end) g.free.add_range(first, section_end);
    start = section_end;
  }
}

// Makes one more step of RAM usable. ENOMEM at the limit, or when the host has no more.
Result<void> grow_locked() REQUIRES(g.grow_lock) {
  uint64_t old = g.ready.load(std::memory_order_relaxed);
  if (old >= g.limit) return Errno::nomem;
  uint64_t want = std::min((old / kSectionSize + 1) * kSectionSize, g.limit);
  TRY(hostcall::call<hostcall::MemoryGrow>([&](auto& request) { request.phys_end = want; }));
  TRY(arch::direct_map_extend(want));
  add_ram(old, want);
  g.ready.store(want, std::memory_order_release);
  return {};
}

uint64_t ungrown_pages() { return (g.limit - g.ready.load(std::memory_order_relaxed)) / kPageSize; }

// Free pages, but not more than the cap leaves.
uint64_t available_pages() REQUIRES(g.lock) {
  const uint64_t free = g.free.free_pages() + ungrown_pages();
  const uint64_t used = g.limit / kPageSize - free, cap = g.cap.load(std::memory_order_relaxed);
  return used < cap ? std::min(free, cap - used) : 0;
}

// Of as much as may be in use.
uint64_t reserve_of(uint64_t pages) { return std::clamp<uint64_t>(pages / 64, 64, 2048); }

// For the host free dirty pages are in use, and small blocks never go back to it: beyond what may pile up
// they are to be used before it gives more.
bool must_be_dirty(uint64_t want) REQUIRES(g.lock) {
  const uint64_t dirty = g.free.dirty_pages(), all = g.limit / kPageSize;
  const uint64_t cap = g.cap.load(std::memory_order_relaxed);
  if (cap >= all || dirty == 0) return false;
  const uint64_t used = all - g.free.free_pages() - ungrown_pages();
  return used + dirty + want > cap + g.pile_up.load(std::memory_order_relaxed);
}

enum class Need : uint8_t { nothing, more, release };
struct Taken {
  Page* page;
  Need need;
};

Taken take(unsigned order, Use use) {
  uint64_t want = uint64_t{1} << order;
  LockGuard guard(g.lock);
  uint64_t ungrown = ungrown_pages();
  const uint64_t kept_back = use == Use::sentry ? 0 : arch::cpu_local().unrefused ? g.reserve / 2 : g.reserve;
  if (available_pages() < want + kept_back) return {nullptr, Need::nothing};
  if (use == Use::user) {
    if (ungrown && g.free.free_pages() < kGrowthPages + want) return {nullptr, Need::more};
  }
  const bool dirty = use == Use::user && must_be_dirty(want);
  Page* page = g.free.take(order, dirty);
  if (!page) return {nullptr, dirty ? Need::release : ungrown ? Need::more : Need::nothing};
  page->count.store(1, std::memory_order_relaxed);
  if (ungrown && g.free.free_pages() < kLowPages)
    detail::usable_is_low.store(true, std::memory_order_relaxed);
  return {page, Need::nothing};
}

void zero_block(Page& page, unsigned order) { __builtin_memset(page_data(page), 0, kPageSize << order); }

Result<void> release_batch(std::span<Page* const> blocks) {
  auto reply = hostcall::call<hostcall::MemoryRelease>([&](auto& request) {
    request.count = static_cast<uint32_t>(blocks.size());
    for (size_t i = 0; i < blocks.size(); ++i)
      request.at[i] = {page_phys(*blocks[i]), kPageSize << blocks[i]->order};
  });
  LockGuard guard(g.lock);
  for (Page* block : blocks) g.free.give(*block, block->order, reply.has_value());
  if (!reply) return reply.error();
  return {};
}

void release_down_to(uint64_t keep) {
  for (;;) {
    Page* blocks[hostcall::kMaxRanges];
    size_t n = 0;
    {
      LockGuard guard(g.lock);
      while (n < std::size(blocks) && g.free.dirty_pages() > keep) {
        Page* block = g.free.take_dirty(kMinReleaseOrder);
        if (!block) break;
        blocks[n++] = block;
      }
    }
    if (n == 0 || !release_batch({blocks, n})) return;
  }
}

}  // namespace

void phys_init(const hostcall::BootInfo& boot) {
  retired_tables_init(boot.ram_limit);
  detail::usable_is_low.store(false, std::memory_order_relaxed);
  {
    LockGuard guard(g.lock);
    g.free = {};
    g.reserve = reserve_of(page_down(boot.ram_limit) / kPageSize);
  }
  std::fill(std::begin(g.sections), std::end(g.sections), nullptr);
  g.limit = std::min(page_down(boot.ram_limit), hostcall::kWindowBase);
  uint64_t start = page_up(boot.free_start), ready = std::min(page_down(boot.ram_ready), g.limit);
  CHECK(start < ready, "boot left no memory");
  g.ready.store(ready, std::memory_order_relaxed);
  g.total = (g.limit - start) / kPageSize;
  // Memory from the host is dear: the host clears it, and in ring 0 each page costs an exit when it is
  // touched first.
  g.pile_up.store(std::clamp<uint64_t>(g.total / 8, 4096, (uint64_t{512} << 20) / kPageSize));
  g.cap.store(g.limit / kPageSize);
  add_ram(start, ready);
  Page* zero = take(0, Use::sentry).page;
  CHECK(zero, "boot left no memory");
  zero->flags = 0;
  g.zero_page = page_phys(*zero);
}

Result<void> phys_set_cap(uint64_t bytes) {
  const uint64_t pages = std::min(bytes, g.limit) / kPageSize;
  LockGuard guard(g.lock);
  const uint64_t used = g.limit / kPageSize - g.free.free_pages() - ungrown_pages();
  const uint64_t reserve = reserve_of(pages);
  if (used + reserve > pages) return Errno::busy;
  g.reserve = reserve;
  // What is free but dirty is in use for the host.
  const uint64_t most = pages < g.limit / kPageSize ? 4096 : (uint64_t{512} << 20) / kPageSize;
  g.pile_up.store(std::clamp<uint64_t>(g.total / 8, 4096, most));
  g.cap.store(pages);
  return {};
}

bool phys_is_short() {
  LockGuard guard(g.lock);
  return available_pages() <= 2 * g.reserve;
}

uint64_t zero_page() { return g.zero_page; }

namespace {

void pay(Page& block, AccountId account) {
  block.account = account;
  account_add(arch::cpu_local().stock, account, static_cast<int64_t>(kPageSize << block.order));
}

bool may_take(Use use) {
  const arch::CpuLocal& local = arch::cpu_local();
  const Account& account = g_accounts[local.account];
  if (use == Use::user ? account.has_room() : account.has_room_for_objects() || local.unrefused) [[likely]]
    return true;
  if (use == Use::user && local.unrefused && account.has_room_for_objects()) return true;
  account_refused(local.account);
  return false;
}

}  // namespace

Result<Page*> alloc_pages(unsigned order, Zero zero, Use use) {
  if (order > kMaxOrder || !may_take(use)) return Errno::nomem;
  for (bool released = false;;) {
    Taken taken = take(order, use);
    if (taken.need == Need::release && !std::exchange(released, true)) {
      release_down_to(0);
      continue;
    }
    if (taken.need == Need::more) {
      uint64_t seen = g.ready.load(std::memory_order_acquire);
      LockGuard guard(g.grow_lock);
      if (seen == g.ready.load(std::memory_order_relaxed)) TRY(grow_locked());
      continue;
    }
    phys_top_up();
    if (!taken.page) {
      if (reuse_retired_tables() == 0) return Errno::nomem;
      continue;
    }
    if (zero == Zero::yes && !(taken.page->flags & kPageClean)) zero_block(*taken.page, order);
    taken.page->flags = 0;
    pay(*taken.page, arch::cpu_local().account);
    return taken.page;
  }
}

void phys_grow_ahead() {
  if (!g.grow_lock.try_lock()) return;
  (void)grow_locked();  // tried again when it is needed
  detail::usable_is_low.store(false, std::memory_order_relaxed);
  g.grow_lock.unlock();
}

Page* alloc_pages_unpaid(unsigned order) {
  if (order > kMaxOrder) return nullptr;
  Page* page = take(order, Use::sentry).page;
  if (page) page->flags = 0;
  return page;
}

Page* alloc_pages_atomic(unsigned order) {
  if (!may_take(Use::sentry)) return nullptr;
  Page* page = alloc_pages_unpaid(order);
  if (page) pay(*page, arch::cpu_local().account);
  return page;
}

void release_account(Page& block) {
  account_add(arch::cpu_local().stock, block.account, -static_cast<int64_t>(kPageSize << block.order));
  block.account = kNoAccount;
}

void split_block(Page& block) {
  size_t n = size_t{1} << block.order;
  for (size_t i = 0; i < n; ++i) {
    Page& page = *(&block + i);
    page.order = 0;
    page.flags = 0;
    page.account = block.account;
    page.count.store(1, std::memory_order_relaxed);
    page.map_count.store(0, std::memory_order_relaxed);
  }
}

void get_page(Page& page) {
  uint32_t before = page.count.fetch_add(1, std::memory_order_relaxed);
  DCHECK(before != 0, "a reference taken to a free page");
  (void)before;
}

namespace {
bool drop(Page& page) {
  uint32_t before = page.count.fetch_sub(1, std::memory_order_acq_rel);
  CHECK(before != 0, "a page put once too often");
  return before == 1;
}
}  // namespace

void put_page(Page& page) {
  if (!drop(page)) return;
  release_account(page);
  LockGuard guard(g.lock);
  g.free.give(page, page.order, false);
}

void put_pages(std::span<Page* const> pages) {
  constexpr size_t kUnderOneLock = 64;
  for (size_t i = 0; i < pages.size();) {
    size_t end = std::min(pages.size(), i + kUnderOneLock);
    LockGuard guard(g.lock);
    for (; i < end; ++i) {
      if (!drop(*pages[i])) continue;
      release_account(*pages[i]);
      g.free.give(*pages[i], pages[i]->order, false);
    }
  }
}

uint64_t page_phys(const Page& page) {
  uint64_t section = arch::virt_to_phys(&page) / kSectionSize;
  return section * kSectionSize + static_cast<uint64_t>(&page - g.sections[section]) * kPageSize;
}

void copy_ram_page(Page& to, uint64_t from_phys) {
  void* target = page_data(to);
  const void* source = arch::phys_to_virt(from_phys);
  uint64_t words = kPageSize / 8;
  // SAFETY: two whole pages of RAM. By an instruction, because no C++ copy may race with writes of the
  // application.
  asm volatile("rep movsq" : "+D"(target), "+S"(source), "+c"(words) : : "memory");
}

Page* page_of_phys(uint64_t phys) {
  if (phys >= g.limit) return nullptr;
  Page* section = g.sections[phys / kSectionSize];
  return section ? section + (phys % kSectionSize) / kPageSize : nullptr;
}

PhysStats phys_stats() {
  LockGuard guard(g.lock);
  return {std::min(g.total, g.cap.load(std::memory_order_relaxed)), available_pages(), g.free.dirty_pages()};
}

void phys_free_blocks(std::span<uint64_t, kMaxOrder + 1> blocks) {
  LockGuard guard(g.lock);
  for (unsigned order = 0; order <= kMaxOrder; ++order) blocks[order] = g.free.blocks(order);
  blocks[kMaxOrder] += ungrown_pages() >> kMaxOrder;
}

uint64_t phys_reserve() {
  LockGuard guard(g.lock);
  return g.reserve;
}

// By halves: a CPU that only waits for others soon wants the memory again, a sandbox that idles calls again.
void phys_reclaim_to_host() {
  uint64_t dirty;
  {
    LockGuard guard(g.lock);
    dirty = g.free.dirty_pages();
  }
  if (dirty > kKeepPages) release_down_to(std::max(kKeepPages, dirty / 2));
}

void phys_after_large_free() {
  {
    LockGuard guard(g.lock);
    if (g.free.dirty_pages() < g.pile_up.load(std::memory_order_relaxed)) return;
  }
  release_down_to(g.pile_up.load(std::memory_order_relaxed) / 2);
}

}  // namespace runsc::mm
