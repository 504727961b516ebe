// Datagrams that the host's kernel hands on as one large frame (UDP_SEGMENT over veth).
#pragma once

#include "net/packet.h"

namespace runsc::net {

// Cuts a UDP datagram that stands for several (frame with headers; its UDP header `transport` bytes behind
// its start; info.segment_size bytes each) into those, in `out`. False: it is none, or stands for too many.
bool split_datagrams(const Packet& frame, uint32_t transport, PacketQueue& out);

}  // namespace runsc::net
