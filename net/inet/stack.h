// Stack: IPv4 and IPv6 of one network namespace: its interfaces, addresses and routes, the way of a packet
// down (route(), send()) and up (receive(), drain()).
//
// Nothing here sleeps, all may be called under socket locks; only drain() must be called without any. A
// packet that is sent on loopback, or that came from a device, waits in the backlog until somebody calls
// drain(): so receivers never run inside the senders' locks. Who sends (or may have sent: any operation of a
// socket, a timer) drains at its end: DrainAtEnd. Whoever has drained finds that what it sent before has
// arrived.
#pragma once

#include "net/inet/backlog.h"
#include "net/inet/counters.h"
#include "net/inet/icmp_limit.h"
#include "net/inet/inet_settings.h"
#include "net/inet/net_config.h"
#include "net/inet/port_table.h"
#include "net/inet/reassembly.h"
#include "net/services.h"

namespace runsc::net {

class NetworkNamespace;

namespace ip_protocol {
inline constexpr uint8_t ip = 0, icmp = 1, igmp = 2, tcp = 6, udp = 17, ipv6 = 41, routing = 43,
                         fragment = 44, icmpv6 = 58, none = 59, destination = 60, udplite = 136, raw = 255;
}

// What a sender decides of the IP header.
struct IpSendOptions {
  uint8_t protocol = 0;
  uint8_t ttl = 0;  // 0: the namespace's default; 1 for multicast
  uint8_t tos = 0;
  bool dont_fragment = false;  // EMSGSIZE instead of fragments; sets DF
  bool prefer_df = false;      // DF on what needs no fragments (IP_PMTUDISC_WANT)
  bool multicast_loop = true;  // members on this machine get it too
  bool stays = false;          // a group's packet with no hop to go: for this machine only
  uint32_t flow_label = 0;     // IPv6, host order
  uint32_t priority = 0, mark = 0;
  std::span<const std::byte> ip_options;  // RFC 791 options, padded to 4 bytes
  uint32_t fragment_max = 0;              // IPV6_MTU...: smaller than the route's MTU; 0: none
};

// What an ICMP message (RFC 792, 4443) says of a packet that we have sent.
struct IcmpError {
  uint8_t origin;  // SO_EE_ORIGIN_*: 1 local, 2 ICMP, 3 ICMPv6
  uint8_t type, code;
  Errno error;   // what sockets are told
  bool hard;     // ends a connection that is being made, or is told without IP_RECVERR too
  bool too_big;  // `info` is a new path MTU (RFC 1191, RFC 8201)
  uint32_t info;
  uint32_t interface;             // that it came in by
  IpAddress offender;             // who sent it
  IpAddress source, destination;  // of our packet
  uint32_t ip_size;               // of the header in front of `quoted`, which push() shows again
  const PacketInfo& about;        // of the ICMP message itself
  // Starts at the transport header of our packet, as far as it was quoted (at least 8 bytes); borrowed.
  Packet& quoted;
};

// A transport. Registered once at boot for all namespaces.
struct Protocol {
  // `packet` starts at the transport header; info.source, destination, interface, ttl, tos are set and
  // info.network_at names the IP header. No locks held. Runs where Timer::fire() may: does not sleep.
  void (*receive)(Stack& stack, PacketPtr packet) = nullptr;
  // True: a socket of ours has sent the packet, as far as can be known.
  bool (*error)(Stack& stack, const IcmpError& error) = nullptr;
};
void register_protocol(uint8_t number, const Protocol& protocol);

class RawTable;
class PacketTaps;
class NetlinkTable;

class Stack final : public HeapObject {
 public:
  explicit Stack(NetworkNamespace& net);
  ~Stack();
  // lo, down; it gets its addresses when it comes up. ENOMEM.
  Result<void> init();
  NetworkNamespace& net() { return net_; }

  // ---- down
  // ENETUNREACH, EHOSTUNREACH, EACCES (prohibited), EINVAL (source is not ours, black hole), ENODEV.
  Result<Route> route(const RouteQuery& query) { return config.route(query); }
  bool still_valid(const Route& route) const {
    return route.interface && route.generation == config.generation();
  }
  // Puts the IP header in front of a transport packet, fragments it where it must, and sends it. EMSGSIZE,
  // ENOBUFS, ENETDOWN.
  Result<void> send(const Route& route, PacketPtr packet, const IpSendOptions& options);
  // The same for a packet that has its IP header already.
  Result<void> send_whole(const Route& route, PacketPtr packet);
  // Before send(), packet at the transport header, length final: fills the 16-bit field at `field` in (or
  // leaves it to the device: ChecksumState::partial). UDP turns 0 into 0xffff.
  void set_transport_checksum(Packet& packet, const Route& route, uint8_t protocol, uint16_t field);
  // What a device would have done, for a packet that is cut or leaves by one that does not.
  static void complete_checksum(Packet& packet);
  // After receipt: the checksum over packet (transport header on) and pseudo header is right.
  bool transport_checksum_ok(const Packet& packet, uint8_t protocol) const;
  // ICMP(v6) destination unreachable, port; `packet` as Protocol::receive got it.
  void send_port_unreachable(const Packet& packet);
  // Any ICMP error about a packet that came (`packet.info` knows its headers), where RFC 1122 3.2.2 and RFC
  // 4443 2.4 let us. type and code of its family.
  void send_icmp_error(const Packet& packet, uint8_t type, uint8_t code, uint32_t info);

