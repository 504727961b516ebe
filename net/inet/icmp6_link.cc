#include "net/inet/ethernet.h"
#include "net/inet/icmp_send.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"

namespace runsc::net {

void send_link_icmp6(Ethernet& link, const IpAddress& source, const IpAddress& destination, uint8_t hop_limit,
                     bool alert, PacketPtr packet) {
  Stack& stack = link.owner();
  if (link.settings.disable_ipv6.load(std::memory_order_relaxed)) return;
  Route route;
  route.interface = Ref<Interface>(link);
  route.source = source;
  route.destination = route.next_hop = destination;
  route.type = destination.is_multicast() ? RouteType::multicast : RouteType::unicast;
  route.mtu = link.mtu();
  IpSendOptions options;
  options.protocol = ip_protocol::icmpv6;
  options.ttl = hop_limit;
  options.multicast_loop = false;
  const auto type = static_cast<uint8_t>(*packet->data());
  stack.set_transport_checksum(*packet, route, ip_protocol::icmpv6, offsetof(IcmpHeader, checksum));
  if (alert) {  // RFC 2711: a hop-by-hop header with the alert, padded
    constexpr uint8_t kAlert[8] = {ip_protocol::icmpv6, 0, 5, 2, 0, 0, 1, 0};
    __builtin_memcpy(packet->push(sizeof kAlert), kAlert, sizeof kAlert);
    options.protocol = 0;
  }
  stack.counters.add(Mib::icmp_out, true);
  stack.counters.icmp_types[1][1][type].fetch_add(1, std::memory_order_relaxed);
  (void)stack.send(route, std::move(packet), options);
}

}  // namespace runsc::net
