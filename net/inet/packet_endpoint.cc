#include "net/inet/packet_endpoint.h"
#include "net/capable.h"

#include <algorithm>

#include "net/inet/device_ioctl.h"
#include "net/inet/option_value.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"
#include "net/network_namespace.h"
#include "net/socket.h"
#include "net/socket_filter.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {

constexpr uint32_t kArrived = in | rdnorm, kWritable = out | wrnorm | wrband;
constexpr uint32_t kFionread = 0x541b;
constexpr int kSolPacket = 263, kStatistics = 6, kAuxData = 8, kVersion = 10, kIgnoreOutgoing = 23;
constexpr uint32_t kLinkHeader = 14, kTypeAt = 12;
constexpr size_t kLinearMax = 3072;

struct SockaddrLink {  // struct sockaddr_ll
  uint16_t family;
  Be16 protocol;
  int32_t interface;
  uint16_t hardware;
  uint8_t packet_type, address_size;
  std::byte address[8];
};
static_assert(sizeof(SockaddrLink) == 20);
constexpr size_t kLeastName = 12, kShownName = 18;

struct AuxData {  // struct tpacket_auxdata
  uint32_t status, size, captured;
  uint16_t mac, net, vlan, vlan_type;
};

// A packet as the application gets it, from its link header on (SOCK_RAW) or without. What has none (lo) has
// one of nobody to nobody.
class TapView final : public PacketView {
 public:
  TapView(const Packet& packet, uint32_t front) : PacketView(packet), front_(front) {}
  uint32_t size() const override { return PacketView::size() + front_; }
  int64_t network() const override { return front_; }
  int64_t link() const override { return int64_t{front_} - kLinkHeader; }
  bool read(int64_t offset, std::span<std::byte> out) const override {
    const int64_t at = offset - front_;
    if (at >= 0 || packet_.info.link_header >= kLinkHeader) return PacketView::read(at, out);
    std::byte made[kLinkHeader] = {};
    header_at<Be16>(made + kTypeAt) = packet_.info.ether;
    for (size_t n = 0; n < out.size(); ++n) {
      const int64_t place = at + static_cast<int64_t>(n);
      if (place < -int64_t{kLinkHeader} || (place >= 0 && !PacketView::read(place, out.subspan(n, 1))))
        return false;
      if (place < 0) out[n] = made[place + kLinkHeader];
    }
    return true;
  }

 private:
  const uint32_t front_;
};

AuxData aux_of(const PacketInfo& info, size_t size, size_t captured, uint16_t mac) {
  constexpr uint32_t kUser = 1, kPartial = 8, kVlan = 0x10, kVlanType = 0x40, kRight = 0x80;
  uint32_t status = kUser | (info.vlan_type ? kVlan | kVlanType : 0);
  if (info.checksum == ChecksumState::partial) status |= kPartial;
  const bool came = info.link_header != 0 && info.to != PacketFor::outgoing;
  if (came && info.checksum == ChecksumState::verified) status |= kRight;
  return {
      status,        static_cast<uint32_t>(size), static_cast<uint32_t>(captured), 0, mac, info.vlan_control,
      info.vlan_type};
}

Result<SockaddrLink> parse(std::span<const std::byte> address) {
  SockaddrLink a{};
  if (address.size() < kLeastName) return Errno::inval;
  __builtin_memcpy(&a, address.data(), std::min(address.size(), sizeof a));
  if (a.family != family_number::packet) return Errno::inval;
  return a;
}

}  // namespace

Result<Ref<Endpoint>> create_packet(const Caller& caller, NetworkNamespace& net, int type, int protocol) {
  if (!is_capable(caller.creds, net, fs::Cap::net_raw)) return Errno::perm;
  if (type != socket_type::dgram && type != socket_type::raw && type != socket_type::packet)
    return Errno::socktnosupport;
  Ref<PacketEndpoint> endpoint = make_ref<PacketEndpoint>(net, type, protocol, caller.creds.fsuid);
  if (!endpoint) return Errno::nobufs;
  net.inet().taps().sockets.add(*endpoint);
  return Ref<Endpoint>(endpoint);
}

