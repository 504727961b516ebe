// kalloc/kfree of the ring 0 build: objects of one size class share a page, larger ones are blocks of pages.
//
// A CPU keeps some free objects of each small class to itself; ring 0 is never preempted, so they need no
// lock. Behind them stand slabs: pages whose free objects are chained by index inside the objects; the rest
// is in the Page. Who pays for an object (kernel/base/account.h) is written behind all objects of a small
// class, and into the Page for the others.
#include <atomic>
#include <bit>
#include <cstdint>

#include "kernel/base/alloc.h"
#include "kernel/base/alloc_stats.h"
#include "kernel/base/check.h"
#include "kernel/base/lock.h"
#include "mm/buddy.h"
#include "mm/phys.h"

namespace runsc {
namespace {

using mm::kPageSize;
using mm::Page;

constexpr uint16_t kSizes[] = {16, 32, 48, 64, 128, 192, 256, 384, 512, 1024, 2048, 4096};
constexpr size_t kClasses = std::size(kSizes);
constexpr uint16_t kEnd = 0xffff;  // of a chain of free objects
constexpr size_t kMagazine = 14;
constexpr size_t kMagazineClasses = 9;  // up to 512 bytes

// Of a slab's Page: used = objects in use, reserved = first free object | class << 16, and of the classes
// that have no magazines map_count = the accounts of up to four objects.
uint16_t first_free(const Page& p) { return static_cast<uint16_t>(p.reserved); }
size_t class_of(const Page& p) { return p.reserved >> 16; }
void set_first_free(Page& p, uint16_t index) { p.reserved = (p.reserved & 0xffff0000) | index; }

constexpr size_t objects_in_slab(size_t c) {
  return c < kMagazineClasses ? kPageSize / (kSizes[c] + sizeof(AccountId)) : kPageSize / kSizes[c];
}
static_assert(objects_in_slab(0) <= UINT8_MAX && objects_in_slab(kMagazineClasses) <= sizeof(uint32_t));

// Division by the size of a small class, exact for every offset in a page.
constexpr auto kReciprocal = [] {
  std::array<uint32_t, kMagazineClasses> table{};
  for (size_t c = 0; c < table.size(); ++c) table[c] = (1u << 20) / kSizes[c] + 1;
  return table;
}();
static_assert([] {
  for (size_t c = 0; c < kMagazineClasses; ++c)
    for (uint32_t at = 0; at < kPageSize; at += kSizes[c])
      if (at * kReciprocal[c] >> 20 != at / kSizes[c]) return false;
  return true;
}());

// Of an object of a small class.
AccountId& account_of_small(void* p, size_t c) {
  const auto at = reinterpret_cast<uint64_t>(p);
  const uint64_t index = (at & mm::kPageMask) * kReciprocal[c] >> 20;
  // SAFETY: slabs are whole pages of the direct map; behind the objects is room for as many accounts.
  return *reinterpret_cast<AccountId*>((at & ~mm::kPageMask) + kSizes[c] * objects_in_slab(c) + index);
}
// Of one of the others: the objects of a page may be taken and given at the same time, its accounts are not
// written at once.
AccountId swap_account(Page& slab, uint64_t offset, size_t c, AccountId account) {
  const auto shift = static_cast<uint32_t>(offset / kSizes[c] * 8);
  const uint32_t mine = uint32_t{UINT8_MAX} << shift;
  uint32_t old = slab.map_count.fetch_and(~mine, std::memory_order_relaxed);
  if (account != kNoAccount) slab.map_count.fetch_or(uint32_t{account} << shift, std::memory_order_relaxed);
  return static_cast<AccountId>(old >> shift);
}

struct Class {
  SpinLock lock{LockRank::slab};
  Page* partial GUARDED_BY(lock) = nullptr;  // slabs with free objects
  uint32_t empty GUARDED_BY(lock) = 0;       // of them, wholly free
};
struct Magazine {
  uint32_t count = 0;
  void* objects[kMagazine] = {};
};
struct alignas(64) CpuCache {
  Magazine of[kMagazineClasses];
  uint64_t bytes = 0;  // given less taken back here, modulo 2^64; atomic_ref, this CPU alone writes it
};

constinit Class g_classes[kClasses];
constinit CpuCache g_caches[hostcall::kMaxCpus];

constexpr auto kClassOf = [] {  // by (size + 15) / 16
  std::array<uint8_t, kPageSize / 16 + 1> table{};
  size_t c = 0;
  for (size_t i = 0; i < table.size(); ++i) {
    while (kSizes[c] < i * 16) ++c;
    table[i] = static_cast<uint8_t>(c);
  }
  return table;
}();

unsigned order_of(size_t size) { return static_cast<unsigned>(std::bit_width((size - 1) / kPageSize)); }

std::byte* object(const Page& slab, size_t c, uint16_t index) {
  return static_cast<std::byte*>(mm::page_data(slab)) + size_t{kSizes[c]} * index;
}
uint16_t& link_of(std::byte* free_object) { return *reinterpret_cast<uint16_t*>(free_object); }

Page* new_slab(size_t c) {
  Page* slab = mm::alloc_pages_unpaid(0);
  if (!slab) return nullptr;
  const auto n = static_cast<uint16_t>(objects_in_slab(c));
  for (uint16_t i = 0; i < n; ++i)
    link_of(object(*slab, c, i)) = i + 1 < n ? static_cast<uint16_t>(i + 1) : kEnd;
  slab->flags = mm::kPageSlab;
  slab->used = 0;
  slab->reserved = static_cast<uint32_t>(c << 16);
  slab->map_count.store(0, std::memory_order_relaxed);
  slab->next = slab->prev = nullptr;
  return slab;
}

void link_partial(Class& k, Page& slab) REQUIRES(k.lock) {
  slab.prev = nullptr;
  slab.next = k.partial;
  if (k.partial) k.partial->prev = &slab;
  k.partial = &slab;
}
void unlink_partial(Class& k, Page& slab) REQUIRES(k.lock) {
  (slab.prev ? slab.prev->next : k.partial) = slab.next;
  if (slab.next) slab.next->prev = slab.prev;
}

void* take_locked(Class& k, size_t c) REQUIRES(k.lock) {
  Page& slab = *k.partial;
  std::byte* p = object(slab, c, first_free(slab));
  if (slab.used++ == 0) --k.empty;
  set_first_free(slab, link_of(p));
  if (first_free(slab) == kEnd) unlink_partial(k, slab);
  return p;
}

// Up to `want` objects; fewer only when memory is out.
size_t take_objects(size_t c, void** out, size_t want) {
  Class& k = g_classes[c];
  size_t n = 0;
  while (n < want) {
    {
      LockGuard guard(k.lock);
      while (n < want && k.partial) out[n++] = take_locked(k, c);
    }
    if (n > 0) break;
    Page* slab = new_slab(c);
    if (!slab) break;
    LockGuard guard(k.lock);
    link_partial(k, *slab);
    ++k.empty;
  }
  return n;
}

// The slab to free when it became superfluous.
Page* give_locked(Class& k, size_t c, void* p) REQUIRES(k.lock) {
  Page* slab = mm::page_of_phys(mm::page_down(arch::virt_to_phys(p)));
  CHECK(slab && (slab->flags & mm::kPageSlab) && class_of(*slab) == c, "kfree with a wrong size or pointer");
  size_t offset = arch::virt_to_phys(p) % kPageSize;
  bool was_full = first_free(*slab) == kEnd;
  link_of(static_cast<std::byte*>(p)) = first_free(*slab);
  set_first_free(*slab, static_cast<uint16_t>(offset / kSizes[c]));
  if (was_full) link_partial(k, *slab);
  if (--slab->used > 0 || k.empty++ == 0) return nullptr;
  --k.empty;
  unlink_partial(k, *slab);
  return slab;
}

void give_objects(size_t c, std::span<void* const> objects) {
  Class& k = g_classes[c];
  for (void* p : objects) {
    Page* gone;
    {
      LockGuard guard(k.lock);
      gone = give_locked(k, c, p);
    }
    if (!gone) continue;
    gone->used = 0;
    gone->reserved = 0;
    mm::put_page(*gone);
  }
}

void count(CpuCache& cpu, uint64_t bytes) {
  std::atomic_ref(cpu.bytes).store(cpu.bytes + bytes, std::memory_order_relaxed);
}

void* take(CpuCache& cpu, size_t size, AccountId account) {
  if (size > kPageSize) {
    Page* block = size <= (kPageSize << mm::kMaxOrder) ? mm::alloc_pages_unpaid(order_of(size)) : nullptr;
    if (!block) return nullptr;
    block->account = account;
    return mm::page_data(*block);
  }
  size_t c = kClassOf[(size + 15) / 16];
  void* p = nullptr;
  if (c >= kMagazineClasses) {
    if (take_objects(c, &p, 1) == 0) return nullptr;
    const uint64_t phys = arch::virt_to_phys(p);
    (void)swap_account(*mm::page_of_phys(phys), phys & mm::kPageMask, c, account);
    return p;
  }
  Magazine& m = cpu.of[c];
  if (m.count == 0) {
    m.count = static_cast<uint32_t>(take_objects(c, m.objects, kMagazine / 2));
    if (m.count == 0) return nullptr;
  }
  p = m.objects[--m.count];
  account_of_small(p, c) = account;
  return p;
}

}  // namespace

size_t kalloc_takes(size_t size) {
  return size > kPageSize ? kPageSize << order_of(size) : kSizes[kClassOf[(size + 15) / 16]];
}

void* kalloc(size_t size) {
  const arch::CpuLocal& local = arch::cpu_local();
  if (g_accounts[local.account].has_room_for_objects() || local.unrefused) [[likely]]
    return kalloc_for(local.account, size);
  account_refused(local.account);
  return nullptr;
}

void* kalloc_for(AccountId account, size_t size) {
  arch::CpuLocal& local = arch::cpu_local();
  CpuCache& cpu = g_caches[local.id];
  void* p = take(cpu, size, account);
  if (!p) return nullptr;
  count(cpu, size);
  account_add(local.stock, account, static_cast<int64_t>(kalloc_takes(size)));
  return p;
}

uint64_t kalloc_bytes() {
  uint64_t sum = 0;
  for (CpuCache& cpu : g_caches) sum += std::atomic_ref(cpu.bytes).load(std::memory_order_relaxed);
  return sum;
}

namespace {

void uncount(CpuCache& cpu, AccountId account, size_t size) {
  count(cpu, -uint64_t{size});
  account_add(arch::cpu_local().stock, account, -static_cast<int64_t>(kalloc_takes(size)));
}

void free_large(CpuCache& cpu, void* p, size_t size) {
  const uint64_t phys = arch::virt_to_phys(p);
  Page& page = *mm::page_of_phys(mm::page_down(phys));
  if (size > kPageSize) {
    uncount(cpu, std::exchange(page.account, kNoAccount), size);
    return mm::put_page(page);
  }
  const size_t c = kClassOf[(size + 15) / 16];
  uncount(cpu, swap_account(page, phys & mm::kPageMask, c, kNoAccount), size);
  give_objects(c, {&p, 1});
}

}  // namespace

void kfree(void* p, size_t size) {
  if (!p) return;
  CpuCache& cpu = g_caches[arch::cpu_local().id];
  if (size > kSizes[kMagazineClasses - 1]) return free_large(cpu, p, size);
  const size_t c = kClassOf[(size + 15) / 16];
  uncount(cpu, account_of_small(p, c), size);
  Magazine& m = cpu.of[c];
  if (m.count == kMagazine) {
    m.count = kMagazine / 2;
    give_objects(c, {m.objects + kMagazine / 2, kMagazine - kMagazine / 2});
  }
  m.objects[m.count++] = p;
}

}  // namespace runsc
