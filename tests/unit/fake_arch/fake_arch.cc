#include "tests/unit/fake_arch/fake_arch.h"

#include <sys/mman.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "kernel/base/alloc.h"
#include "kernel/base/check.h"
#include "kernel/base/cpu_hooks.h"
#include "kernel/base/log.h"
#include "kvm/hostcall/calls.h"
#include "mm/page_table.h"
#include "mm/phys.h"

namespace runsc {
namespace {

struct ThreadParker final : Parker {
  void park() override {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return token; });
    token = false;
  }
  void unpark() override {
    // Under the lock: the parker may go as soon as it is free.
    std::lock_guard lock(mutex);
    token = true;
    changed.notify_one();
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool token = false;
};
thread_local ThreadParker t_parker;
thread_local LockStack t_locks;
bool (*g_host)(hostcall::Frame&) = nullptr;
std::atomic<uint64_t> g_kalloc_left{~uint64_t{0}}, g_live{0};

}  // namespace

Parker& Parker::current() { return t_parker; }
LockStack& current_lock_stack() { return t_locks; }
void spin_relax(uint32_t round) {
  if (round > 4) std::this_thread::yield();
}
void panic(const char* file, int line, const char* reason) {
  std::fprintf(stderr, "panic: %s:%d: %s\n", file, line, reason);
  std::abort();
}

size_t kalloc_takes(size_t size) { return size; }
void* kalloc_for(AccountId, size_t size) { return kalloc(size); }
void* kalloc(size_t size) {
  uint64_t left = g_kalloc_left.load();
  if (left != ~uint64_t{0}) {
    if (left == 0) return nullptr;
    g_kalloc_left.store(left - 1);
  }
  void* p = nullptr;
  if (posix_memalign(&p, 64, size) != 0) return nullptr;
  std::memset(p, 0xa5, size);
  ++g_live;
  return p;
}
void kfree(void* p, size_t) {
  if (p) --g_live;
  free(p);
}

namespace hostcall {
namespace {
thread_local Frame t_frame;
}
Frame& cpu_frame() { return t_frame; }
}  // namespace hostcall

