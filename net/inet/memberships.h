// Memberships: the multicast groups that one socket has joined (ip(7), ipv6(7)).
#pragma once

#include "kernel/base/lock.h"
#include "kernel/base/vec.h"
#include "net/inet/net_config.h"

namespace runsc::net {

class Memberships {
 public:
  static constexpr size_t kMost4 = 20;  // net.ipv4.igmp_max_memberships
  // Of IPv6 Linux takes what net.core.optmem_max has room for, 56 bytes each.
  static constexpr size_t kMost6 = 131072 / 56;
  // EADDRINUSE: it has; ENOBUFS (IPv4), ENOMEM (IPv6): too many; ENODEV, ENOMEM.
  Result<void> join(NetConfig& config, uint32_t interface, const IpAddress& group);
  // `interface` 0: any. EADDRNOTAVAIL.
  Result<void> leave(NetConfig& config, uint32_t interface, const IpAddress& group);
  void leave_all(NetConfig& config);
  bool has(uint32_t interface, const IpAddress& group) const;
  bool any(bool v6) const;

 private:
  struct Member {
    IpAddress group;
    uint32_t interface;
  };
  mutable SpinLock lock_{LockRank::socket_errors};
  Vec<Member> members_ GUARDED_BY(lock_);
};

}  // namespace runsc::net
