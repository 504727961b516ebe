#include "kernel/sched/cpu_time.h"

#include "kernel/base/cpu_hooks.h"
#include "kvm/arch/seam.h"

namespace runsc::kernel {

// One writer, so plain additions. Release: a reader that sees a new value sees the odd sequence before it.
void CpuTimeAccount::begin(uint64_t now) {
  uint32_t s = sequence_.load(std::memory_order_relaxed);
  sequence_.store(s + 1, std::memory_order_relaxed);
  since_.store(now, std::memory_order_release);
  sequence_.store(s + 2, std::memory_order_release);
}

void CpuTimeAccount::end(uint64_t now) {
  uint32_t s = sequence_.load(std::memory_order_relaxed);
  sequence_.store(s + 1, std::memory_order_relaxed);
  uint64_t since = since_.load(std::memory_order_relaxed);
  ran_.store(ran_.load(std::memory_order_relaxed) + (now > since ? now - since : 0),
             std::memory_order_release);
  since_.store(0, std::memory_order_release);
  sequence_.store(s + 2, std::memory_order_release);
}

uint64_t CpuTimeAccount::total() const {
  for (uint32_t round = 0;; ++round) {
    uint32_t s = sequence_.load(std::memory_order_acquire);
    uint64_t ran = ran_.load(std::memory_order_acquire);
    uint64_t since = since_.load(std::memory_order_acquire);
    if ((s & 1) == 0 && sequence_.load(std::memory_order_relaxed) == s) {
      uint64_t now = since != 0 ? arch::tsc() : 0;
      return ran + (now > since ? now - since : 0);
    }
    spin_relax(round);
  }
}

CpuTicks CpuTimeAccount::read() const {
  uint64_t all = total();
  uint64_t user = user_samples_.load(std::memory_order_relaxed),
           system = system_samples_.load(std::memory_order_relaxed);
  LockGuard guard(lock_);
  CpuTicks& shown = shown_;
  // Another reader, later on a faster clock, was here first.
  if (all <= shown.user + shown.system) return shown;
  // Never sampled: what is too short for a sample is taken for user code.
  uint64_t part = all;
  if (system != 0) part = static_cast<uint64_t>(static_cast<unsigned __int128>(all) * user / (user + system));
  if (part < shown.user) part = shown.user;
  if (all - part < shown.system) part = all - shown.system;
  shown = {part, all - part};
  return shown;
}

}  // namespace runsc::kernel
