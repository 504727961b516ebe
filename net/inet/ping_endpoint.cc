#include "net/inet/ping_endpoint.h"

#include "net/inet/wire.h"
#include "net/network_namespace.h"

namespace runsc::net {

namespace {

constexpr uint16_t kChecksumAt = 2;
constexpr size_t kLinearMax = 3072, kMost = 65535;

bool may_ping(const Caller& caller, const InetSettings& settings) {
  const uint32_t low = settings.ping_group_low.load(std::memory_order_relaxed),
                 high = settings.ping_group_high.load(std::memory_order_relaxed);
  auto inside = [&](uint32_t group) { return group >= low && group <= high; };
  if (inside(caller.creds.egid)) return true;
  for (uint32_t group : caller.creds.groups)
    if (inside(group)) return true;
  return false;
}

}  // namespace

Result<Ref<Endpoint>> create_ping(const Caller& caller, NetworkNamespace& net, int domain, int protocol) {
  if (!may_ping(caller, net.inet().settings)) return Errno::acces;
  Ref<PingEndpoint> endpoint = make_ref<PingEndpoint>(caller, net, domain, protocol, net.inet().ping);
  if (!endpoint) return Errno::nobufs;
  return Ref<Endpoint>(endpoint);
}

// Identifiers of the two families do not meet: an IPv6 socket hears of IPv6 only.
Result<void> PingEndpoint::claim_name_locked(uint16_t port) {
  PortClaim claim = claim_locked();
  claim.v6only = v6();
  local_.port = TRY(table()->bind(*this, claim, local_.address, port));
  return {};
}

Result<void> PingEndpoint::connect_name_locked(const Peer& peer) {
  PortClaim claim = claim_locked();
  claim.v6only = v6();
  local_.port = TRY(table()->connect(*this, claim, local_.address, peer.address.address, 0));
  return {};
}

Result<size_t> PingEndpoint::send(SendMessage& message) {
  const size_t size = message.data.remaining();
  if (size > kMost) return Errno::msgsize;
  if (size < sizeof(IcmpHeader)) return Errno::inval;
  DrainAtEnd draining(stack());
  if (message.has_address && TRY(address_family(message.address)) != domain())
    return v6() ? Errno::inval : Errno::afnosupport;
  Target target = TRY(target_of(message));
  const bool v6_target = !target.route.destination.is_v4();
  if (v6_target != v6()) return Errno::inval;
  TRY(autobind());
  if (int32_t e = take_error()) return static_cast<Errno>(e);
  PacketPtr packet = Packet::create(size <= kLinearMax ? static_cast<uint32_t>(size) : sizeof(IcmpHeader));
  if (!packet) return Errno::nobufs;
  TRY(packet->fill(message.data, size));
  const std::span<std::byte> bytes = packet->header(sizeof(IcmpHeader));
  if (bytes.empty()) return Errno::nobufs;
  auto& icmp = header_at<IcmpHeader>(bytes.data());
  if (icmp.type != (v6_target ? icmp6_type::echo : icmp_type::echo) || icmp.code != 0) return Errno::inval;
  {
    LockGuard guard(lock_);
    icmp.echo.id = local_.port;
  }
  icmp.checksum.set_raw(0);
  target.options.protocol = v6_target ? ip_protocol::icmpv6 : ip_protocol::icmp;
  packet->info.protocol = target.options.protocol;
  if (v6_target) {
    stack().set_transport_checksum(*packet, target.route, ip_protocol::icmpv6, kChecksumAt);
  } else {
    ChecksumSum sum;
    packet->add_to(sum, 0, packet->size());
    icmp.checksum.set_raw(sum.checksum());
  }
  stack().counters.add(Mib::icmp_out, v6_target);
  stack().counters.icmp_types[v6_target][1][icmp.type].fetch_add(1, std::memory_order_relaxed);
  TRY(stack().send(target.route, std::move(packet), target.options));
  message.done = size;
  return size;
}

SocketAddress PingEndpoint::sender_of(const Packet& packet) const {
  SocketAddress from = DatagramEndpoint::sender_of(packet);
  from.port = 0;
  return from;
}

void ping_receive(Stack& stack, PacketPtr packet) {
  const std::span<std::byte> bytes = packet->header(sizeof(IcmpHeader));
  if (bytes.empty()) return;
  const auto& icmp = header_at<IcmpHeader>(bytes.data());
  const PacketInfo& info = packet->info;
  PortRef found = stack.ping.find_receiver({info.destination, info.source, icmp.echo.id, 0, info.interface});
  if (InetEndpoint* endpoint = found.endpoint())
    static_cast<PingEndpoint&>(*endpoint).take_packet(std::move(packet));
}

bool ping_error(Stack& stack, const IcmpError& error) {
  const std::span<std::byte> bytes = error.quoted.header(sizeof(IcmpHeader));
  if (bytes.empty()) return false;
  const auto& icmp = header_at<IcmpHeader>(bytes.data());
  const bool v6 = !error.source.is_v4();
  if (icmp.type != (v6 ? icmp6_type::echo : icmp_type::echo)) return false;
  PortRef found =
      stack.ping.find_receiver({error.source, error.destination, icmp.echo.id, 0, error.interface});
  InetEndpoint* endpoint = found.endpoint();
  return endpoint && endpoint->icmp_error(error);
}

}  // namespace runsc::net
