// The text of /proc/net (proc(5)) that the Internet protocols give.
#pragma once

#include "kernel/base/format.h"
#include "net/inet/address.h"
#include "net/network_namespace.h"

namespace runsc::net {

Result<void> show_dev(NetworkNamespace& net, TextSink& out);
Result<void> show_route(NetworkNamespace& net, TextSink& out);
Result<void> show_if_inet6(NetworkNamespace& net, TextSink& out);
Result<void> show_ipv6_route(NetworkNamespace& net, TextSink& out);
Result<void> show_igmp(NetworkNamespace& net, TextSink& out);
Result<void> show_igmp6(NetworkNamespace& net, TextSink& out);
Result<void> show_arp(NetworkNamespace& net, TextSink& out);
Result<void> show_udp(NetworkNamespace& net, TextSink& out);
Result<void> show_udp6(NetworkNamespace& net, TextSink& out);
Result<void> show_icmp(NetworkNamespace& net, TextSink& out);
Result<void> show_icmp6(NetworkNamespace& net, TextSink& out);
Result<void> show_raw(NetworkNamespace& net, TextSink& out);
Result<void> show_raw6(NetworkNamespace& net, TextSink& out);
Result<void> show_packet(NetworkNamespace& net, TextSink& out);
Result<void> show_netlink(NetworkNamespace& net, TextSink& out);
Result<void> show_snmp(NetworkNamespace& net, TextSink& out);
Result<void> show_snmp6(NetworkNamespace& net, TextSink& out);
Result<void> show_sockstat(NetworkNamespace& net, TextSink& out);
Result<void> show_sockstat6(NetworkNamespace& net, TextSink& out);

// One row of /proc/net/udp, tcp, raw and their IPv6 kin, up to the inode number and without the line's end.
struct SocketRow {
  uint32_t slot;
  IpAddress local, peer;
  uint16_t port, peer_port;
  uint8_t state;
  uint32_t send_queue, receive_queue;
  uint8_t timer;
  uint64_t timer_when;
  uint32_t retransmits, uid;
  int32_t timeout;
  uint64_t ino;
};
void print_socket_row(TextSink& out, const SocketRow& row, bool v6);

}  // namespace runsc::net
