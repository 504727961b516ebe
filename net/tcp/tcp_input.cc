#include "net/tcp/tcp_input.h"

#include "kvm/arch/paid_by.h"
#include "net/inet/neighbours.h"
#include "net/socket_filter.h"
#include "net/tcp/packet_piece.h"

namespace runsc::net {

namespace {

constexpr uint16_t kChecksumAt = 16;

TcpEndpoint* tcp_of(const PortRef& ref) { return static_cast<TcpEndpoint*>(ref.endpoint()); }

}  // namespace

void tcp_send_alone(Stack& stack, const PortKey& key, const tcp::Segment& segment) {
  RouteQuery query;
  query.destination = key.remote;
  query.source = key.local;
  if (key.remote.needs_scope()) query.interface = key.interface;
  Result<Route> route = stack.route(query);
  if (!route) return;
  PacketPtr packet = Packet::create(tcp::kHeaderMax);
  if (!packet) return;
  std::byte header[tcp::kHeaderMax];
  const uint32_t size = tcp::write_header(header, {key.port, key.remote_port}, segment);
  __builtin_memcpy(packet->put(size), header, size);
  stack.set_transport_checksum(*packet, *route, ip_protocol::tcp, kChecksumAt);
  IpSendOptions how;
  how.protocol = ip_protocol::tcp;
  how.dont_fragment = true;
  (void)stack.send(*route, std::move(packet), how);
}

void tcp_send_reset(Stack& stack, const PortKey& key, const tcp::Segment& segment) {
  if (segment.has(tcp::flag::rst)) return;
  tcp::Segment answer;
  answer.flags = tcp::flag::rst;
  if (segment.has(tcp::flag::ack)) {
    answer.seq = segment.ack;
  } else {
    answer.flags |= tcp::flag::ack;
    answer.ack = segment.end();
  }
  tcp_send_alone(stack, key, answer);
}

void tcp_receive(Stack& stack, PacketPtr packet) {
  if (packet->info.to != PacketFor::host) return;
  const auto total = static_cast<uint32_t>(packet->size());
  std::span<const std::byte> bytes = packet->header(std::min(total, tcp::kHeaderMin));
  if (bytes.size() < tcp::kHeaderMin) return;
  const uint32_t claimed = static_cast<uint32_t>(bytes[12]) >> 4 << 2;
  if (claimed > tcp::kHeaderMin) bytes = packet->header(claimed);
  tcp::Ports ports;
  tcp::Segment segment;
  const uint32_t header = tcp::parse_header(bytes, total, ports, segment);
  if (header == 0 || !stack.transport_checksum_ok(*packet, ip_protocol::tcp)) return;
  const PacketInfo& info = packet->info;
  if (info.source.is_multicast() || info.destination.is_multicast()) return;
  PortKey key{info.destination, info.source, ports.destination, ports.source, info.interface};
  PortRef ref = stack.tcp.find_connected(key);
  if (!ref) ref = stack.tcp.find_receiver(key);
  if (TcpEndpoint* endpoint = tcp_of(ref)) {
    if (!endpoint->came_near_enough(info)) return;
    if (Ref<SocketFilter> filter = endpoint->filter()) {
      if (!pass_filter(*filter, *packet, header)) return;
      segment.size = static_cast<uint32_t>(packet->size()) - header;
    }
    endpoint->handle(key, segment, header, std::move(packet));
    return;
  }
  tcp_send_reset(stack, key, segment);
}

bool tcp_error(Stack& stack, const IcmpError& error) {
  if (error.quoted.size() < 8) return false;
  std::byte ports[4];
  error.quoted.read(0, ports);
  auto port = [&](size_t at) {
    return static_cast<uint16_t>(static_cast<uint16_t>(ports[at]) << 8 |
                                 static_cast<uint16_t>(ports[at + 1]));
  };
  PortKey key{error.source, error.destination, port(0), port(2), error.interface};
  PortRef ref = stack.tcp.find_connected(key);
  TcpEndpoint* endpoint = tcp_of(ref);
  return endpoint && endpoint->icmp_error(error);
}

// Data from outside is the owner's to pay for; where that has no room, what the peer will send again gives
// way.
bool TcpEndpoint::keep(Packet& packet) {
  if (packet.bill(owner(), false)) return true;
  bool nothing_else;
  {
    Section section(*this);
    connection_.pieces().prune_early(static_cast<uint32_t>(packet.kept()));
    nothing_else = connection_.pieces().memory() == 0;
  }
  return packet.bill(owner(), nothing_else);
}

void TcpEndpoint::handle(const PortKey& key, const tcp::Segment& s, uint32_t header, PacketPtr packet,
                         const tcp::Seq* first) {
  bool for_listener = false, known = true;
  tcp::Seq next = 0;
  Unique<tcp::Piece> piece;
  // Memory is taken before the lock. A segment for a listener keeps its packet.
  {
    LockGuard guard(lock_);
    for_listener = stage_ == Stage::listening;
  }
  const bool from_outside = packet->payer() == kNoAccount;
  const PaidBy pays(payer());
  if (for_listener) {
    // As if the segment had been lost.
    if (from_outside && !has_room_for_connection()) return;
    return input_listening(key, s, header, std::move(packet), first);
  }
  if (s.size > 0) {
    if (!packet->pull(header) || !keep(*packet)) return;
    piece =
        Unique<tcp::Piece>(new (std::nothrow) PacketPiece(std::move(packet), s.seq + s.has(tcp::flag::syn)));
    if (!piece) return;  // as if it had been lost
  }
  {
    Section section(*this);
    const tcp::Tcb& c = connection_.view();
    // RFC 9293, 3.6.1; RFC 6191: a SYN that cannot be of the old connection begins a new one.
    const bool fresh_syn = c.state == tcp::State::time_wait && s.has(tcp::flag::syn) &&
                           !s.has(tcp::flag::rst) && !s.has(tcp::flag::ack);
    const bool stamped = c.timestamps && s.options.has_timestamp;
    const bool later = stamped && tcp::before(c.ts_recent, s.options.ts_value);
    const bool older = stamped && tcp::before(s.options.ts_value, c.ts_recent);
    if (fresh_syn && !older && (later || tcp::before(c.rcv_nxt, s.seq))) {
      next = tcp::number_after(c.snd_nxt);
      connection_.abort(Errno{}, now_us());
      for_listener = true;
    } else {
      const tcp::Seq acked = c.snd_una;
      known = connection_.input(s, std::move(piece), now_us());
      // It has got something of ours: whoever is in between can be reached (RFC 4861, 7.3.1).
      if (known && acked != c.snd_una && route_.interface)
        if (Neighbours* neighbours = route_.interface->neighbours()) neighbours->confirm(route_.next_hop);
    }
  }
  if (!known) return tcp_send_reset(stack(), key, s);
  if (!for_listener) return;
  PortRef ref = stack().tcp.find_receiver(key);
  if (TcpEndpoint* listener = tcp_of(ref); listener && packet)
    listener->handle(key, s, header, std::move(packet), &next);
  else
    tcp_send_reset(stack(), key, s);
}

}  // namespace runsc::net
