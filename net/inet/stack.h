// Stack: IPv4 and IPv6 of one network namespace: its interfaces, addresses and routes, the way of a packet
// down (route(), send()) and up (receive(), drain()).
//
// Nothing here sleeps, all may be called under socket locks; only drain() must be called without any. A
// packet that is sent on loopback, or that came from a device, waits in the backlog until somebody calls
// drain(): so receivers never run inside the senders' locks. Who sends (or may have sent: any operation of a
// socket, a timer) drains at its end: DrainAtEnd. Whoever has drained finds that what it sent before has
// arrived.
#pragma once

#include "net/inet/inet_settings.h"
#include "net/inet/interface.h"
#include "net/inet/port_table.h"
#include "net/services.h"

namespace runsc::net {

class NetworkNamespace;

namespace ip_protocol {
inline constexpr uint8_t ip = 0, icmp = 1, igmp = 2, tcp = 6, udp = 17, ipv6 = 41, routing = 43,
                         fragment = 44, icmpv6 = 58, none = 59, destination = 60, udplite = 136, raw = 255;
}

// RTN_*
enum class RouteType : uint8_t { unicast = 1, local = 2, broadcast = 3, multicast = 5 };

struct RouteQuery {
  IpAddress destination;
  IpAddress source;        // any: to be chosen
  uint32_t interface = 0;  // must go out by it (SO_BINDTODEVICE, a scope); 0: free
  uint8_t tos = 0;
  bool direct = false;  // MSG_DONTROUTE: no gateways
  uint32_t mark = 0;
};

struct Route {
  Ref<Interface> interface;
  IpAddress source, destination;
  IpAddress next_hop;  // on the link of `interface`
  RouteType type = RouteType::unicast;
  uint32_t mtu = 0;         // of IP packets on this path (RFC 1191, 8201)
  uint32_t generation = 0;  // see Stack::still_valid()
  bool local() const { return type == RouteType::local; }
};

// What a sender decides of the IP header.
struct IpSendOptions {
  uint8_t protocol = 0;
  uint8_t ttl = 0;  // 0: the namespace's default; 1 for multicast
  uint8_t tos = 0;
  bool dont_fragment = false;  // EMSGSIZE instead of fragments (IP_MTU_DISCOVER); sets DF
  bool multicast_loop = true;  // members on this machine get it too
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
  // Starts at the transport header of our packet, as far as it was quoted (at least 8 bytes); borrowed.
  Packet& quoted;
};

// A transport. Registered once at boot for all namespaces.
struct Protocol {
  // `packet` starts at the transport header; info.source, destination, interface, ttl, tos are set and
  // info.network_at names the IP header. No locks held. Runs where Timer::fire() may: does not sleep.
  void (*receive)(Stack& stack, PacketPtr packet) = nullptr;
  void (*error)(Stack& stack, const IcmpError& error) = nullptr;
};
void register_protocol(uint8_t number, const Protocol& protocol);

class Stack {
 public:
  explicit Stack(NetworkNamespace& net);
  ~Stack();
  // lo, up, with its addresses. ENOMEM.
  Result<void> init();
  NetworkNamespace& net() { return net_; }

  // ---- down
  // ENETUNREACH, EHOSTUNREACH, EACCES (prohibited), EINVAL (source is not ours; interface without address),
  // ENODEV, ENETDOWN.
  Result<Route> route(const RouteQuery& query);
  bool still_valid(const Route& route) const;
  // Puts the IP header in front of a transport packet, fragments it where it must, and sends it. EMSGSIZE,
  // ENOBUFS, ENETDOWN.
  Result<void> send(const Route& route, PacketPtr packet, const IpSendOptions& options);
  // Before send(), packet at the transport header, length final: fills the 16-bit field at `field` in (or
  // leaves it to the device: ChecksumState::partial). UDP turns 0 into 0xffff.
  void set_transport_checksum(Packet& packet, const Route& route, uint8_t protocol, uint16_t field);
  // After receipt: the checksum over packet (transport header on) and pseudo header is right.
  bool transport_checksum_ok(Packet& packet, uint8_t protocol);
  // ICMP(v6) destination unreachable, port; `packet` as Protocol::receive got it.
  void send_port_unreachable(const Packet& packet);

  // ---- up
  // From a device: queued. Any context.
  void receive(Interface& from, PacketPtr packet);
  // Delivers what waits. No locks held, but the namespace kept by the caller. May be called anywhere where
  // Timer::fire() may run.
  void drain();

  // ---- what is asked
  bool is_local(const IpAddress& address, uint32_t interface = 0);  // an address of ours (v4: 127/8 too)
  bool is_broadcast(const IpAddress& address);
  Ref<Interface> interface(uint32_t index);
  Ref<Interface> interface(std::string_view name);

  InetSettings settings;
  PortTable udp{PortTable::Kind::datagram, settings}, tcp{PortTable::Kind::stream, settings};

 private:
  NetworkNamespace& net_;
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
