// RawEndpoint: SOCK_RAW of AF_INET and AF_INET6 (raw(7), RFC 3542).
#pragma once

#include "net/inet/datagram_endpoint.h"
#include "net/inet/raw_table.h"

namespace runsc::net {

// EPERM without CAP_NET_RAW.
Result<Ref<Endpoint>> create_raw(const Caller& caller, NetworkNamespace& net, int domain, int protocol);

class RawEndpoint final : public DatagramEndpoint, public RawReceiver {
 public:
  Result<size_t> send(SendMessage& message) override;
  Result<void> set_option(const Caller& caller, int level, int name, uint64_t address,
                          uint32_t size) override;
  Result<uint32_t> get_option(const Caller& caller, int level, int name, uint64_t address,
                              uint32_t size) override;
  void release() override;

  bool wants(const Packet& packet, uint8_t protocol) const override;
  void raw_packet(PacketPtr packet) override { take_packet(std::move(packet)); }
  bool wants_error(const IcmpError& error, uint8_t protocol) const override;
  void raw_error(const IcmpError& error) override;
  bool listener_try_ref() override { return try_ref(); }
  void listener_unref() override { unref(); }

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  RawEndpoint(const Caller& caller, NetworkNamespace& net, int domain, int protocol);
  Result<void> claim_name_locked(uint16_t port) override REQUIRES(lock_);
  Result<void> connect_name_locked(const Peer& peer) override REQUIRES(lock_);
  bool named_locked() const override REQUIRES(lock_) { return false; }
  bool checks_port_privilege() const override { return false; }
  bool needs_port() const override { return false; }
  SocketAddress sender_of(const Packet& packet) const override;
  Result<void> send_with_header(const Target& target, PacketPtr packet);

  static constexpr uint32_t kTypes = 256;
  std::atomic<bool> header_included_{false};
  std::atomic<int32_t> checksum_at_{-1};               // IPV6_CHECKSUM
  std::atomic<uint32_t> icmp4_filter_{0};              // ICMP_FILTER
  std::atomic<uint32_t> icmp6_filter_[kTypes / 32]{};  // ICMPV6_FILTER: set bits are blocked
};

}  // namespace runsc::net
