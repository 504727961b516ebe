// PingEndpoint: SOCK_DGRAM of IPPROTO_ICMP and IPPROTO_ICMPV6: echo requests out, their replies in (icmp(7),
// ping_group_range). Its "port" is the identifier of the messages.
#pragma once

#include "net/inet/datagram_endpoint.h"

namespace runsc::net {

Result<Ref<Endpoint>> create_ping(const Caller& caller, NetworkNamespace& net, int domain, int protocol);
void ping_receive(Stack& stack, PacketPtr packet);
bool ping_error(Stack& stack, const IcmpError& error);

class PingEndpoint final : public DatagramEndpoint {
 public:
  Result<size_t> send(SendMessage& message) override;
  bool icmp_error(const IcmpError& error) override { return InetEndpoint::icmp_error(error); }

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  PingEndpoint(const Caller& caller, NetworkNamespace& net, int domain, int protocol, PortTable& table)
      : DatagramEndpoint(caller, net, domain, socket_type::dgram, protocol, &table) {}
  Result<void> claim_name_locked(uint16_t port) override REQUIRES(lock_);
  Result<void> connect_name_locked(const Peer& peer) override REQUIRES(lock_);
  bool checks_port_privilege() const override { return false; }
  SocketAddress sender_of(const Packet& packet) const override;
};

}  // namespace runsc::net
