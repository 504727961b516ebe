#include "kvm/monitor/tsc.h"

#include <cpuid.h>
#include <time.h>
#include <x86intrin.h>

#include <cerrno>

namespace runsc::monitor {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::int64_t kMeasureNanoseconds = 5'000'000;
constexpr int kAnchorTries = 5;

std::int64_t nanoseconds(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return t.tv_sec * kNanosecondsPerSecond + t.tv_nsec;
}

std::uint64_t from_cpuid() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  // SDM volume 2A, CPUID leaf 0x15: TSC = crystal (ECX) * EBX / EAX.
  if (__get_cpuid_max(0, nullptr) >= 0x15) {
    __cpuid_count(0x15, 0, a, b, c, d);
    if (a != 0 && b != 0 && c != 0) return std::uint64_t{c} * b / a;
  }
  __cpuid(1, a, b, c, d);
  if ((c >> 31 & 1) != 0) {
    __cpuid(0x40000000, a, b, c, d);
    if (a >= 0x40000010 && a < 0x40010000) {
      __cpuid(0x40000010, a, b, c, d);
      return std::uint64_t{a} * 1000;
    }
  }
  return 0;
}

std::uint64_t measured() {
  std::int64_t t0 = nanoseconds(CLOCK_MONOTONIC_RAW);
  std::uint64_t c0 = read_tsc();
  std::int64_t t1 = t0;
  while (t1 - t0 < kMeasureNanoseconds) t1 = nanoseconds(CLOCK_MONOTONIC_RAW);
  std::uint64_t c1 = read_tsc();
  return static_cast<std::uint64_t>(static_cast<__int128>(c1 - c0) * kNanosecondsPerSecond / (t1 - t0));
}

}  // namespace

std::uint64_t read_tsc() {
  _mm_lfence();
  return __rdtsc();
}

Expected<std::uint64_t> tsc_frequency(const KvmSystem& kvm, int vcpu_fd) {
  if (kvm.has_tsc_khz()) {
    int khz = ::ioctl(vcpu_fd, KVM_GET_TSC_KHZ, 0);
    if (khz > 0) return std::uint64_t(khz) * 1000;
  }
  if (std::uint64_t hz = from_cpuid(); hz != 0) return hz;
  std::uint64_t hz = measured();
  if (hz == 0) return fail("unsupported CPU: the time stamp counter stands still");
  return hz;
}

ClockAnchor read_clock_anchor() {
  ClockAnchor best{};
  std::uint64_t best_width = ~std::uint64_t{0};
  for (int i = 0; i < kAnchorTries; ++i) {
    std::uint64_t before = read_tsc();
    std::int64_t realtime = nanoseconds(CLOCK_REALTIME);
    std::int64_t monotonic = nanoseconds(CLOCK_MONOTONIC);
    std::uint64_t after = read_tsc();
    if (after - before < best_width) {
      best_width = after - before;
      best = {before + (after - before) / 2, realtime, monotonic};
    }
  }
  return best;
}

}  // namespace runsc::monitor