  // ---- up
  // From a device: a packet at its network header, info.ether and info.to set; queued. Any context.
  void receive(Interface& from, PacketPtr packet);
  // Delivers what waits. No locks held, but the namespace kept by the caller. May be called anywhere where
  // Timer::fire() may run.
  void drain();

  InetSettings settings;
  NetConfig config;
  PortTable udp{PortTable::Kind::datagram, settings}, tcp{PortTable::Kind::stream, settings},
      ping{PortTable::Kind::datagram, settings};
  Counters counters;
  Reassembly fragments;
  RawTable& raw() { return *raw_; }
  PacketTaps& taps() { return *taps_; }
  NetlinkTable& netlink() { return *netlink_; }

 private:
  friend class Loopback;
  // ip_input.cc
  void deliver(PacketPtr packet);
  void input_arp(Packet& packet);
  void input4(PacketPtr packet);
  void input6(PacketPtr packet);
  bool comes_the_right_way(const Interface& from, const IpAddress& source) const;
  bool accepts(const Packet& packet, bool group);
  bool source_possible(const Packet& packet, bool group) const;
  void local4(PacketPtr packet);
  void local6(PacketPtr packet);
  bool reassemble(PacketPtr& packet, const FragmentKey& key, FragmentPlace& place);
  // extension6.cc
  struct Chain {
    uint32_t at;  // from the network header
    uint8_t protocol;
    uint32_t next_at;  // the byte that names the protocol
  };
  bool walk_extensions(PacketPtr& packet, Chain& chain);
  bool options_ok(Packet& packet, uint32_t at, uint32_t size);
  bool fragment6(PacketPtr& packet, Chain& chain);
  void to_protocol(PacketPtr packet, uint8_t protocol);
  // ip_output.cc
  Result<void> output4(const Route& route, PacketPtr packet, const IpSendOptions& options);
  Result<void> output6(const Route& route, PacketPtr packet, const IpSendOptions& options);
  Result<void> fragment4(const Route& route, Packet& packet, uint32_t mtu, const IpSendOptions& options);
  Result<void> fragment6_out(const Route& route, Packet& packet, uint32_t mtu, const IpSendOptions& options);
  void emit(const Route& route, PacketPtr packet, uint16_t ether, const IpSendOptions& options);
  void loop_back(const Route& route, const Packet& packet, bool loop);
  uint16_t next_id(const Route& route, uint8_t protocol);
  // A timer whose end is what the stack has put off.
  template <void (Stack::*Do)()>
  class Later final : public Timer {
   public:
    explicit Later(Stack& stack) : stack_(stack) {}
    ~Later() override { cancel(); }

   private:
    void fire() override { (stack_.*Do)(); }
    Stack& stack_;
  };
  void expire_fragments();
  void drain_backlog();

  NetworkNamespace& net_;
  Backlog backlog_;
  const uint64_t secret_;
  // Identifications of IPv4 (RFC 7739, 5.3): a counter for some pairs of addresses each.
  static constexpr size_t kIdCounters = 256;
  std::atomic<uint32_t> next_ids_[kIdCounters];
  IcmpLimit icmp_limit_;
  Unique<RawTable> raw_;
  Unique<PacketTaps> taps_;
  Unique<NetlinkTable> netlink_;
  Later<&Stack::drain> drain_later_{*this};
  Later<&Stack::expire_fragments> expire_later_{*this};
};

// Drains when it goes out of scope, after the locks that were taken later.
class DrainAtEnd {
 public:
  explicit DrainAtEnd(Stack& stack) : stack_(stack) {}
  ~DrainAtEnd() { stack_.drain(); }
  DrainAtEnd(const DrainAtEnd&) = delete;
  DrainAtEnd& operator=(const DrainAtEnd&) = delete;

 private:
  Stack& stack_;
};

}  // namespace runsc::net
