// Ancillary data of Internet sockets: what one message asks for, what is told of one (ip(7), ipv6(7), RFC
// 3542).
#include "net/capable.h"
#include "net/inet/inet_endpoint.h"
#include "net/inet/ip_numbers.h"
#include "net/inet/wire.h"

namespace runsc::net {

namespace {

constexpr int kScmTimestamp = 29, kScmTimestampNs = 35, kScmTimestampNew = 63, kScmTimestampNsNew = 64,
              kSoMark = 36, kSoRxqOvfl = 40, kScmRights = 1, kScmCredentials = 2, kScmTxTime = 61,
              kSoTimestamping = 37, kSoTimestampingNew = 65;

struct PacketInfo4 {  // struct in_pktinfo
  uint32_t index;
  std::byte local[4], destination[4];
};
struct PacketInfo6 {  // struct in6_pktinfo
  std::byte address[16];
  uint32_t index;
};

Result<int32_t> control_int(const ControlReader::Item& item) {
  int32_t value;
  if (item.data.size() != sizeof value) return Errno::inval;
  __builtin_memcpy(&value, item.data.data(), sizeof value);
  return value;
}

template <class T>
void put(ReceiveMessage& message, int level, int type, const T& value) {
  message.control.put(level, type, std::as_bytes(std::span(&value, 1)));
}

}  // namespace

// ---- sending ----

Result<void> InetEndpoint::read_control(const SendMessage& message, InetSendControl& out) const {
  ControlReader reader(message.control);
  ControlReader::Item item;
  while (TRY(reader.next(item))) {
    switch (item.level) {
      case kSolSocket:
        if (item.type == kScmRights || item.type == kScmCredentials) break;
        if (item.type == kSoMark) {
          if (!is_capable(message.caller.creds, net(), fs::Cap::net_raw) &&
              !is_capable(message.caller.creds, net(), fs::Cap::net_admin))
            return Errno::perm;
          out.options.mark = static_cast<uint32_t>(TRY(control_int(item)));
          break;
        }
        if (item.type == kScmTxTime || item.type == kSoTimestamping || item.type == kSoTimestampingNew) break;
        return Errno::inval;
      case kSolIp:
        TRY(read_control4(item, out));
        break;
      case kSolIpv6:
        if (v6()) TRY(read_control6(item, out));
        break;
      case kSolUdp: {
        constexpr int kSegment = 103;
        if (protocol() != ip_protocol::udp) break;
        if (item.type != kSegment || item.data.size() != sizeof out.segment_size) return Errno::inval;
        __builtin_memcpy(&out.segment_size, item.data.data(), sizeof out.segment_size);
        break;
      }
      default:
        break;
    }
  }
  return {};
}

Result<void> InetEndpoint::read_control4(const ControlReader::Item& item, InetSendControl& out) const {
  switch (item.type) {
    case ip_option::pktinfo: {
      PacketInfo4 info;
      if (item.data.size() != sizeof info) return Errno::inval;
      __builtin_memcpy(&info, item.data.data(), sizeof info);
      if (info.index) out.interface = info.index;
      out.source = IpAddress::from_v4(info.local);
      return {};
    }
    case ip_option::ttl: {
      const int32_t ttl = TRY(control_int(item));
      if (ttl < 1 || ttl > 255) return Errno::inval;
      out.options.ttl = static_cast<uint8_t>(ttl);
      return {};
    }
    case ip_option::tos: {
      int32_t tos;
      if (item.data.size() == 1)
        tos = static_cast<uint8_t>(item.data[0]);
      else
        tos = TRY(control_int(item));
      if (tos < 0 || tos > 255) return Errno::inval;
      out.options.tos = static_cast<uint8_t>(tos);
      return {};
    }
    case ip_option::retopts:
      return item.data.empty() ? Result<void>() : Errno::inval;
    case ip_option::protocol: {
      if (type() != socket_type::raw) return Errno::inval;
      const int32_t value = TRY(control_int(item));
      if (value < 1 || value > 255) return Errno::inval;
      out.options.protocol = static_cast<uint8_t>(value);
      return {};
    }
    default:
      return Errno::inval;
  }
}

Result<void> InetEndpoint::read_control6(const ControlReader::Item& item, InetSendControl& out) const {
  switch (item.type) {
    case ipv6_option::pktinfo:
    case ipv6_option::pktinfo_2292: {
      PacketInfo6 info;
      if (item.data.size() < sizeof info) return Errno::inval;
      __builtin_memcpy(&info, item.data.data(), sizeof info);
      if (info.index) {
        if (out.interface && out.interface != info.index) return Errno::inval;
        if (!stack().config.interface(info.index)) return Errno::nodev;
        out.interface = info.index;
      }
      const IpAddress source = IpAddress::from_v6(info.address);
      if (source.is_any()) return {};
      if (!ip.has(ip_bit::transparent | ip_bit::freebind) && !stack().config.is_local(source))
        return Errno::inval;
      out.source = source;
      return {};
    }
    case ipv6_option::hoplimit:
    case ipv6_option::hoplimit_2292: {
      const int32_t hops = TRY(control_int(item));
      if (hops < -1 || hops > 255) return Errno::inval;
      if (hops > 0) out.options.ttl = static_cast<uint8_t>(hops);
      return {};
    }
    case ipv6_option::tclass: {
      const int32_t value = TRY(control_int(item));
      if (value < -1 || value > 255) return Errno::inval;
      out.options.tos = static_cast<uint8_t>(value == -1 ? 0 : value);
      return {};
    }
    case ipv6_option::dontfrag: {
      const int32_t value = TRY(control_int(item));
      if (value < 0 || value > 1) return Errno::inval;
      out.options.dont_fragment = value != 0;
      return {};
    }
    case ipv6_option::flowinfo: {
      const int32_t value = TRY(control_int(item));
      out.options.flow_label = __builtin_bswap32(static_cast<uint32_t>(value)) & 0xfffff;
      return {};
    }
    default:
      return Errno::inval;
  }
}

// ---- receiving ----

void InetEndpoint::put_stamp(ReceiveMessage& message, const Packet& packet) {
  const int64_t ns = packet.info.timestamp_ns ? packet.info.timestamp_ns : realtime_ns();
  last_stamp_ns_.store(ns, std::memory_order_relaxed);
  if (options.has(option_bit::timestamp)) {
    const bool fine = options.has(option_bit::timestampns), fresh = options.has(option_bit::timestamp_new);
    struct {
      int64_t sec, part;
    } stamp{ns / 1'000'000'000, ns % 1'000'000'000};
    if (!fine) stamp.part /= 1000;
    put(message, kSolSocket,
        fine ? (fresh ? kScmTimestampNsNew : kScmTimestampNs) : (fresh ? kScmTimestampNew : kScmTimestamp),
        stamp);
  }
  if (options.has(option_bit::rxq_ovfl)) {
    const uint32_t drops = drops_.load(std::memory_order_relaxed);
    if (drops) put(message, kSolSocket, kSoRxqOvfl, drops);
  }
}

void InetEndpoint::put_control(ReceiveMessage& message, const Packet& packet) {
  put_stamp(message, packet);
  const bool v4 = packet.info.source.is_v4();
  if (v6() && ip.has(ip_bit::recv_pktinfo6)) {
    PacketInfo6 info{};
    packet.info.destination.put_v6(info.address);
    info.index = packet.info.interface;
    put(message, kSolIpv6, ipv6_option::pktinfo, info);
  }
  v4 ? put_control4(message, packet) : put_control6(message, packet);
}

void InetEndpoint::put_control4(ReceiveMessage& message, const Packet& packet) {
  const PacketInfo& info = packet.info;
  if (ip.has(ip_bit::pktinfo)) {
    PacketInfo4 told{};
    told.index = info.interface;
    // A group is not an address to answer from.
    IpAddress local = info.destination;
    if (info.to != PacketFor::host)
      if (Result<Route> way = stack().route({.destination = info.source, .source = kAnyV4}))
        local = way->source;
    local.put_v4(told.local);
    info.destination.put_v4(told.destination);
    put(message, kSolIp, ip_option::pktinfo, told);
  }
  if (ip.has(ip_bit::recv_ttl)) put(message, kSolIp, ip_option::ttl, int32_t{info.ttl});
  if (ip.has(ip_bit::recv_tos)) put(message, kSolIp, ip_option::tos, info.tos);
  // The ports, if there are any: raw sockets get what has none.
  std::byte ports[2 * sizeof(uint16_t)];
  const size_t skip = info.transport_at >= packet.here() ? info.transport_at - packet.here() : packet.size();
  if (ip.has(ip_bit::recv_origdst) && skip + sizeof ports <= packet.size()) {
    packet.read(skip, ports);
    Address to;
    SocketAddress destination;
    destination.address = info.destination;
    destination.port = header_at<Be16>(ports + sizeof(uint16_t));
    put_address(destination, family_number::inet, to);
    message.control.put(kSolIp, ip_option::recvorigdstaddr, to.span());
  }
}

void InetEndpoint::put_control6(ReceiveMessage& message, const Packet& packet) {
  const PacketInfo& info = packet.info;
  if (ip.has(ip_bit::recv_hoplimit6)) put(message, kSolIpv6, ipv6_option::hoplimit, int32_t{info.ttl});
  if (ip.has(ip_bit::recv_tclass6)) put(message, kSolIpv6, ipv6_option::tclass, int32_t{info.tos});
  if (ip.has(ip_bit::flowinfo6) && (info.flow_label & 0xfffffff))
    put(message, kSolIpv6, ipv6_option::flowinfo, __builtin_bswap32(info.flow_label & 0xfffffff));
}

}  // namespace runsc::net
