#include "kernel/time/clock.h"

#include "fs/attr.h"
#include "kernel/base/lock.h"
#include "kernel/blocking.h"
#include "kernel/vdso/vvar.h"
#include "kvm/arch/seam.h"
#include "kvm/hostcall/client.h"

namespace runsc::kernel {

namespace {

constexpr uint64_t kRefreshNs = 4'000'000'000;
constexpr int64_t kStepNs = 500'000'000;  // farther off than this: the host slept
constexpr uint64_t kNsPerSec = 1'000'000'000;

// Written under g_lock and the sequence count; read without.
struct Params {
  std::atomic<uint32_t> sequence;
  std::atomic<uint64_t> tsc_base, mono_base, mult;
  std::atomic<int64_t> wall_offset;
};
constinit Params g_params{};
constinit SpinLock g_lock{LockRank::leaf};
constinit uint64_t g_nominal_mult = 0, g_tsc_hz = 0;
constinit uint64_t g_last_refresh GUARDED_BY(g_lock) = 0;
constinit VvarData* g_page GUARDED_BY(g_lock) = nullptr;

uint64_t scale(uint64_t ticks, uint64_t mult) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(ticks) * mult >> 32);
}

struct Snapshot {
  uint64_t tsc_base, mono_base, mult;
  int64_t wall_offset;
};

Snapshot snapshot() {
  for (;;) {
    uint32_t before = g_params.sequence.load(std::memory_order_acquire);
    Snapshot s{
        g_params.tsc_base.load(std::memory_order_relaxed), g_params.mono_base.load(std::memory_order_relaxed),
        g_params.mult.load(std::memory_order_relaxed), g_params.wall_offset.load(std::memory_order_relaxed)};
    std::atomic_thread_fence(std::memory_order_acquire);
    if (!(before & 1) && g_params.sequence.load(std::memory_order_relaxed) == before) return s;
  }
}

uint64_t mono_at(const Snapshot& s, uint64_t tsc) {
  // Another CPU's TSC may be a few ticks behind the base.
  return tsc <= s.tsc_base ? s.mono_base : s.mono_base + scale(tsc - s.tsc_base, s.mult);
}

void write_page(const Snapshot& s) REQUIRES(g_lock) {
  if (!g_page) return;
  uint32_t seq = g_page->sequence;
  __atomic_store_n(&g_page->sequence, seq + 1, __ATOMIC_RELAXED);
  std::atomic_thread_fence(std::memory_order_release);
  __atomic_store_n(&g_page->tsc_base, s.tsc_base, __ATOMIC_RELAXED);
  __atomic_store_n(&g_page->mono_base_ns, s.mono_base, __ATOMIC_RELAXED);
  __atomic_store_n(&g_page->mult, s.mult, __ATOMIC_RELAXED);
  __atomic_store_n(&g_page->wall_offset_ns, s.wall_offset, __ATOMIC_RELAXED);
  __atomic_store_n(&g_page->sequence, seq + 2, __ATOMIC_RELEASE);
}

void publish(const Snapshot& s) REQUIRES(g_lock) {
  uint32_t seq = g_params.sequence.load(std::memory_order_relaxed);
  g_params.sequence.store(seq + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);  // the odd count is seen before the new values
  g_params.tsc_base.store(s.tsc_base, std::memory_order_relaxed);
  g_params.mono_base.store(s.mono_base, std::memory_order_relaxed);
  g_params.mult.store(s.mult, std::memory_order_relaxed);
  g_params.wall_offset.store(s.wall_offset, std::memory_order_relaxed);
  g_params.sequence.store(seq + 2, std::memory_order_release);
  write_page(s);
}

// A new anchor: the monotonic clock stays continuous and runs faster or slower until it has caught up.
void anchor(uint64_t tsc, int64_t realtime, int64_t host_mono) REQUIRES(g_lock) {
  Snapshot s = snapshot();
  uint64_t now = arch::tsc();
  if (tsc > now) tsc = now;
  uint64_t ours = mono_at(s, tsc);
  int64_t error = host_mono - static_cast<int64_t>(ours);
  uint64_t base = mono_at(s, now);
  if (error > kStepNs) {
    base += static_cast<uint64_t>(error);
    error = 0;
  }
  // At most 500 ppm, as ntpd slews.
  int64_t limit = static_cast<int64_t>(kRefreshNs / 2000);
  if (error > limit) error = limit;
  if (error < -limit) error = -limit;
  int64_t delta = static_cast<int64_t>(g_nominal_mult) * error / static_cast<int64_t>(kRefreshNs);
  Snapshot fresh{now, base, g_nominal_mult + static_cast<uint64_t>(delta), realtime - host_mono};
  publish(fresh);
}

}  // namespace

void clock_init(const hostcall::BootInfo& boot) {
  LockGuard guard(g_lock);
  g_tsc_hz = boot.tsc_hz ? boot.tsc_hz : kNsPerSec;
  g_nominal_mult = static_cast<uint64_t>((static_cast<unsigned __int128>(kNsPerSec) << 32) / g_tsc_hz);
  publish({boot.boot_tsc, static_cast<uint64_t>(boot.boot_monotonic_ns), g_nominal_mult,
           boot.boot_realtime_ns - boot.boot_monotonic_ns});
}

void clock_refresh() {
  uint64_t now = monotonic_ns();
  {
    LockGuard guard(g_lock);
    if (g_last_refresh == 0) g_last_refresh = now;
    if (now - g_last_refresh < kRefreshNs) return;
    g_last_refresh = now;
  }
  auto reply = hostcall::call<hostcall::ClockAnchor>([](auto&) {});
  if (!reply) return;
  auto a = **reply;
  LockGuard guard(g_lock);
  anchor(a.tsc, a.realtime_ns, a.monotonic_ns);
}

void clock_publish_to(VvarData* page) {
  LockGuard guard(g_lock);
  g_page = page;
  write_page(snapshot());
}

uint64_t monotonic_ns() { return mono_at(snapshot(), arch::tsc()); }

int64_t realtime_ns() {
  Snapshot s = snapshot();
  return static_cast<int64_t>(mono_at(s, arch::tsc())) + s.wall_offset;
}

uint64_t tsc_to_ns(uint64_t ticks) { return scale(ticks, g_nominal_mult); }

uint64_t ns_to_tsc(uint64_t ns) {
  unsigned __int128 ticks = static_cast<unsigned __int128>(ns) * g_tsc_hz / kNsPerSec;
  return ticks >> 63 ? ~uint64_t{0} >> 1 : static_cast<uint64_t>(ticks);
}

uint64_t tsc_of_monotonic(uint64_t ns) {
  if (ns == kNoDeadline) return ~uint64_t{0};
  Snapshot s = snapshot();
  if (ns <= s.mono_base) return s.tsc_base;
  unsigned __int128 ticks = (static_cast<unsigned __int128>(ns - s.mono_base) << 32) / s.mult + 1;
  if (ticks >> 62) return ~uint64_t{0};
  return s.tsc_base + static_cast<uint64_t>(ticks);
}

}  // namespace runsc::kernel

namespace runsc::fs {

Time now_realtime() {
  int64_t ns = kernel::realtime_ns();
  return {ns / 1'000'000'000, static_cast<uint32_t>(ns % 1'000'000'000)};
}

}  // namespace runsc::fs
