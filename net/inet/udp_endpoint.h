// UdpEndpoint: UDP (RFC 768, RFC 8200 8.1; udp(7)).
#pragma once

#include "net/inet/datagram_endpoint.h"

namespace runsc::net {

// For register_inet_type().
Result<Ref<Endpoint>> create_udp(const Caller& caller, NetworkNamespace& net, int domain, int protocol);
void udp_receive(Stack& stack, PacketPtr packet);
bool udp_error(Stack& stack, const IcmpError& error);

class UdpEndpoint final : public DatagramEndpoint {
 public:
  Result<size_t> send(SendMessage& message) override;
  Result<void> set_option(const Caller& caller, int level, int name, uint64_t address,
                          uint32_t size) override;
  Result<uint32_t> get_option(const Caller& caller, int level, int name, uint64_t address,
                              uint32_t size) override;
  void release() override;

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  UdpEndpoint(const Caller& caller, NetworkNamespace& net, int domain)
      : DatagramEndpoint(caller, net, domain, socket_type::dgram, ip_protocol::udp, &net_stack(net).udp) {}

  static Stack& net_stack(NetworkNamespace& net);
  SocketAddress sender_of(const Packet& packet) const override;
  uint32_t transport_header() const override { return kHeader; }
  bool checks_datagram(Packet& packet) override;
  Result<void> append(Target& target, mm::IoBuf& from, size_t size) REQUIRES(send_lock_);
  Result<void> push_corked() REQUIRES(send_lock_);
  Result<void> transmit(const Target& target, PacketPtr packet);
  Result<void> transmit_segments(const Target& target, PacketPtr packet);

  static constexpr uint32_t kHeader = 8;
  static constexpr size_t kMaxPayload = 65535 - kHeader;
  Mutex send_lock_{LockRank::socket_send};
  // What MSG_MORE or UDP_CORK holds back.
  PacketPtr corked_ GUARDED_BY(send_lock_);
  Target corked_for_ GUARDED_BY(send_lock_);
  std::atomic<bool> corked_now_{false}, cork_{false}, gro_{false}, zero_checksum6_{false};
  std::atomic<uint16_t> segment_{0};
  std::atomic<bool> no_checksum6_send_{false};
};

}  // namespace runsc::net
