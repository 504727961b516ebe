// ARP (RFC 826, RFC 5227): asking who has an IPv4 address, and answering for ours.
#pragma once

#include "net/inet/mac_address.h"
#include "net/packet.h"

namespace runsc::net {

class Ethernet;
class Stack;

// Who has `target`? To the station that is thought to have it, or (null) to all. `source` is what the packet
// that waits is from, which says which of our addresses asks.
void send_arp_request(Ethernet& link, const IpAddress& target, const MacAddress* station,
                      const IpAddress& source);
// RFC 5227, 2.3: `address` is ours.
void announce_arp(Ethernet& link, const IpAddress& address);
// A packet from behind the Ethernet header.
void arp_receive(Stack& stack, Ethernet& link, Packet& packet);

}  // namespace runsc::net
