// The vDSO's code: runs in user mode, in every process, with its data page right before it. No libc, no
// relocations, no writable data.
#include <stdint.h>

#include "kernel/vdso/vvar.h"

using runsc::kernel::VvarData;

extern "C" {
// The page before the image (vdso.ld).
extern const VvarData vvar_page __attribute__((visibility("hidden")));

struct KernelTimespec {
  int64_t sec, nsec;
};
struct KernelTimeval {
  int64_t sec, usec;
};
}

namespace {

constexpr uint64_t kNsPerSec = 1000000000;
constexpr long kSysClockGettime = 228, kSysClockGetres = 229, kSysGettimeofday = 96, kSysGetcpu = 309;

long system_call(long number, long a, long b, long c) {
  long result;
  asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

uint64_t read_tsc() {
  uint32_t lo, hi;
  // The fence keeps the read from moving up before loads that came earlier (SDM, RDTSC).
  asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
  return uint64_t{hi} << 32 | lo;
}

template <class T>
T load(const T& v) {
  return __atomic_load_n(&v, __ATOMIC_RELAXED);
}

struct Now {
  uint64_t mono;
  int64_t wall_offset;
};

Now now() {
  for (;;) {
    uint32_t before = __atomic_load_n(&vvar_page.sequence, __ATOMIC_ACQUIRE);
    uint64_t base = load(vvar_page.tsc_base), mono = load(vvar_page.mono_base_ns),
             mult = load(vvar_page.mult);
    int64_t wall = load(vvar_page.wall_offset_ns);
    uint64_t tsc = read_tsc();
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (before & 1 || load(vvar_page.sequence) != before) continue;
    if (tsc > base) mono += static_cast<uint64_t>(static_cast<unsigned __int128>(tsc - base) * mult >> 32);
    return {mono, wall};
  }
}

// Clocks that the data page knows: realtime, monotonic (raw), coarse ones, boottime, tai.
bool known(int clock) {
  constexpr unsigned kSet = 1u << 0 | 1u << 1 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 11;
  return static_cast<unsigned>(clock) < 12 && kSet >> clock & 1;
}

bool wall_clock(int clock) { return clock == 0 || clock == 5 || clock == 11; }

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int __vdso_clock_gettime(int clock, KernelTimespec* out) {
  if (!known(clock))
    return static_cast<int>(system_call(kSysClockGettime, clock, reinterpret_cast<long>(out), 0));
  Now n = now();
  uint64_t ns = wall_clock(clock) ? n.mono + static_cast<uint64_t>(n.wall_offset) : n.mono;
  out->sec = static_cast<int64_t>(ns / kNsPerSec);
  out->nsec = static_cast<int64_t>(ns % kNsPerSec);
  return 0;
}

__attribute__((visibility("default"))) int __vdso_gettimeofday(KernelTimeval* out, void* zone) {
  if (zone)
    return static_cast<int>(
        system_call(kSysGettimeofday, reinterpret_cast<long>(out), reinterpret_cast<long>(zone), 0));
  if (!out) return 0;
  Now n = now();
  uint64_t ns = n.mono + static_cast<uint64_t>(n.wall_offset);
  out->sec = static_cast<int64_t>(ns / kNsPerSec);
  out->usec = static_cast<int64_t>(ns % kNsPerSec / 1000);
  return 0;
}

__attribute__((visibility("default"))) int64_t __vdso_time(int64_t* out) {
  Now n = now();
  int64_t sec = static_cast<int64_t>((n.mono + static_cast<uint64_t>(n.wall_offset)) / kNsPerSec);
  if (out) *out = sec;
  return sec;
}

__attribute__((visibility("default"))) int __vdso_clock_getres(int clock, KernelTimespec* out) {
  if (!known(clock))
    return static_cast<int>(system_call(kSysClockGetres, clock, reinterpret_cast<long>(out), 0));
  bool coarse = clock == 5 || clock == 6;
  if (out) *out = {0, coarse ? 4000000 : 1};
  return 0;
}

__attribute__((visibility("default"))) int __vdso_getcpu(unsigned* cpu, unsigned* node, void*) {
  return static_cast<int>(
      system_call(kSysGetcpu, reinterpret_cast<long>(cpu), reinterpret_cast<long>(node), 0));
}

int clock_gettime(int, KernelTimespec*) __attribute__((weak, alias("__vdso_clock_gettime")));
int gettimeofday(KernelTimeval*, void*) __attribute__((weak, alias("__vdso_gettimeofday")));
int64_t time(int64_t*) __attribute__((weak, alias("__vdso_time")));
int clock_getres(int, KernelTimespec*) __attribute__((weak, alias("__vdso_clock_getres")));
int getcpu(unsigned*, unsigned*, void*) __attribute__((weak, alias("__vdso_getcpu")));
}