PacketEndpoint::PacketEndpoint(NetworkNamespace& net, int type, int protocol, uint32_t uid)
    : Endpoint(Ref<NetworkNamespace>(net), family_number::packet, type, protocol),
      ether_(__builtin_bswap16(static_cast<uint16_t>(protocol))),
      uid_(uid) {}

void PacketEndpoint::attached(Socket& file) {
  if (Result<fs::Attr> attr = file.get_attr()) ino_.store(attr->ino, std::memory_order_relaxed);
}

PacketEndpoint::Facts PacketEndpoint::facts() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return {ether_.load(kRelaxed), interface_.load(kRelaxed), charged_.load(kRelaxed), uid_,
          ino_.load(kRelaxed)};
}

void PacketEndpoint::release() {
  net().inet().taps().sockets.remove(*this);
  PacketQueue gone;
  Vec<Membership> left;
  {
    LockGuard guard(lock_);
    gone.swap(packets_);
    std::swap(left, memberships_);
  }
  for (Membership& m : left) {
    m.count = 1;
    Ref<Interface> device = net().inet().config.interface(m.interface);
    constexpr uint16_t kPromiscuous = 1;
    if (device && m.type == kPromiscuous) device->count_promiscuity(false);
  }
}

Result<void> PacketEndpoint::bind(const Caller&, std::span<const std::byte> address) {
  if (address.size() < sizeof(SockaddrLink)) return Errno::inval;
  const SockaddrLink a = TRY(parse(address));
  const auto index = static_cast<uint32_t>(a.interface);
  if (index && !net().inet().config.interface(index)) return Errno::nodev;
  interface_.store(index, std::memory_order_relaxed);
  if (a.protocol != 0) ether_.store(a.protocol, std::memory_order_relaxed);
  return {};
}

Result<void> PacketEndpoint::name(Address& out, bool peer) {
  if (peer) return Errno::opnotsupp;
  SockaddrLink a{};
  a.family = family_number::packet;
  a.protocol = ether_.load(std::memory_order_relaxed);
  const uint32_t index = interface_.load(std::memory_order_relaxed);
  a.interface = static_cast<int32_t>(index);
  size_t size = kLeastName;
  if (Ref<Interface> device = net().inet().config.interface(index)) {
    const std::span<const std::byte> hardware = device->hardware_address();
    a.hardware = device->hardware_type();
    a.address_size = static_cast<uint8_t>(hardware.size());
    __builtin_memcpy(a.address, hardware.data(), hardware.size());
    size = kShownName;
  }
  __builtin_memcpy(out.bytes, &a, sizeof a);
  out.size = static_cast<uint32_t>(size);
  return {};
}

// ---- sending ----

Result<size_t> PacketEndpoint::send(SendMessage& message) {
  if (message.flags & msg_flag::oob) return Errno::opnotsupp;
  Stack& stack = net().inet();
  DrainAtEnd draining(stack);
  uint32_t index = interface_.load(std::memory_order_relaxed);
  uint16_t ether = ether_.load(std::memory_order_relaxed);
  SockaddrLink to{};
  if (message.has_address) {
    to = TRY(parse(message.address));
    index = static_cast<uint32_t>(to.interface);
    ether = to.protocol;
  }
  Ref<Interface> device = stack.config.interface(index);
  if (!device) return Errno::nxio;
  if (!device->up()) return Errno::netdown;
  const size_t size = message.data.remaining();
  const bool raw = type() == socket_type::raw;
  const std::span<const std::byte> own = device->hardware_address();
  constexpr size_t kMac = 6;
  // A link that tells stations apart wants to know which.
  if (!raw && !device->is_loopback() && (!message.has_address || to.address_size < kMac)) return Errno::inval;
  if (raw && size < kLinkHeader) return Errno::inval;
  if (size > device->mtu() + (raw ? kLinkHeader : 0)) return Errno::msgsize;
  PacketPtr packet = Packet::create(size <= kLinearMax ? static_cast<uint32_t>(size) : Packet::kHeaderRoom);
  if (!packet) return Errno::nobufs;
  TRY(packet->fill(message.data, size));
  if (!raw) {
    std::byte* header = packet->push(kLinkHeader);
    __builtin_memset(header, 0, kLinkHeader);
    if (!device->is_loopback()) {
      __builtin_memcpy(header, to.address, kMac);
      __builtin_memcpy(header + kMac, own.data(), std::min(own.size(), kMac));
    }
    header_at<Be16>(header + kTypeAt) = ether;
  }
  TRY(device->transmit_raw(std::move(packet)));
  message.done = size;
  return size;
}

