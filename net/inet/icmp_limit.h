// IcmpLimit: how many ICMP errors may be sent, to one host and in all (RFC 1812, 4.3.2.8; RFC 4443, 2.4 (f)).
#pragma once

#include "kernel/base/lock.h"
#include "net/inet/address.h"

namespace runsc::net {

class IcmpLimit {
 public:
  // Six to one host, then one in a second (icmp_ratelimit of Linux); in all fifty at once and a thousand in a
  // second (icmp_msgs_burst, icmp_msgs_per_sec).
  static constexpr uint64_t kSecond = 1'000'000'000, kGap = kSecond, kGapOfAll = kSecond / 1000;
  static constexpr uint32_t kBurst = 6, kBurstOfAll = 50;

  // `hash`: of the host, in a way that strangers cannot foresee. Any context.
  bool allow(uint64_t hash, uint64_t now_ns) {
    LockGuard guard(lock_);
    Bucket& host = hosts_[hash % kHosts];
    if (host.hash != hash) host = {hash, 0};
    uint64_t host_at = host.full_at, all_at = all_.full_at;
    if (!take(host_at, now_ns, kGap, kBurst) || !take(all_at, now_ns, kGapOfAll, kBurstOfAll)) return false;
    host.full_at = host_at;
    all_.full_at = all_at;
    return true;
  }

 private:
  static constexpr size_t kHosts = 64;
  struct Bucket {
    uint64_t hash = 0;
    uint64_t full_at = 0;  // when all that was taken will be there again
  };
  static bool take(uint64_t& full_at, uint64_t now_ns, uint64_t gap, uint32_t burst) {
    const uint64_t begin = full_at > now_ns ? full_at : now_ns;
    if (begin + gap - now_ns > gap * burst) return false;
    full_at = begin + gap;
    return true;
  }

  SpinLock lock_{LockRank::leaf};
  Bucket hosts_[kHosts] GUARDED_BY(lock_), all_ GUARDED_BY(lock_);
};

}  // namespace runsc::net
