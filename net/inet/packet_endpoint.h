// PacketEndpoint: AF_PACKET (packet(7)): packets as the devices see them.
#pragma once

#include "net/endpoint.h"
#include "net/inet/raw_table.h"

namespace runsc::net {

// For register_family(). EPERM without CAP_NET_RAW.
Result<Ref<Endpoint>> create_packet(const Caller& caller, NetworkNamespace& net, int type, int protocol);

class PacketEndpoint final : public Endpoint, public TapReceiver {
 public:
  Result<void> bind(const Caller& caller, std::span<const std::byte> address) override;
  Result<void> name(Address& out, bool peer) override;
  Result<size_t> send(SendMessage& message) override;
  Result<size_t> receive(ReceiveMessage& message) override;
  uint32_t poll() override;
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) override;
  Result<void> set_option(const Caller& caller, int level, int name, uint64_t address,
                          uint32_t size) override;
  Result<uint32_t> get_option(const Caller& caller, int level, int name, uint64_t address,
                              uint32_t size) override;
  void attached(Socket& file) override;
  void release() override;

  // A row of /proc/net/packet.
  struct Facts {
    uint16_t ether;
    uint32_t interface, memory, uid;
    uint64_t ino;
  };
  Facts facts() const;

  bool wants(const Packet& packet, bool outgoing) const override;
  void tap_packet(PacketPtr packet) override;
  bool listener_try_ref() override { return try_ref(); }
  void listener_unref() override { unref(); }

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  PacketEndpoint(NetworkNamespace& net, int type, int protocol, uint32_t uid);

  struct Membership {
    uint32_t interface;
    uint16_t type;  // PACKET_MR_*
    uint32_t count = 1;
  };
  bool passes_filter(Packet& packet);
  Result<void> change_membership(Membership wanted, bool add);

  std::atomic<uint16_t> ether_;         // what it wants, host order; 0: nothing
  std::atomic<uint32_t> interface_{0};  // 0: all
  const uint32_t uid_;
  const AccountId owner_ = arch::cpu_local().account;  // pays for what comes from outside
  std::atomic<uint64_t> ino_{0};
  std::atomic<uint32_t> charged_{0};
  std::atomic<uint32_t> seen_{0}, dropped_{0};  // PACKET_STATISTICS
  std::atomic<bool> auxdata_{false}, ignore_outgoing_{false};
  // Taken by senders that hold locks of sockets.
  SpinLock lock_{LockRank::net_queue};
  PacketQueue packets_ GUARDED_BY(lock_);
  Vec<Membership> memberships_ GUARDED_BY(lock_);
};

}  // namespace runsc::net
