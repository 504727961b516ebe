// What the monitor hands to the sentry at start, and the page that both share while it runs.
#pragma once

#include <atomic>
#include <cstdint>

#include "kvm/hostcall/frame.h"

namespace runsc::hostcall {

inline constexpr unsigned kMaxCpus = 64;
inline constexpr uint64_t kBootMagic = 0x31746f6f62637372;  // "rscboot1"

// Guest-physical layout. RAM starts at 0; the file window lies above any RAM.
inline constexpr uint64_t kWindowBase = uint64_t{1} << 38;
inline constexpr uint64_t kWindowSize = uint64_t{64} << 30;

struct BootInfo {
  uint64_t magic;
  uint32_t cpus;       // 1..kMaxCpus
  uint32_t log_level;  // LogLevel
  uint32_t strace;     // 1: decode system calls into the debug log
  uint32_t reserved;
  uint64_t ram_limit;  // bytes; RAM is [0, ram_limit), usable so far: [0, ram_ready)
  uint64_t ram_ready;
  uint64_t free_start;  // first byte of RAM that boot did not use
  uint64_t tsc_hz;
  uint64_t boot_tsc;  // with the two below: the first clock anchor
  int64_t boot_realtime_ns, boot_monotonic_ns;
  uint64_t xcr0;                            // enabled vector state
  uint32_t xsave_size;                      // bytes of the standard-format XSAVE area for xcr0
  uint32_t cpu_features;                    // kFeature* bits that ring 0 may use
  uint64_t shared_phys;                     // Shared
  uint64_t frames_phys;                     // Frame[cpus]
  uint64_t container_phys, container_size;  // the container to run: container_spec.h
  uint8_t random_seed[64];
};
inline constexpr uint32_t kFeatureFsgsbase = 1, kFeatureSmap = 2, kFeatureSmep = 4, kFeatureUmip = 8,
                          kFeatureXsaveopt = 16, kFeatureErms = 32, kFeatureRdtscp = 64,
                          kFeatureInvpcid = 128;

struct CpuShared {
  enum State : uint32_t { kernel = 0, user = 1, idle = 2 };
  std::atomic<uint32_t> state;
  // The monitor alone writes these: how often it found the CPU in user code and in the sentry. They wrap.
  std::atomic<uint32_t> user_samples;
  std::atomic<uint64_t>
      timer_deadline_tsc;  // ~0: none. While state == user the monitor kicks the CPU soon (<= 2 ms) after it
  std::atomic<uint32_t> system_samples;
  uint32_t reserved;
  uint64_t pad[5];
};
static_assert(sizeof(CpuShared) == 64);

// One page-aligned block in guest RAM. The monitor trusts nothing in it.
struct Shared {
  std::atomic<uint32_t>
      events_pending;  // monitor sets it, then wakes a CPU; the sentry clears it, then calls TakeEvents
  std::atomic<uint32_t> wires_pending;  // the same for rings (wire_ring.h): bit n, wire n has something
  uint32_t reserved[14];
  CpuShared cpu[kMaxCpus];
};

}  // namespace runsc::hostcall
