#include "net/inet/raw_endpoint.h"
#include "net/capable.h"

#include <algorithm>

#include "net/inet/ip_numbers.h"
#include "net/inet/option_value.h"
#include "net/inet/wire.h"
#include "net/network_namespace.h"

namespace runsc::net {

namespace {
constexpr size_t kMost = 65535, kLinearMax = 3072;
constexpr int kIcmpFilter = 1, kIpv6Checksum = 7;
}  // namespace

Result<Ref<Endpoint>> create_raw(const Caller& caller, NetworkNamespace& net, int domain, int protocol) {
  if (protocol == 0) return Errno::protonosupport;
  if (protocol > 255) return Errno::inval;
  if (!is_capable(caller.creds, net, fs::Cap::net_raw)) return Errno::perm;
  Ref<RawEndpoint> endpoint = make_ref<RawEndpoint>(caller, net, domain, protocol);
  if (!endpoint) return Errno::nobufs;
  net.inet().raw().sockets.add(*endpoint);
  return Ref<Endpoint>(endpoint);
}

RawEndpoint::RawEndpoint(const Caller& caller, NetworkNamespace& net, int domain, int protocol)
    : DatagramEndpoint(caller, net, domain, socket_type::raw, protocol, nullptr) {
  header_included_ = protocol == ip_protocol::raw;
  if (domain == family_number::inet6 && protocol == ip_protocol::icmpv6) checksum_at_ = 2;
}

void RawEndpoint::release() {
  stack().raw().sockets.remove(*this);
  DatagramEndpoint::release();
}

// The "port" of a raw socket is its protocol.
Result<void> RawEndpoint::claim_name_locked(uint16_t) { return {}; }
Result<void> RawEndpoint::connect_name_locked(const Peer&) { return {}; }

SocketAddress RawEndpoint::sender_of(const Packet& packet) const {
  SocketAddress from = DatagramEndpoint::sender_of(packet);
  from.port = 0;
  return from;
}

bool RawEndpoint::wants(const Packet& packet, uint8_t number) const {
  const PacketInfo& info = packet.info;
  const bool v6_packet = !info.source.is_v4();
  if (v6_packet != v6() || protocol() == ip_protocol::raw || protocol() != number) return false;
  if (bound_device() && bound_device() != info.interface) return false;
  {
    LockGuard guard(lock_);
    if (!local_.address.is_any() && local_.address != info.destination) return false;
    if (has_peer_ && peer_.address != info.source) return false;
  }
  if (info.to == PacketFor::multicast && !takes_group(info.destination, info.interface)) return false;
  if (number != (v6_packet ? ip_protocol::icmpv6 : ip_protocol::icmp)) return true;
  // ICMP_FILTER, ICMPV6_FILTER.
  std::byte first{};
  const uint32_t skip = v6_packet ? 0 : header_at<Ipv4Header>(packet.data()).size();
  if (packet.size() <= skip) return false;
  packet.read(skip, {&first, 1});
  const auto kind = static_cast<uint8_t>(first);
  if (v6_packet) return !(icmp6_filter_[kind / 32].load(std::memory_order_relaxed) >> kind % 32 & 1);
  return kind >= 32 || !(icmp4_filter_.load(std::memory_order_relaxed) >> kind & 1);
}

bool RawEndpoint::wants_error(const IcmpError& error, uint8_t number) const {
  if (error.source.is_v4() == v6() || protocol() == ip_protocol::raw || protocol() != number) return false;
  if (bound_device() && bound_device() != error.interface) return false;
  LockGuard guard(lock_);
  if (!local_.address.is_any() && local_.address != error.source) return false;
  return !has_peer_ || peer_.address == error.destination;
}

void RawEndpoint::raw_error(const IcmpError& error) {
  const bool queued = ip.has(v6() ? ip_bit::recv_err6 : ip_bit::recv_err);
  bool hard = error.hard;
  Errno what = error.error;
  if (error.too_big) {
    what = Errno::msgsize;
    hard = v6() ? ip.path_mtu6 == PathMtu::always : ip.path_mtu != PathMtu::dont;
  }
  if (!queued) {
    LockGuard guard(lock_);
    if (!has_peer_ || !hard) return;
  }
  const bool included = header_included_.load(std::memory_order_relaxed);
  if (queued && included) (void)error.quoted.push(error.ip_size);
  tell_icmp(error, what, queued, 0, 0);
  if (queued && included) (void)error.quoted.pull(error.ip_size);
}

// IP_HDRINCL (raw(7)): what is zero is filled in; length and checksum always.
Result<void> RawEndpoint::send_with_header(const Target& target, PacketPtr packet) {
  const std::span<std::byte> bytes = packet->header(sizeof(Ipv4Header));
  if (bytes.empty()) return Errno::inval;
  const uint32_t size = header_at<Ipv4Header>(bytes.data()).size();
  const std::span<std::byte> whole = packet->header(size);
  if (size < sizeof(Ipv4Header) || whole.empty()) return Errno::inval;
  auto& ip = header_at<Ipv4Header>(whole.data());
  if (IpAddress::from_v4(ip.source).is_any()) target.route.source.put_v4(ip.source);
  if (ip.id == 0) ip.id = static_cast<uint16_t>(random_u32());
  ip.length = static_cast<uint16_t>(packet->size());
  ip.checksum.set_raw(0);
  ip.checksum.set_raw(checksum_of(whole));
  packet->info.source = IpAddress::from_v4(ip.source);
  packet->info.destination = IpAddress::from_v4(ip.destination);
  packet->info.protocol = ip.protocol;
  return stack().send_whole(target.route, std::move(packet));
}

Result<size_t> RawEndpoint::send(SendMessage& message) {
  const size_t size = message.data.remaining();
  if (size > kMost) return Errno::msgsize;
  DrainAtEnd draining(stack());
  const bool included = !v6() && header_included_.load(std::memory_order_relaxed);
  Target target = TRY(target_of(message));
  // Linux looks for an error where it makes a packet that has its header; others go out beside one.
  if (int32_t e = included ? take_error() : 0) return static_cast<Errno>(e);
  if (included && size > target.route.mtu) return Errno::msgsize;
  PacketPtr packet = Packet::create(size <= kLinearMax ? static_cast<uint32_t>(size) : Packet::kHeaderRoom);
  if (!packet) return Errno::nobufs;
  TRY(packet->fill(message.data, size));
  if (included) {
    TRY(send_with_header(target, std::move(packet)));
    message.done = size;
    return size;
  }
  if (target.options.protocol == 0) target.options.protocol = static_cast<uint8_t>(protocol());
  packet->info.protocol = target.options.protocol;
  if (const int32_t at = checksum_at_.load(std::memory_order_relaxed); v6() && at >= 0) {
    const auto end = static_cast<size_t>(at) + sizeof(uint16_t);
    if (packet->size() < end || packet->header(end).empty()) return Errno::inval;
    stack().set_transport_checksum(*packet, target.route, target.options.protocol, static_cast<uint16_t>(at));
  }
  Result<void> sent = stack().send(target.route, std::move(packet), target.options);
  if (!sent) {
    if (sent.error() == Errno::msgsize) queue_local_error(Errno::msgsize, target.to, target.route.mtu);
    return sent.error();
  }
  message.done = size;
  return size;
}

Result<void> RawEndpoint::set_option(const Caller& caller, int level, int name, uint64_t address,
                                     uint32_t size) {
  if (level == kSolIp && name == ip_option::hdrincl && !v6()) {
    header_included_.store(TRY(read_short_option(caller, address, size)) != 0, std::memory_order_relaxed);
    return {};
  }
  if (level == kSolRaw && !v6() && protocol() == ip_protocol::icmp) {
    if (name != kIcmpFilter) return Errno::noprotoopt;
    uint32_t filter = 0;
    TRY(mm::copy_in_bytes(caller.space, &filter, address, std::min<uint32_t>(size, sizeof filter)));
    icmp4_filter_.store(filter, std::memory_order_relaxed);
    return {};
  }
  if (level == kSolIcmpv6 && v6() && protocol() == ip_protocol::icmpv6) {
    if (name != kIcmpFilter) return Errno::noprotoopt;
    uint32_t filter[kTypes / 32] = {};
    TRY(mm::copy_in_bytes(caller.space, filter, address, std::min<uint32_t>(size, sizeof filter)));
    for (size_t i = 0; i < std::size(filter); ++i)
      icmp6_filter_[i].store(filter[i], std::memory_order_relaxed);
    return {};
  }
  if (v6() && name == kIpv6Checksum && (level == kSolRaw || level == kSolIpv6)) {
    const int32_t at = TRY(read_option(caller, address, size));
    if (protocol() == ip_protocol::icmpv6 && level == kSolIpv6) return Errno::inval;
    if (at > 0 && (at & 1)) return Errno::inval;
    checksum_at_.store(at < 0 ? -1 : at, std::memory_order_relaxed);
    return {};
  }
  return InetEndpoint::set_option(caller, level, name, address, size);
}

Result<uint32_t> RawEndpoint::get_option(const Caller& caller, int level, int name, uint64_t address,
                                         uint32_t size) {
  if (level == kSolIp && name == ip_option::hdrincl && !v6())
    return give_short_option(caller, address, size, int32_t{header_included_});
  if (level == kSolRaw && !v6() && protocol() == ip_protocol::icmp && name == kIcmpFilter)
    return give_option(caller, address, size, static_cast<int32_t>(icmp4_filter_.load()));
  if (level == kSolIcmpv6 && v6() && protocol() == ip_protocol::icmpv6 && name == kIcmpFilter) {
    uint32_t filter[kTypes / 32];
    for (size_t i = 0; i < std::size(filter); ++i)
      filter[i] = icmp6_filter_[i].load(std::memory_order_relaxed);
    return give_option(caller, address, size, filter, sizeof filter);
  }
  if (v6() && name == kIpv6Checksum && (level == kSolRaw || level == kSolIpv6))
    return give_option(caller, address, size, checksum_at_.load());
  return InetEndpoint::get_option(caller, level, name, address, size);
}

}  // namespace runsc::net
