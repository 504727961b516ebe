// Autoconf: IPv6 addresses and routers of one link as they come by themselves (RFC 4862, RFC 4861 6.3): the
// link-local address, duplicate address detection, router solicitations and advertisements.
//
// Any context without locks from net_config's rank on.
#pragma once

#include "kernel/base/lock.h"
#include "kernel/base/vec.h"
#include "net/inet/interface.h"
#include "net/services.h"

namespace runsc::net {

class Ethernet;
class Stack;

class Autoconf {
 public:
  Autoconf(Stack& stack, Ethernet& link);
  ~Autoconf() { stop(); }
  void came_up();
  void went_down();
  void stop();  // nothing happens by itself any more

  // An address that is tentative: it will be looked for.
  void begin_dad(const IpAddress& address);
  void forget(const IpAddress& address);
  // An address or route of the link has a time at which it ends.
  void watch_times();
  // Our own probe, come back to us.
  bool own_nonce(const IpAddress& address, uint64_t nonce) const;
  // Our tentative address is somebody else's too.
  void somebody_has(const IpAddress& address);
  // A router advertisement whose hop limit and checksum are right, at its ICMP header.
  void router_advert(Packet& packet);
  void no_router_any_more(const IpAddress& router);

 private:
  static constexpr uint64_t kNever = ~uint64_t{0};
  struct Probe {
    IpAddress address;
    uint32_t left;
    uint64_t nonce, at_ns;
  };
  class Clock final : public Timer {
   public:
    explicit Clock(Autoconf& owner) : owner_(owner) {}
    ~Clock() override { cancel(); }

   private:
    void fire() override { owner_.tick(); }
    Autoconf& owner_;
  };
  void tick();
  void arm_locked() REQUIRES(lock_);
  void found_free(const IpAddress& address);
  void ask_routers_locked(uint64_t now) REQUIRES(lock_);
  void router(const IpAddress& router, uint32_t lifetime_s, uint64_t now);
  void prefix(std::span<const std::byte> option, uint64_t now);
  void refresh(const InterfaceAddress& address, uint32_t valid_s, uint32_t preferred_s, uint64_t now);
  void address_of_prefix(const IpAddress& prefix, uint32_t valid_s, uint32_t preferred_s, uint64_t now);

  Stack& stack_;
  Ethernet& link_;
  mutable SpinLock lock_{LockRank::net_queue};
  Vec<Probe> probes_ GUARDED_BY(lock_);
  uint64_t solicit_at_ GUARDED_BY(lock_) = kNever;  // routers
  uint64_t solicit_step_ GUARDED_BY(lock_) = 0;
  int32_t solicits_left_ GUARDED_BY(lock_) = 0;
  uint64_t expire_at_ GUARDED_BY(lock_) = kNever;
  bool stopped_ GUARDED_BY(lock_) = false;
  Clock clock_{*this};
};

}  // namespace runsc::net
