// Neighbours: which station of a link has which address (RFC 826, RFC 4861 7.3; arp(7)): the table of one
// interface for both families, and the packets that wait for an answer.
//
// Any context; takes no lock of an earlier rank than net_queue. Frames are sent without its lock.
#pragma once

#include "kernel/base/lock.h"
#include "net/inet/mac_address.h"
#include "net/packet.h"
#include "net/services.h"

namespace runsc::net {

class Ethernet;
class Stack;

namespace neighbour_state {  // NUD_*
inline constexpr uint8_t none = 0, incomplete = 1, reachable = 2, stale = 4, delay = 8, probe = 0x10,
                         failed = 0x20, noarp = 0x40, permanent = 0x80;
inline constexpr uint8_t valid = permanent | noarp | reachable | stale | delay | probe;
inline constexpr uint8_t connected = permanent | noarp | reachable;
}  // namespace neighbour_state

namespace neighbour_flag {  // NTF_*
inline constexpr uint8_t router = 0x80;
}

struct NeighbourRow {
  IpAddress address;
  MacAddress mac;
  uint8_t state = neighbour_state::none, flags = 0, protocol = 0;
  uint32_t probes = 0;
  uint64_t used_ns = 0, confirmed_ns = 0, updated_ns = 0;
};

class Neighbours final : public HeapObject {
 public:
  // What gc_thresh1, 2 and 3 of Linux are: none is forgotten before its time; more than that not for long;
  // never more.
  static constexpr size_t kKeep = 128, kMany = 512, kMost = 1024;

  Neighbours(Stack& stack, Ethernet& link);
  ~Neighbours();
  Ethernet& link() const { return link_; }

  // A packet at its network header to the station that has `next_hop`; waits here until that is known.
  void send(const IpAddress& next_hop, PacketPtr packet, uint16_t ether);
  // A transport has heard from `next_hop` what it can only have sent after having got something of ours.
  void confirm(const IpAddress& next_hop);

  // ---- by hand (netlink, ioctl, at boot): NUD_* of an entry, which is made if need be. EINVAL: a state that
  // cannot be set, no station; ENOENT: not to be made, and not there; EEXIST; ENOBUFS: the table is full.
  struct Wish {
    IpAddress address;
    MacAddress mac;
    bool has_mac = false, create = true, exclusive = false, replace = true;
    uint8_t state = neighbour_state::permanent, flags = 0, protocol = 0;
  };
  Result<void> set(const Wish& wish);
  Result<void> set(const IpAddress& address, const MacAddress& mac);  // permanent
  Result<void> remove(const IpAddress& address);                      // ENOENT
  Result<void> list(Vec<NeighbourRow>& out) const;
  bool find(const IpAddress& address, NeighbourRow& out) const;

  // ---- what the link says: `mac` has the address (null: it only said that it is there).
  struct Heard {
    bool create = false;     // an entry is made if there is none
    bool reachable = false;  // an answer to us; else it is STALE
    bool override_mac = false;
    bool weak_override = false;   // another address than the one known makes it STALE
    bool after_locktime = false;  // override only what has been so for locktime
    bool sets_router = false, router = false;
  };
  // True: it was a router and has said that it is none.
  bool heard(const IpAddress& address, const MacAddress* mac, const Heard& what);
  void stop();  // nothing happens by itself any more
  // All but what was set by hand (the link is down, or has another address).
  void flush(bool permanent_too);
  static constexpr uint64_t kSecond = 1'000'000'000, kMs = 1'000'000;

 private:
  struct Entry : HeapObject {
    NeighbourRow row;
    Entry* next = nullptr;
    PacketQueue held;
    uint32_t held_bytes = 0;
    uint64_t deadline = kNever;
  };
  // What is to be done when the lock has been let go of.
  struct Todo {
    PacketQueue send, failed;
    MacAddress mac;
    bool solicit = false, unicast = false, notify = false, gone = false;
    IpAddress source_hint = {};
    NeighbourRow row;
  };
  class Clock final : public Timer {
   public:
    explicit Clock(Neighbours& owner) : owner_(owner) {}
    ~Clock() override { cancel(); }

   private:
    void fire() override { owner_.tick(); }
    Neighbours& owner_;
  };
  static constexpr size_t kBuckets = 256;
  static constexpr uint64_t kNever = ~uint64_t{0};

  Entry** place_locked(const IpAddress& address) const REQUIRES(lock_);
  Entry* find_locked(const IpAddress& address) const REQUIRES(lock_) { return *place_locked(address); }
  Entry* make_locked(const IpAddress& address) REQUIRES(lock_);
  bool make_room_locked() REQUIRES(lock_);
  void unlink_locked(Entry** at) REQUIRES(lock_);
  void state_locked(Entry& entry, uint8_t state, uint64_t deadline) REQUIRES(lock_);
  void hold_locked(Entry& entry, PacketPtr packet) REQUIRES(lock_);
  Result<void> update_locked(Entry& entry, const MacAddress* mac, uint8_t state, const Heard& what,
                             bool admin, Todo& todo) REQUIRES(lock_);
  void solicit_locked(Entry& entry, Todo& todo) REQUIRES(lock_);
  bool tick_locked(Entry& entry, uint64_t now, Todo& todo) REQUIRES(lock_);
  void arm_locked(uint64_t deadline) REQUIRES(lock_);
  void release_locked(Entry& entry, Todo& todo) REQUIRES(lock_);
  uint64_t reachable_ns_locked(bool v6) const REQUIRES(lock_);
  const struct NeighbourSettings& settings(const Entry& entry) const;
  void carry_out(Todo& todo);
  void tick();

  Stack& stack_;
  Ethernet& link_;
  const uint64_t secret_;
  mutable SpinLock lock_{LockRank::net_queue};
  Entry* buckets_[kBuckets] GUARDED_BY(lock_) = {};
  size_t count_ GUARDED_BY(lock_) = 0;
  bool stopped_ GUARDED_BY(lock_) = false;
  uint64_t next_tick_ GUARDED_BY(lock_) = kNever;
  Clock clock_{*this};
};

}  // namespace runsc::net
