// DatagramEndpoint: what UDP, ping and raw sockets have in common: a queue of whole packets, peers without
// connections, and where one message goes.
#pragma once

#include "net/inet/inet_endpoint.h"

namespace runsc::net {

class DatagramEndpoint : public InetEndpoint {
 public:
  Result<void> connect(const Caller& caller, std::span<const std::byte> address, WaitPoint& wait) override;
  Result<size_t> receive(ReceiveMessage& message) override;
  Result<void> shutdown(uint32_t how) override;
  uint32_t poll() override;
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) override;
  void release() override;

  // A packet for this socket, at its transport header. No locks held.
  void take_packet(PacketPtr packet);

  struct QueueState {
    uint32_t receive_memory, drops;
    bool connected;
  };
  QueueState queue_state();
  Facts facts() override;

 protected:
  using InetEndpoint::InetEndpoint;
  // Where one message goes, and how.
  struct Target {
    SocketAddress to;
    Route route;
    IpSendOptions options;
    uint16_t segment_size = 0;
    bool connected = false;
  };
  // Reads address and ancillary data. EDESTADDRREQ, EINVAL, ENETUNREACH, EACCES, EPIPE, what SO_ERROR has.
  Result<Target> target_of(SendMessage& message);
  // Datagram sockets get a port before they are used. EAGAIN: none is free.
  Result<void> autobind();
  // Bytes in front of what the application gets.
  virtual uint32_t transport_header() const { return 0; }
  virtual SocketAddress sender_of(const Packet& packet) const;
  // The last look at a packet before it is given out. False: it is dropped.
  virtual bool checks_datagram(Packet& packet) {
    (void)packet;
    return true;
  }
  virtual Result<void> connect_name_locked(const Peer& peer) REQUIRES(lock_);
  virtual bool needs_port() const { return true; }
  // Takes the name of the peer away; `Caller` asked for it with AF_UNSPEC.
  void disconnect();

 private:
  PacketPtr next_packet(uint32_t flags, size_t& skip, Errno& why, ReceiveMessage& message);
  PacketPtr peek_locked(size_t& skip) REQUIRES(lock_);

  PacketQueue packets_ GUARDED_BY(lock_);
  std::atomic<uint32_t> shut_{0};
};

}  // namespace runsc::net
