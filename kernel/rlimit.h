// Resource limits of a process (getrlimit(2)).
#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/base/lock.h"

namespace runsc::kernel {

inline constexpr uint64_t kNoLimit = ~uint64_t{0};

enum class Resource : unsigned {
  cpu,
  fsize,
  data,
  stack,
  core,
  rss,
  nproc,
  nofile,
  memlock,
  as,
  locks,
  sigpending,
  msgqueue,
  nice,
  rtprio,
  rttime,
  count
};
inline constexpr unsigned kResources = static_cast<unsigned>(Resource::count);

struct Limit {
  uint64_t soft, hard;
};

class Limits {
 public:
  Limits();
  Limit get(unsigned resource) const {
    LockGuard guard(lock_);
    return limits_[resource];
  }
  void set(unsigned resource, Limit limit) {
    LockGuard guard(lock_);
    limits_[resource] = limit;
    soft_[resource].store(limit.soft, std::memory_order_relaxed);
  }
  uint64_t soft(Resource r) const { return soft_[static_cast<unsigned>(r)].load(std::memory_order_relaxed); }
  void copy_from(const Limits& other) {
    for (unsigned i = 0; i < kResources; ++i) set(i, other.get(i));
  }

 private:
  mutable SpinLock lock_{LockRank::leaf};
  Limit limits_[kResources] GUARDED_BY(lock_);
  std::atomic<uint64_t> soft_[kResources];
};

}  // namespace runsc::kernel
