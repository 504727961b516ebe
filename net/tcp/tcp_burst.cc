// What the engine sends, on its way to IP: full segments that follow each other go down as one packet where
// the device cuts it up itself (Interface::segment_max()).
#include <algorithm>

#include "net/inet/stack.h"
#include "net/tcp/tcp_endpoint.h"

namespace runsc::net {

using tcp::Segment;
namespace flag = tcp::flag;

// Data, and nothing that only one of several could say.
static bool plain(const Segment& s) {
  return s.size > 0 && (s.flags & ~(flag::ack | flag::psh)) == 0 && s.options.sack_count == 0;
}

bool TcpEndpoint::starts_burst_locked(const Segment& s) const {
  return plain(s) && !s.has(flag::psh) && s.size == connection_.view().mss && route_.interface &&
         route_.interface->segment_max() >= 2 * s.size;
}

bool TcpEndpoint::joins_burst_locked(const Segment& s) const {
  const Segment& b = burst_;
  return b.size > 0 && plain(s) && !b.has(flag::psh) && b.size % burst_piece_ == 0 && s.seq == b.end() &&
         s.size <= burst_piece_ && s.size <= burst_most_ - b.size && s.ack == b.ack && s.window == b.window &&
         s.options.has_timestamp == b.options.has_timestamp && s.options.ts_value == b.options.ts_value &&
         s.options.ts_echo == b.options.ts_echo;
}

// The engine calls in a section of the endpoint's.
void TcpEndpoint::emit(const Segment& segment) NO_THREAD_SAFETY_ANALYSIS {
  if (joins_burst_locked(segment)) {
    burst_.size += segment.size;
    burst_.flags |= segment.flags;
    return;
  }
  send_burst_locked();
  if (!starts_burst_locked(segment)) {
    (void)send_segment_locked(segment, 0);
    return;
  }
  burst_ = segment;
  burst_piece_ = segment.size;
  burst_most_ = std::min(route_.interface->segment_max(), burst_piece_ * Interface::kMostSegments);
}

void TcpEndpoint::send_burst_locked() {
  if (burst_.size == 0) return;
  const Segment all = std::exchange(burst_, Segment{});
  if (all.size > burst_piece_ && send_segment_locked(all, burst_piece_)) return;
  // Alone; or in too many places of memory for one packet, or the route has changed.
  for (uint32_t done = 0; done < all.size; done += burst_piece_) {
    Segment part = all;
    part.seq = all.seq + done;
    part.size = std::min(burst_piece_, all.size - done);
    if (done + part.size < all.size) part.flags &= static_cast<uint8_t>(~flag::psh);
    (void)send_segment_locked(part, 0);
  }
}

// `piece`: the device makes segments of so many bytes of it; 0: it is one. False: not as one, nothing was
// sent.
bool TcpEndpoint::send_segment_locked(const Segment& segment, uint32_t piece) {
  Result<Route> route = peer_route_locked();
  if (!route) return true;  // nor would its parts be
  if (piece != 0 && route->interface->segment_max() < segment.size) return false;
  PacketPtr packet = Packet::create(tcp::kHeaderMax);
  if (!packet) return true;
  std::byte header[tcp::kHeaderMax];
  const uint32_t size = tcp::write_header(header, {local_.port, peer_.port}, segment);
  __builtin_memcpy(packet->put(size), header, size);
  if (segment.size > 0 && !send_queue_.copy_to(*packet, segment.seq, segment.size)) return false;
  packet->info.segment_size = static_cast<uint16_t>(piece);
  constexpr uint16_t kChecksumAt = 16;
  stack().set_transport_checksum(*packet, *route, ip_protocol::tcp, kChecksumAt);
  IpSendOptions how = send_options(peer_.address);
  how.protocol = ip_protocol::tcp;
  (void)stack().send(*route, std::move(packet), how);
  return true;
}

}  // namespace runsc::net
