// Interface: a network device as the stack sees it (netdevice(7)): `lo`, or an Ethernet.
#pragma once

#include "kernel/base/string.h"
#include "net/inet/interface_settings.h"
#include "net/packet.h"

namespace runsc::net {

class Stack;
struct Route;

namespace interface_flag {  // IFF_*
inline constexpr uint32_t up = 1, broadcast = 2, debug = 4, loopback = 8, pointopoint = 0x10, running = 0x40,
                          noarp = 0x80, promisc = 0x100, allmulti = 0x200, multicast = 0x1000,
                          lower_up = 0x10000;
}

// rt_scope_t
namespace scope {
inline constexpr uint8_t universe = 0, site = 200, link = 253, host = 254, nowhere = 255;
}

// IFA_F_*
namespace address_flag {
inline constexpr uint32_t secondary = 1, no_dad = 2, optimistic = 4, dad_failed = 8, home = 0x10,
                          deprecated = 0x20, tentative = 0x40, permanent = 0x80, manage_temporary = 0x100,
                          no_prefix_route = 0x200, multicast_join = 0x400;
}

struct InterfaceAddress {
  IpAddress address, peer, broadcast;  // peer: == address unless point to point; broadcast: any = none
  uint8_t prefix = 0;
  uint8_t scope = scope::universe;
  uint32_t flags = 0;                       // address_flag
  uint8_t protocol = 0;                     // IFAPROT_*: who gave it
  uint64_t valid_ns = 0, preferred_ns = 0;  // until when, monotonic; 0: for ever
  uint64_t made_ns = 0, changed_ns = 0;
  char label[16] = {};
  bool tentative() const { return flags & address_flag::tentative; }
  // It may be used: not tentative, not found to be somebody else's.
  bool usable() const {
    return !(flags & address_flag::dad_failed) && (!tentative() || flags & address_flag::optimistic);
  }
};

struct InterfaceCounters {
  std::atomic<uint64_t> bytes{0}, packets{0}, errors{0}, dropped{0};
};

class Neighbours;

class Interface : public RefCounted<Interface> {
 public:
  static constexpr size_t kNameMax = 15;
  static constexpr size_t kHardwareMax = 8;
  virtual ~Interface() = default;

  // Sends a packet that starts with its network header; `route` says where to (next hop). Does not sleep,
  // takes no socket lock: from inside socket locks. Link down, queue full: dropped and counted.
  virtual void transmit(const Route& route, PacketPtr packet) = 0;
  // A packet that starts with its link header (packet(7), SOCK_RAW). EMSGSIZE, ENETDOWN.
  virtual Result<void> transmit_raw(PacketPtr packet) = 0;
  // Bytes of a link header of its own; 0: none.
  virtual uint32_t link_header() const { return 0; }
  // ARPHRD_*: 1 Ethernet, 772 loopback.
  virtual uint16_t hardware_type() const = 0;
  // It completes ChecksumState::partial itself, or nobody will ever look.
  virtual bool completes_checksums() const { return false; }
  // Payload that one Packet with `segment_size` may have; 0: it takes no such packets.
  virtual uint32_t segment_max() const { return 0; }
  // And how many such packets it may stand for: more would be made work for others by little of one's own.
  static constexpr uint32_t kMostSegments = 128;

  // Who has which link-layer address; null: the link has none (lo).
  virtual Neighbours* neighbours() { return nullptr; }

  // What NetConfig says after it has changed, without its lock; perhaps under locks of sockets.
  virtual void attached() {}
  virtual void came_up() {}
  virtual void went_down() {}
  virtual void flags_changed() {}
  virtual void ipv6_switched(bool on) { (void)on; }
  virtual void address_added(const InterfaceAddress&) {}
  virtual void address_removed(const InterfaceAddress&) {}
  virtual void group_joined(const IpAddress&) {}
  virtual void group_left(const IpAddress&) {}
  // The stack is about to end: nothing more happens by itself.
  virtual void stop() {}

  uint32_t index() const { return index_; }
  std::string_view name() const { return {name_, __builtin_strlen(name_)}; }
  uint32_t flags() const { return flags_.load(std::memory_order_relaxed); }
  bool up() const { return flags() & interface_flag::up; }
  bool is_loopback() const { return flags() & interface_flag::loopback; }
  // Whether frames for other stations are wanted: by flag, or by those who listen (packet(7)).
  bool promiscuous() const { return flags() & interface_flag::promisc || promiscuity() > 0; }
  uint32_t promiscuity() const { return promiscuity_.load(std::memory_order_relaxed); }
  void count_promiscuity(bool more) {
    promiscuity_.fetch_add(more ? 1 : ~0u, std::memory_order_relaxed);
    flags_changed();
  }
  uint32_t queue_length() const { return send_queue_.load(std::memory_order_relaxed); }
  uint32_t mtu() const { return mtu_.load(std::memory_order_relaxed); }
  std::span<const std::byte> hardware_address() const { return {hardware_, hardware_size_}; }
  InterfaceCounters received, sent;
  std::atomic<uint64_t> multicast_received{0};
  InterfaceSettings settings;
  // A setting of which conf/all counts too: the larger one.
  uint32_t with_all(Setting InterfaceSettings::*which) const;

 protected:
  Interface(Stack& stack, std::string_view name, uint32_t flags, uint32_t mtu);
  Stack& stack() const { return stack_; }
  std::byte hardware_[kHardwareMax] = {};
  uint8_t hardware_size_ = 0;

 private:
  friend class NetConfig;
  Stack& stack_;  // which keeps it
  uint32_t index_ = 0;
  char name_[kNameMax + 1] = {};
  std::atomic<uint32_t> flags_, mtu_;
  std::atomic<uint32_t> send_queue_{1000}, promiscuity_{0};
  Vec<InterfaceAddress> addresses_;  // under NetConfig's lock
};

}  // namespace runsc::net
