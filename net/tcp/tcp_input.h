// Segments from the stack: to the connection or listener that they are for.
#pragma once

#include "net/tcp/tcp_endpoint.h"

namespace runsc::net {

// Protocol::receive and Protocol::error.
void tcp_receive(Stack& stack, PacketPtr packet);
bool tcp_error(Stack& stack, const IcmpError& error);

// Answers a segment that belongs to no connection (RFC 9293, 3.10.7.1).
void tcp_send_reset(Stack& stack, const PortKey& key, const tcp::Segment& segment);
// Sends a segment without data that no socket stands behind; `key` as the receiver of the answer's cause saw
// it.
void tcp_send_alone(Stack& stack, const PortKey& key, const tcp::Segment& segment);

}  // namespace runsc::net