namespace arch {
namespace {

struct Machine {
  hostcall::BootInfo boot{};
  uint64_t reservation = 0, window_bytes = 0;
  std::mutex mutex;
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> tlb;  // (root, user page) -> entry
  fake::Counters counters{};
  hostcall::Shared shared;
};
Machine g_machine;

constexpr uint64_t kPage = 4096;

uint64_t* entry_of(const UserSpace& space, uint64_t address) {
  uint64_t table = space.root_phys;
  for (int shift = 39; shift > 12; shift -= 9) {
    uint64_t e = std::atomic_ref(static_cast<uint64_t*>(phys_to_virt(table))[address >> shift & 511]).load();
    if (!(e & 1)) return nullptr;
    table = e & mm::Pte::kAddress;
  }
  return &static_cast<uint64_t*>(phys_to_virt(table))[address >> 12 & 511];
}

// As a CPU would: a cached entry that allows the access is used, whatever the table says.
bool translate(UserSpace& space, uint64_t address, bool write, uint64_t& phys) {
  uint64_t need = write ? 7 : 5;
  std::lock_guard lock(g_machine.mutex);
  auto key = std::pair(space.root_phys, address & ~(kPage - 1));
  auto it = g_machine.tlb.find(key);
  if (it == g_machine.tlb.end() || (it->second & need) != need) {
    uint64_t* e = entry_of(space, address);
    uint64_t value = e ? std::atomic_ref(*e).load() : 0;
    if ((value & need) != need) return false;
    it = g_machine.tlb.insert_or_assign(key, value).first;
  }
  phys = (it->second & mm::Pte::kAddress) | (address & (kPage - 1));
  return true;
}

template <class Move>
size_t for_pages(UserSpace& space, uint64_t address, size_t size, bool write, Move&& move) {
  size_t done = 0;
  while (done < size && address + done < kUserEnd) {
    uint64_t at = address + done, phys;
    size_t n = std::min<size_t>(size - done, kPage - (at & (kPage - 1)));
    LockGuard guard(space.pte_lock);
    if (!translate(space, at, write, phys)) break;
    if (phys >= hostcall::kWindowBase + g_machine.window_bytes) break;
    move(static_cast<std::byte*>(phys_to_virt(phys)), done, n);
    done += n;
  }
  return done;
}

[[maybe_unused]] bool covered(const TlbBatch::Span& s, uint64_t page) {
  return page < s.high && page + kPage > s.low;
}

}  // namespace

Result<void> copy_from_window(void* to, uint64_t phys, size_t size) {
  if (phys + size > hostcall::kWindowBase + g_machine.window_bytes) return Errno::io;
  std::memcpy(to, phys_to_virt(phys), size);
  return {};
}
Result<void> direct_map_extend(uint64_t) {
  // As a machine does that needs a table for it.
  mm::Page* page = TRY(mm::alloc_page(mm::Zero::yes, mm::Use::sentry));
  mm::put_page(*page);
  return {};
}
CpuLocal& cpu_local() {
  static thread_local CpuLocal local;
  return local;
}
unsigned cpu_count() { return 1; }
hostcall::Shared& shared() { return g_machine.shared; }
const hostcall::BootInfo& boot_info() { return g_machine.boot; }

void user_space_init(UserSpace&) {}
void user_space_retire(UserSpace& space) {
  std::lock_guard lock(g_machine.mutex);
  auto& tlb = g_machine.tlb;
  tlb.erase(tlb.lower_bound({space.root_phys, 0}), tlb.lower_bound({space.root_phys, ~uint64_t{0}}));
}

void tlb_shootdown(UserSpace& space, TlbBatch& batch) {
  std::lock_guard lock(g_machine.mutex);
  ++g_machine.counters.shootdowns;
  for (auto it = g_machine.tlb.begin(); it != g_machine.tlb.end();) {
    uint64_t phys = it->second & mm::Pte::kAddress;
    bool hit = batch.everything() && it->first.first == space.root_phys;
    for (auto& s : batch.spans()) {
      if (kTablesAreShadowed) {
        hit |= covered(s, phys);
      } else {
        hit |= it->first.first == space.root_phys && covered(s, it->first.second);
      }
    }
    mm::Page* page = mm::page_of_phys(phys);
    CHECK(!hit || !page || page->count.load() != 0, "a page was freed before its translation was shot down");
    it = hit ? g_machine.tlb.erase(it) : std::next(it);
  }
  batch.clear();
}
void flush_retired_tables() { ++g_machine.counters.table_flushes; }

size_t copy_from_user(UserSpace& space, void* to, uint64_t from, size_t size) {
  return for_pages(space, from, size, false, [&](std::byte* page, size_t at, size_t n) {
    std::memcpy(static_cast<std::byte*>(to) + at, page, n);
  });
}
size_t copy_to_user(UserSpace& space, uint64_t to, const void* from, size_t size) {
  return for_pages(space, to, size, true, [&](std::byte* page, size_t at, size_t n) {
    std::memcpy(page, static_cast<const std::byte*>(from) + at, n);
  });
}
size_t zero_user(UserSpace& space, uint64_t to, size_t size) {
  return for_pages(space, to, size, true, [](std::byte* page, size_t, size_t n) { std::memset(page, 0, n); });
}
bool user_load32(UserSpace& space, uint64_t address, uint32_t& value) {
  return for_pages(space, address, 4, false, [&](std::byte* page, size_t, size_t) {
           value = std::atomic_ref(*reinterpret_cast<uint32_t*>(page)).load();
         }) == 4;
}
bool user_cmpxchg32(UserSpace& space, uint64_t address, uint32_t expected, uint32_t desired, uint32_t& old) {
  return for_pages(space, address, 4, true, [&](std::byte* page, size_t, size_t) {
           old = expected;
           std::atomic_ref(*reinterpret_cast<uint32_t*>(page)).compare_exchange_strong(old, desired);
         }) == 4;
}

namespace fake {

void start(const Config& config) {
  if (memory_base) munmap(memory_base, g_machine.reservation);
  g_machine.reservation = hostcall::kWindowBase + config.window_bytes;
  g_machine.window_bytes = config.window_bytes;
  void* p = mmap(nullptr, g_machine.reservation, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(p != MAP_FAILED, "no addresses for the fake machine");
  memory_base = static_cast<std::byte*>(p);
  g_machine.tlb.clear();
  g_machine.counters = {};
  g_machine.boot = {};
  g_machine.boot.magic = hostcall::kBootMagic;
  g_machine.boot.cpus = 1;
  g_machine.boot.ram_limit = config.ram_limit;
  g_machine.boot.ram_ready = config.ram_ready;
  g_machine.boot.free_start = 0x5123;
  g_machine.counters.grown_to = config.ram_ready;
  mm::phys_init(g_machine.boot);
}

void fill_translations(UserSpace& space) {
  std::lock_guard lock(g_machine.mutex);
  for (uint64_t at = 0; (at = mm::next_table(space, at, mm::kTablesEnd)) < mm::kTablesEnd;
       at = (at & ~(mm::kTableSpan - 1)) + mm::kTableSpan)
    for (uint64_t page = at; page < at + mm::kTableSpan; page += kPage) {
      uint64_t value = *entry_of(space, page);
      if (value & 1) g_machine.tlb.insert({{space.root_phys, page}, value});
    }
}

std::string check_translations(UserSpace& space) {
  std::lock_guard lock(g_machine.mutex);
  for (auto& [key, cached] : g_machine.tlb) {
    if (key.first != space.root_phys) continue;
    uint64_t* e = entry_of(space, key.second);
    uint64_t now = e ? *e : 0;
    bool same = (now & 1) && (now & mm::Pte::kAddress) == (cached & mm::Pte::kAddress);
    bool lost = (cached & 2 && !(now & 2)) || (!(cached >> 63) && now >> 63);
    if (same && !lost) continue;
    char text[128];
    std::snprintf(text, sizeof text, "stale at %#lx: %#lx cached, %#lx in the table", key.second, cached,
                  now);
    return text;
  }
  return {};
}

void set_host(bool (*serve)(hostcall::Frame&)) { g_host = serve; }

void fail_kalloc_after(uint64_t n) { g_kalloc_left.store(n - 1); }

Counters counters() {
  Counters c = g_machine.counters;
  c.live_objects = g_live.load();
  return c;
}

}  // namespace fake
}  // namespace arch

namespace hostcall {

void ring(Frame& frame) {
  auto& machine = arch::g_machine;
  frame.error = 0;
  switch (static_cast<Number>(frame.number)) {
    case Number::memory_grow: {
      auto request = *reinterpret_cast<MemoryGrow::Request*>(frame.body);
      if (request.phys_end > machine.boot.ram_limit) frame.error = static_cast<int32_t>(Errno::nomem);
      std::lock_guard lock(machine.mutex);
      machine.counters.grown_to = request.phys_end;
      reinterpret_cast<MemoryGrow::Reply*>(frame.body)->phys_end = request.phys_end;
      return;
    }
    case Number::memory_release: {
      auto& request = *reinterpret_cast<MemoryRelease::Request*>(frame.body);
      std::lock_guard lock(machine.mutex);
      for (uint32_t i = 0; i < request.count; ++i) {
        std::memset(arch::phys_to_virt(request.at[i].phys), 0, request.at[i].size);
        machine.counters.released_bytes += request.at[i].size;
      }
      return;
    }
    default:
      if (g_host && g_host(frame)) return;
      frame.error = static_cast<int32_t>(Errno::nosys);
  }
}

}  // namespace hostcall
}  // namespace runsc
