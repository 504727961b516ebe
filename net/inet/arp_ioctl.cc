// SIOCGARP, SIOCSARP, SIOCDARP (arp(7)).
#include "net/capable.h"
#include "net/inet/device_ioctl.h"
#include "net/inet/neighbours.h"
#include "net/inet/stack.h"
#include "net/network_namespace.h"

namespace runsc::net {

namespace {

constexpr int kComplete = 2, kPermanent = 4, kPublish = 8, kNetmask = 0x20, kDontPublish = 0x40;

struct ArpRequest {  // struct arpreq
  std::byte address[16];
  uint16_t hardware;
  std::byte mac[14];
  int32_t flags;
  std::byte netmask[16];
  char device[16];
};
static_assert(sizeof(ArpRequest) == 68);

// The link that is named, or that leads to the address.
Result<Ref<Interface>> link_of(Stack& stack, const ArpRequest& r, const IpAddress& address, bool get) {
  if (r.device[0]) {
    Ref<Interface> link = stack.config.interface(std::string_view(r.device, __builtin_strlen(r.device)));
    if (!link) return Errno::nodev;
    return link;
  }
  if (get) return Errno::nodev;
  Route way = TRY(stack.route({.destination = address, .source = kAnyV4}));
  return way.interface;
}

}  // namespace

Result<uint64_t> arp_ioctl(NetworkNamespace& net, uint32_t request, uint64_t argument,
                           const fs::IoctlContext& context) {
  Stack& stack = net.inet();
  const bool get = request == arp_request::get;
  if (!get && !is_capable(context.creds, net, fs::Cap::net_admin)) return Errno::perm;
  ArpRequest r = TRY(mm::copy_in(context.space, mm::UserPtr<ArpRequest>(argument)));
  r.device[sizeof r.device - 1] = 0;
  Result<SocketAddress> parsed = parse_v4(r.address);
  if (!parsed) return Errno::pfnosupport;
  const IpAddress address = parsed->address;
  if (!(r.flags & kPublish) && r.flags & (kNetmask | kDontPublish)) return Errno::inval;
  Ref<Interface> link = TRY(link_of(stack, r, address, get));
  if (r.device[0] && r.hardware == 0) r.hardware = link->hardware_type();
  if (r.flags & kComplete && r.hardware != link->hardware_type()) return Errno::inval;
  Neighbours* table = link->neighbours();
  if (get) {
    NeighbourRow row;
    if (!table || !table->find(address, row)) return Errno::nxio;
    __builtin_memset(r.mac, 0, sizeof r.mac);
    __builtin_memcpy(r.mac, row.mac.b, sizeof row.mac.b);
    r.hardware = link->hardware_type();
    r.flags = row.state == neighbour_state::permanent ? kPermanent | kComplete
              : row.state & neighbour_state::valid    ? kComplete
                                                      : 0;
    TRY(mm::copy_out(context.space, mm::UserPtr<ArpRequest>(argument), r));
    return uint64_t{0};
  }
  if (!table && request == arp_request::remove) return Errno::nxio;
  if (!table || r.flags & kPublish) return Errno::opnotsupp;
  if (request == arp_request::remove) {
    Result<void> gone = table->remove(address);
    if (!gone) return gone.error() == Errno::noent ? Errno::nxio : gone.error();
    return uint64_t{0};
  }
  Neighbours::Wish wish;
  wish.address = address;
  wish.mac = MacAddress::from(r.mac);
  wish.has_mac = r.flags & kComplete;
  wish.state = r.flags & kPermanent ? neighbour_state::permanent : neighbour_state::stale;
  TRY(table->set(wish));
  return uint64_t{0};
}

}  // namespace runsc::net