// ---- receiving ----

// ETH_P_ALL sees what goes out too; one protocol is what comes in.
bool PacketEndpoint::wants(const Packet& packet, bool outgoing) const {
  const uint16_t ether = ether_.load(std::memory_order_relaxed);
  if (ether == 0) return false;
  const uint32_t interface = interface_.load(std::memory_order_relaxed);
  if (interface && interface != packet.info.interface) return false;
  if (ether == ether_type::all) return !outgoing || !ignore_outgoing_.load(std::memory_order_relaxed);
  return !outgoing && ether == packet.info.ether;
}

// Cut to what the filter lets through; it sees the link header if the application does.
bool PacketEndpoint::passes_filter(Packet& packet) {
  Ref<SocketFilter> chosen = filter();
  if (!chosen) return true;
  const uint32_t front = type() == socket_type::raw ? kLinkHeader : 0;
  TapView view(packet, front);
  if (Ref<Interface> device = net().inet().config.interface(packet.info.interface))
    view.hardware = device->hardware_type();
  const uint32_t keep = chosen->run(view);
  if (keep == 0) return false;
  packet.trim(std::min<size_t>(packet.size(), std::max(keep, front) - front));
  return true;
}

void PacketEndpoint::tap_packet(PacketPtr packet) {
  packet->info.original = static_cast<uint32_t>(packet->size());
  if (!passes_filter(*packet)) return;
  const uint32_t charge = packet->memory(), before = charged_.load(std::memory_order_relaxed);
  seen_.fetch_add(1, std::memory_order_relaxed);
  if (before > options.receive_buffer.load(std::memory_order_relaxed) || !packet->bill(owner_, before == 0)) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  charged_.fetch_add(charge, std::memory_order_relaxed);
  packet->info.charge = charge;
  packet->info.timestamp_ns = realtime_ns();
  {
    LockGuard guard(lock_);
    packets_.push_back(std::move(packet));
  }
  queue().wake_all(kArrived);
}

Result<size_t> PacketEndpoint::receive(ReceiveMessage& message) {
  if (int32_t e = take_error()) return static_cast<Errno>(e);
  PacketPtr packet;
  {
    LockGuard guard(lock_);
    if (message.flags & msg_flag::peek)
      packet = packets_.front() ? packets_.front()->clone() : PacketPtr();
    else
      packet = packets_.pop_front();
  }
  if (!packet) return message.wait.at(*this, queue(), kArrived | err);
  if (!(message.flags & msg_flag::peek)) charged_.fetch_sub(packet->info.charge, std::memory_order_relaxed);
  const uint16_t ether = packet->info.ether;
  const bool has_header = packet->info.link_header >= kLinkHeader;
  constexpr size_t kMac = 6;
  std::byte sender[kMac] = {};
  if (has_header) __builtin_memcpy(sender, packet->at(packet->here() - kLinkHeader + kMac), kMac);
  if (type() == socket_type::raw) {
    if (packet->headroom() < kLinkHeader) return Errno::nobufs;
    std::byte* header = packet->push(kLinkHeader);
    if (!has_header) {  // lo's own: nobody to nobody
      __builtin_memset(header, 0, kLinkHeader);
      header_at<Be16>(header + kTypeAt) = ether;
    }
  }
  const size_t whole = packet->size(), n = std::min<size_t>(whole, message.data.remaining());
  if (n < whole) message.out_flags |= msg_flag::trunc;
  TRY(packet->drain(message.data, 0, n));
  if (message.want_address) {
    SockaddrLink from{};
    from.family = family_number::packet;
    from.protocol = ether;
    from.interface = static_cast<int32_t>(packet->info.interface);
    if (Ref<Interface> device = net().inet().config.interface(packet->info.interface))
      from.hardware = device->hardware_type();
    from.packet_type = static_cast<uint8_t>(packet->info.to);
    from.address_size = kMac;
    __builtin_memcpy(from.address, sender, kMac);
    __builtin_memcpy(message.address.bytes, &from, sizeof from);
    message.address.size = sizeof from;
    message.has_address = true;
  }
  if (auxdata_.load(std::memory_order_relaxed)) {
    const uint16_t mac = type() == socket_type::raw ? kLinkHeader : 0;
    const AuxData aux = aux_of(packet->info, packet->info.original + mac, whole, mac);
    message.control.put(kSolPacket, kAuxData, std::as_bytes(std::span(&aux, 1)));
  }
  message.done = n;
  return message.flags & msg_flag::trunc ? whole : n;
}

