// Hosts on one Ethernet, in time that stands still: each a stack of its own; the test sees every frame, and
// may send its own.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fs/fd_table.h"
#include "fs/namespace.h"
#include "mm/address_space.h"
#include "net/family.h"
#include "net/inet/ethernet.h"
#include "net/inet/inet_family.h"
#include "net/inet/ndp.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"
#include "net/message.h"
#include "net/network_namespace.h"
#include "tests/unit/fake_arch/fake_arch.h"
#include "tests/unit/fake_net/fake_net.h"
// Last: its CHECK takes the place of ours.
#include "tests/unit/fake_arch/catch.h"

namespace runsc::net::testing {

using Bytes = std::string;

struct Frame {
  Bytes bytes;
  int from;  // which host; -1: the test
};

class World;

class Host final : public Wire {
 public:
  Host(World& world, int number, const MacAddress& mac, uint32_t mtu);
  ~Host();
  bool send(PacketPtr frame) override;
  bool checksum_offload() const override { return offload; }
  uint32_t segment_max() const override { return 0; }
  void set_receive_filter(bool p) override { promiscuous = p; }

  void take(const Bytes& frame);
  void address(const char* text, uint8_t prefix, uint32_t flags = address_flag::permanent);
  void up(bool yes = true);
  Stack& stack() { return net->inet(); }
  NetConfig& config() { return stack().config; }
  std::string neighbour(const IpAddress& address);  // state and station, or ""

  World& world;
  const int number;
  bool offload = false, full = false, promiscuous = false;
  Ref<NetworkNamespace> net;
  Ref<Ethernet> link;
};

// An open socket, as system calls see it.
class Sock {
 public:
  Sock(Host& host, int domain, int type, int protocol = 0);
  Sock(Host& host, Ref<Endpoint> endpoint);
  ~Sock();
  Errno bind(const IpAddress& address, uint16_t port);
  Errno connect(const IpAddress& address, uint16_t port, uint32_t scope = 0);
  Errno send_to(const IpAddress& address, uint16_t port, std::string_view text, uint32_t flags = 0);
  Errno send(std::string_view text);
  std::string receive();  // "" nothing
  Errno error() { return static_cast<Errno>(endpoint->take_error()); }
  std::unique_ptr<Sock> accept();
  Endpoint* operator->() { return endpoint.get(); }

  Host& host;
  Ref<Endpoint> endpoint;

 private:
  std::vector<std::byte> name_of(const IpAddress& address, uint16_t port, uint32_t scope) const;
};

class World {
 public:
  World();
  ~World();
  Host& add(uint32_t mtu = 1500);
  // Two hosts, 10.0.0.1/24 and 10.0.0.2/24, fd00::1/64 and fd00::2/64, up, all that goes by itself over.
  void two(uint32_t mtu = 1500);
  // Frames that wait are delivered until there are none; what `drop` says is lost.
  void pump();
  void run(uint64_t ns);  // time goes on, in steps, with all that is sent
  void inject(const Bytes& frame) {
    for (auto& h : hosts) h->take(frame);
  }
  // What has been sent since, and forgets it.
  std::vector<Frame> sent(int from, uint16_t ether = 0);

  std::vector<std::unique_ptr<Host>> hosts;
  Host& a() { return *hosts[0]; }
  Host& b() { return *hosts[1]; }
  std::deque<Frame> flying;
  std::vector<Frame> log;
  std::function<bool(const Frame&)> drop;
  Caller caller() { return {*space, *files, *fs, *creds, 1, ~uint64_t{0}, nullptr, nullptr}; }

 private:
  Ref<mm::AddressSpace> space;
  Ref<fs::FdTable> files;
  Ref<fs::FsContext> fs;
  Ref<fs::Credentials> creds;
};

// ---- building and reading frames
IpAddress ip(const char* text);
MacAddress mac(int last);
Bytes hex(const char* text);  // spaces do not count
Bytes raw(const void* p, size_t n);
Bytes ether(const MacAddress& to, const MacAddress& from, uint16_t type, const Bytes& payload);
Bytes arp(uint16_t operation, const MacAddress& sender, const IpAddress& sender_ip, const MacAddress& target,
          const IpAddress& target_ip);
Bytes ipv4(const IpAddress& from, const IpAddress& to, uint8_t protocol, const Bytes& payload,
           uint8_t ttl = 64);
// With the checksum that `protocol`'s field at `field` needs.
Bytes ipv6(const IpAddress& from, const IpAddress& to, uint8_t protocol, Bytes payload, int field,
           uint8_t hops = 64);
Bytes icmp6(const IpAddress& from, const IpAddress& to, const Bytes& message, uint8_t hops = 255);
Bytes udp4(const IpAddress& from, const IpAddress& to, uint16_t source, uint16_t destination,
           const Bytes& text);
Bytes mac_option(uint8_t type, const MacAddress& mac);
inline uint8_t at(const Bytes& b, size_t i) { return i < b.size() ? static_cast<uint8_t>(b[i]) : 0; }

}  // namespace runsc::net::testing
