// MulticastReports: what routers and switches are told of the groups that we have joined on one link: IGMP
// (RFC 3376, version 3; 2236 and 1112 where an older router asks) and MLD (RFC 3810; 2710).
//
// Any context without locks from net_config's rank on.
#pragma once

#include "kernel/base/lock.h"
#include "kernel/base/vec.h"
#include "net/inet/address.h"
#include "net/packet.h"
#include "net/services.h"

namespace runsc::net {

class Ethernet;
class Stack;

class MulticastReports {
 public:
  MulticastReports(Stack& stack, Ethernet& link);
  ~MulticastReports() { stop(); }
  // Groups of the link's own (all hosts) are never told.
  void joined(const IpAddress& group);
  void left(const IpAddress& group);
  void came_up();  // all that is joined is told again
  void went_down();
  // There is an address now that reports of IPv6 can come from.
  void has_link_local();
  void stop();

  // At the IGMP header; the whole message. MLD: types 130 to 132, checksum and hop limit are right.
  void igmp_received(Packet& packet);
  void mld_received(Packet& packet);
  // 1 to 3 (IGMP), 1 or 2 (MLD): how the routers here want to be told.
  unsigned version(bool v6) const;
  struct Facts {
    IpAddress group;
    bool running, reporter;
    uint64_t left_ns;
  };
  Result<void> list(bool v6, Vec<Facts>& out) const;

 private:
  static constexpr uint64_t kNever = ~uint64_t{0};
  enum class Kind : uint8_t { is_exclude = 2, to_include = 3, to_exclude = 4 };  // RFC 3376, 4.2.12
  struct Group {
    IpAddress group;
    uint64_t at_ns = kNever;  // a report is due
    uint8_t times = 0;        // that a change is still to be told
    bool change = false;      // else the answer to a query
    bool gone = false;        // we have left it, and say so
    bool reporter = false;    // versions 1, 2: it was we who told last
  };
  class Clock final : public Timer {
   public:
    explicit Clock(MulticastReports& owner) : owner_(owner) {}
    ~Clock() override { cancel(); }

   private:
    void fire() override { owner_.tick(); }
    MulticastReports& owner_;
  };
  struct Due;
  void tick();
  size_t take_due_locked(uint64_t now, size_t& from, std::span<Due> out) REQUIRES(lock_);
  void arm_locked() REQUIRES(lock_);
  unsigned version_locked(bool v6, uint64_t now) const REQUIRES(lock_);
  void queried_locked(const IpAddress& group, bool v6, uint64_t within_ns, uint64_t now) REQUIRES(lock_);
  void report(const Group& group, unsigned version);
  void report4(const Group& group, unsigned version);
  void report6(const Group& group, unsigned version);
  void heard_report(const IpAddress& group);

  Stack& stack_;
  Ethernet& link_;
  mutable SpinLock lock_{LockRank::net_queue};
  Vec<Group> groups_ GUARDED_BY(lock_);
  // Until when there is a router of an older version: [0] IGMPv1, [1] IGMPv2, [2] MLDv1.
  uint64_t older_until_[3] GUARDED_BY(lock_) = {};
  bool stopped_ GUARDED_BY(lock_) = false;
  Clock clock_{*this};
};

// Of a stack: finds the link that it came by.
void igmp_receive(Stack& stack, PacketPtr packet);
void mld_receive(Stack& stack, Packet& packet);

}  // namespace runsc::net
