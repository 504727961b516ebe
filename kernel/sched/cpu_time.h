// CPU time of an execution. How long it ran is measured where it gets and leaves a CPU; how much of that was
// user code is told by samples, which the monitor takes of every CPU some 500 times a second
// (CpuShared::user_samples): a system call itself reads no clock and counts nothing.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/base/lock.h"

namespace runsc::kernel {

struct CpuTicks {
  uint64_t user, system;  // TSC ticks
};

class CpuTimeAccount {
 public:
  // Of the CPU that runs it alone.
  void begin(uint64_t now);
  void end(uint64_t now);
  void add_samples(uint32_t user, uint32_t system) {
    user_samples_.store(user_samples_.load(std::memory_order_relaxed) + user, std::memory_order_relaxed);
    system_samples_.store(system_samples_.load(std::memory_order_relaxed) + system,
                          std::memory_order_relaxed);
  }

  // Anybody: neither part ever shrinks, and the time that passes right now is counted.
  CpuTicks read() const;

 private:
  uint64_t total() const;

  std::atomic<uint32_t> sequence_{0};  // odd while the two below change
  std::atomic<uint64_t> ran_{0};       // until `since_`
  std::atomic<uint64_t> since_{0};     // on a CPU since then; 0: on none
  std::atomic<uint64_t> user_samples_{0}, system_samples_{0};
  mutable SpinLock lock_{LockRank::leaf};
  mutable CpuTicks shown_ GUARDED_BY(lock_) = {0, 0};
};

}  // namespace runsc::kernel
