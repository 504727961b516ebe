// ICMP (RFC 792, 1122, 1812) and ICMPv6 (RFC 4443): echo, and errors in both directions.
#pragma once

#include "net/inet/stack.h"

namespace runsc::net {

// At boot.
void icmp_init();
// The transport of that number; its functions may be null.
const Protocol& protocol_of(uint8_t number);

// What sockets are told of an ICMP error (ip(7), "Error handling").
struct IcmpMeaning {
  Errno error;
  bool hard;
};
IcmpMeaning icmp_meaning(bool v6, uint8_t type, uint8_t code);

// Whether `type` is an error message, which is never answered by another.
bool is_icmp_error(bool v6, uint8_t type);

}  // namespace runsc::net
