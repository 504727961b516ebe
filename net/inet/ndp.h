// Neighbour Discovery (RFC 4861) as a host does it: messages out and in. What lasts is in Neighbours and
// Autoconf.
#pragma once

#include "net/inet/mac_address.h"
#include "net/packet.h"

namespace runsc::net {

class Ethernet;
class Stack;

// ff02::1:ff00:0/104 with the last three bytes of the address.
constexpr IpAddress solicited_node(const IpAddress& address) {
  return {0xff02000000000000, 0x1ff000000 | (address.low & 0xffffff)};
}
inline constexpr IpAddress kAllNodes{0xff02000000000000, 1}, kAllRouters{0xff02000000000000, 2};

// Who has `target`? As send_arp_request().
void send_neighbour_solicit(Ethernet& link, const IpAddress& target, const MacAddress* station,
                            const IpAddress& source);
// RFC 4862, 5.4.2, with the nonce of RFC 7527: does somebody have it?
void send_dad_probe(Ethernet& link, const IpAddress& target, uint64_t nonce);
// `address` is ours: to `to`, or all nodes when it was not asked for.
void send_neighbour_advert(Ethernet& link, const IpAddress& address, const IpAddress& to, bool solicited,
                           bool override_mac);
void send_router_solicit(Ethernet& link);

// One option of a message at a time (RFC 4861, 4.6).
class NdpOptions {
 public:
  explicit NdpOptions(std::span<const std::byte> bytes) : rest_(bytes) {}
  struct Item {
    uint8_t type;
    std::span<const std::byte> data;  // with type and length
  };
  // False: at the end, or wrong().
  bool next(Item& item);
  bool wrong() const { return wrong_; }

 private:
  std::span<const std::byte> rest_;
  bool wrong_ = false;
};

// A message of types 133 to 137 whose checksum is right, at its ICMP header.
void ndp_receive(Stack& stack, Packet& packet);

}  // namespace runsc::net
