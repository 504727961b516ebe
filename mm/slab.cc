// kalloc/kfree of the ring 0 build: objects of one size class share a page, larger ones are blocks of pages.
//
// A CPU keeps some free objects of each small class to itself; ring 0 is never preempted, so they need no
// lock. Behind them stand slabs: pages whose free objects are chained by index inside the objects; the rest
// is in the Page.
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

// Of a slab's Page: reserved = objects in use, reserved2 = first free object | class << 16.
uint16_t first_free(const Page& p) { return static_cast<uint16_t>(p.reserved2); }
size_t class_of(const Page& p) { return p.reserved2 >> 16; }
void set_first_free(Page& p, uint16_t index) { p.reserved2 = (p.reserved2 & 0xffff0000) | index; }

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
  Page* slab = mm::alloc_pages_atomic(0);
  if (!slab) return nullptr;
  auto n = static_cast<uint16_t>(kPageSize / kSizes[c]);
  for (uint16_t i = 0; i < n; ++i)
    link_of(object(*slab, c, i)) = i + 1 < n ? static_cast<uint16_t>(i + 1) : kEnd;
  slab->flags = mm::kPageSlab;
  slab->reserved = 0;
  slab->reserved2 = static_cast<uint32_t>(c << 16);
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
  if (slab.reserved++ == 0) --k.empty;
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
  if (--slab->reserved > 0 || k.empty++ == 0) return nullptr;
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
    gone->reserved = 0;
    gone->reserved2 = 0;
    mm::put_page(*gone);
  }
}

void count(CpuCache& cpu, uint64_t bytes) {
  std::atomic_ref(cpu.bytes).store(cpu.bytes + bytes, std::memory_order_relaxed);
}

void* take(CpuCache& cpu, size_t size) {
  if (size > kPageSize) {
    Page* block = size <= (kPageSize << mm::kMaxOrder) ? mm::alloc_pages_atomic(order_of(size)) : nullptr;
    return block ? mm::page_data(*block) : nullptr;
  }
  size_t c = kClassOf[(size + 15) / 16];
  void* p = nullptr;
  if (c >= kMagazineClasses) return take_objects(c, &p, 1) ? p : nullptr;
  Magazine& m = cpu.of[c];
  if (m.count == 0) {
    m.count = static_cast<uint32_t>(take_objects(c, m.objects, kMagazine / 2));
    if (m.count == 0) return nullptr;
  }
  return m.objects[--m.count];
}

}  // namespace

void* kalloc(size_t size) {
  CpuCache& cpu = g_caches[arch::cpu_local().id];
  void* p = take(cpu, size);
  if (p) count(cpu, size);
  return p;
}

uint64_t kalloc_bytes() {
  uint64_t sum = 0;
  for (CpuCache& cpu : g_caches) sum += std::atomic_ref(cpu.bytes).load(std::memory_order_relaxed);
  return sum;
}

void kfree(void* p, size_t size) {
  if (!p) return;
  CpuCache& cpu = g_caches[arch::cpu_local().id];
  count(cpu, -uint64_t{size});
  if (size > kPageSize) {
    mm::put_page(*mm::page_of_phys(arch::virt_to_phys(p)));
    return;
  }
  size_t c = kClassOf[(size + 15) / 16];
  if (c >= kMagazineClasses) {
    give_objects(c, {&p, 1});
    return;
  }
  Magazine& m = cpu.of[c];
  if (m.count == kMagazine) {
    m.count = kMagazine / 2;
    give_objects(c, {m.objects + kMagazine / 2, kMagazine - kMagazine / 2});
  }
  m.objects[m.count++] = p;
}

}  // namespace runsc