uint32_t PacketEndpoint::poll() {
  const uint32_t bits = kWritable | (error() ? err : 0);
  LockGuard guard(lock_);
  return packets_.empty() ? bits : bits | kArrived;
}

Result<uint64_t> PacketEndpoint::ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) {
  if (request != kFionread) return device_ioctl(net(), false, request, argument, context);
  int32_t n = 0;
  {
    LockGuard guard(lock_);
    if (Packet* p = packets_.front())
      n = static_cast<int32_t>(p->size() + (type() == socket_type::raw ? kLinkHeader : 0));
  }
  TRY(mm::copy_out(context.space, mm::UserPtr<int32_t>(argument), n));
  return uint64_t{0};
}

// ---- options ----

Result<void> PacketEndpoint::set_option(const Caller& caller, int level, int name, uint64_t address,
                                        uint32_t size) {
  if (level != kSolPacket) return Errno::noprotoopt;
  constexpr int kAddMembership = 1, kDropMembership = 2;
  if (name == kAddMembership || name == kDropMembership) {
    struct {  // struct packet_mreq
      int32_t interface;
      uint16_t type, size;
      std::byte address[8];
    } request;
    if (size < sizeof request) return Errno::inval;
    TRY(mm::copy_in_bytes(caller.space, &request, address, sizeof request));
    return change_membership({static_cast<uint32_t>(request.interface), request.type},
                             name == kAddMembership);
  }
  const int32_t value = TRY(read_option(caller, address, size));
  if (name == kAuxData)
    auxdata_.store(value != 0, std::memory_order_relaxed);
  else if (name == kIgnoreOutgoing)
    ignore_outgoing_.store(value != 0, std::memory_order_relaxed);
  else
    return Errno::noprotoopt;
  return {};
}

// PACKET_MR_*: groups are heard in any case, other stations' packets while somebody wants to.
Result<void> PacketEndpoint::change_membership(Membership wanted, bool add) {
  constexpr uint16_t kPromiscuous = 1, kMostKinds = 3;
  Ref<Interface> device = net().inet().config.interface(wanted.interface);
  if (!device) return add ? Errno::nodev : Result<void>();
  if (wanted.type > kMostKinds) return Errno::inval;
  {
    LockGuard guard(lock_);
    size_t at = 0;
    while (at < memberships_.size() &&
           (memberships_[at].interface != wanted.interface || memberships_[at].type != wanted.type))
      ++at;
    const bool known = at < memberships_.size();
    if (add && known) {
      ++memberships_[at].count;
      return {};
    }
    if (!add && !known) return Errno::addrnotavail;
    if (add) {
      TRY(memberships_.push_back(wanted));
    } else if (--memberships_[at].count > 0) {
      return {};
    } else {
      memberships_.erase(at);
    }
  }
  if (wanted.type == kPromiscuous) device->count_promiscuity(add);
  return {};
}

Result<uint32_t> PacketEndpoint::get_option(const Caller& caller, int level, int name, uint64_t address,
                                            uint32_t size) {
  if (level != kSolPacket) return Errno::noprotoopt;
  switch (name) {
    case kStatistics: {
      const uint32_t stats[2] = {seen_.exchange(0, std::memory_order_relaxed),
                                 dropped_.exchange(0, std::memory_order_relaxed)};
      return give_option(caller, address, size, stats, sizeof stats);
    }
    case kAuxData:
      return give_option(caller, address, size, int32_t{auxdata_});
    case kIgnoreOutgoing:
      return give_option(caller, address, size, int32_t{ignore_outgoing_});
    case kVersion:
      return give_option(caller, address, size, int32_t{0});
    default:
      return Errno::noprotoopt;
  }
}

}  // namespace runsc::net
