// ICMPv6 messages of the link's own: with their source and hop limit, by no route.
#pragma once

#include "net/inet/address.h"
#include "net/packet.h"

namespace runsc::net {

class Ethernet;

// `packet` at its ICMP header, without a checksum. `alert`: routers look at it on its way (RFC 2711).
void send_link_icmp6(Ethernet& link, const IpAddress& source, const IpAddress& destination, uint8_t hop_limit,
                     bool alert, PacketPtr packet);

}  // namespace runsc::net
