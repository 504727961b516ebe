#include "oci/network/host_network.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "kvm/hostcall/network_spec.h"

namespace runsc::oci {
namespace {

constexpr size_t kHardwareSize = 6;
constexpr size_t kV4 = 4, kV6 = 16;

std::string text_of(const std::string& with_nul) { return with_nul.substr(0, with_nul.find('\0')); }

HostInterface* find(HostNetwork& network, uint32_t index) {
  for (HostInterface& interface : network.interfaces)
    if (interface.index == index) return &interface;
  return nullptr;
}

// One sentence for each reason, however often it is met.
void leave_out(HostNetwork& network, std::string what) {
  what += ": the container does not have it";
  if (std::find(network.left_out.begin(), network.left_out.end(), what) == network.left_out.end())
    network.left_out.push_back(std::move(what));
}

// Empty: it is handed over.
std::string why_not(const ifinfomsg& link, const NetlinkAnswer& answer) {
  const std::string hardware = answer.attribute(sizeof link, IFLA_ADDRESS);
  const bool nobody = hardware == std::string(kHardwareSize, '\0');
  if (link.ifi_type != ARPHRD_ETHER || hardware.size() != kHardwareSize || nobody || (hardware[0] & 1) != 0)
    return "is not an Ethernet";
  if ((link.ifi_flags & IFF_NOARP) != 0) return "knows no neighbours by ARP";
  // The one that it is part of is handed over.
  if (answer.number<uint32_t>(sizeof link, IFLA_MASTER) != 0) return "is part of another one";
  const std::string info = answer.attribute(sizeof link, IFLA_LINKINFO);
  const bool pair = text_of(NetlinkAnswer::attribute_in(info, IFLA_INFO_KIND)) == "veth";
  const bool beneath_is_here = answer.number<uint32_t>(sizeof link, IFLA_LINK) != 0 &&
                               answer.attribute(sizeof link, IFLA_LINK_NETNSID).empty();
  // What is beneath gets all that comes.
  if (beneath_is_here && !pair) return "stands on another one";
  return {};
}

// The settings of IPv6 there, net.ipv6.conf.IF; a host without IPv6 says nothing.
uint32_t ipv6_flags(const NetlinkAnswer& answer) {
  const std::string families = answer.attribute(sizeof(ifinfomsg), IFLA_AF_SPEC);
  const std::string settings =
      NetlinkAnswer::attribute_in(NetlinkAnswer::attribute_in(families, AF_INET6), IFLA_INET6_CONF);
  const auto setting = [&](size_t which, int32_t missing) {
    int32_t value = missing;
    if (settings.size() >= (which + 1) * sizeof value)
      std::memcpy(&value, settings.data() + which * sizeof value, sizeof value);
    return value;
  };
  const int32_t accept = setting(DEVCONF_ACCEPT_RA, 0);
  const bool listens = accept == 2 || (accept == 1 && setting(DEVCONF_FORWARDING, 0) == 0);
  uint32_t flags = listens ? 0 : hostcall::kNoRouterAdvertisements;
  if (setting(DEVCONF_DISABLE_IPV6, 1) != 0) flags |= hostcall::kIpv6Off;
  return flags;
}

Expected<void> read_links(Netlink& netlink, HostNetwork& network) {
  ifinfomsg all{};
  return netlink.list(NetlinkMessage(RTM_GETLINK, NLM_F_DUMP).body(all), "the network interfaces",
                      [&](uint16_t type, const NetlinkAnswer& answer) {
                        const auto link = answer.body<ifinfomsg>();
                        if (type != RTM_NEWLINK || (link.ifi_flags & IFF_LOOPBACK) != 0) return;
                        if ((link.ifi_flags & IFF_UP) == 0) return;
                        HostInterface interface;
                        interface.index = static_cast<uint32_t>(link.ifi_index);
                        interface.name = text_of(answer.attribute(sizeof link, IFLA_IFNAME));
                        interface.hardware = answer.attribute(sizeof link, IFLA_ADDRESS);
                        interface.mtu = answer.number<uint32_t>(sizeof link, IFLA_MTU);
                        interface.queue_length = answer.number<uint32_t>(sizeof link, IFLA_TXQLEN);
                        interface.flags = ipv6_flags(answer);
                        const std::string reason = why_not(link, answer);
                        if (reason.empty()) return network.interfaces.push_back(std::move(interface));
                        leave_out(network, "network interface " + interface.name + " " + reason);
                      });
}

Expected<void> read_addresses(Netlink& netlink, HostNetwork& network) {
  ifaddrmsg all{};
  return netlink.list(NetlinkMessage(RTM_GETADDR, NLM_F_DUMP).body(all), "the network addresses",
                      [&](uint16_t type, const NetlinkAnswer& answer) {
                        const auto row = answer.body<ifaddrmsg>();
                        HostInterface* interface = find(network, row.ifa_index);
                        if (type != RTM_NEWADDR || interface == nullptr) return;
                        HostAddress address;
                        const std::string peer = answer.attribute(sizeof row, IFA_ADDRESS);
                        address.address = answer.attribute(sizeof row, IFA_LOCAL);
                        if (address.address.empty()) address.address = peer;
                        if (peer != address.address) address.peer = peer;
                        address.broadcast = answer.attribute(sizeof row, IFA_BROADCAST);
                        address.label = text_of(answer.attribute(sizeof row, IFA_LABEL));
                        address.prefix = row.ifa_prefixlen;
                        address.scope = row.ifa_scope;
                        address.flags = answer.number<uint32_t>(sizeof row, IFA_FLAGS, row.ifa_flags);
                        // Linux before 5.18 does not say it.
                        const bool by_router = (address.flags & IFA_F_MANAGETEMPADDR) != 0;
                        constexpr uint8_t kFromRouter = 2;  // IFAPROT_KERNEL_RA
                        address.protocol =
                            answer.number<uint8_t>(sizeof row, IFA_PROTO, by_router ? kFromRouter : 0);
                        constexpr ifa_cacheinfo kNoEnd{hostcall::kForEver, hostcall::kForEver, 0, 0};
                        const auto times = answer.number<ifa_cacheinfo>(sizeof row, IFA_CACHEINFO, kNoEnd);
                        address.valid_s = times.ifa_valid;
                        address.preferred_s = times.ifa_prefered;
                        // The host may still be looking whether somebody else has it; nobody has.
                        address.flags &= ~uint32_t{IFA_F_TENTATIVE | IFA_F_OPTIMISTIC};
                        if (row.ifa_family == AF_INET6 && (address.flags & IFA_F_PERMANENT) == 0)
                          address.flags |= IFA_F_NODAD;
                        if (address.address.size() == kV4 || address.address.size() == kV6)
                          interface->addresses.push_back(std::move(address));
                      });
}

uint32_t route_mtu(const NetlinkAnswer& answer) {
  const std::string metrics = answer.attribute(sizeof(rtmsg), RTA_METRICS);
  const std::string mtu = NetlinkAnswer::attribute_in(metrics, RTAX_MTU);
  uint32_t value = 0;
  if (mtu.size() == sizeof value) std::copy(mtu.begin(), mtu.end(), reinterpret_cast<char*>(&value));
  return value;
}

// Those that routers have told of end, unless they tell of them again.
uint32_t seconds_left(const NetlinkAnswer& answer) {
  constexpr int kTicks = 100;  // USER_HZ
  const auto times = answer.number<rta_cacheinfo>(sizeof(rtmsg), RTA_CACHEINFO);
  if (times.rta_expires == 0) return hostcall::kForEver;
  return times.rta_expires < 0 ? 0 : static_cast<uint32_t>(times.rta_expires) / kTicks;
}

// Empty: it is. Why it is not one that is handed over.
std::string why_not(const rtmsg& row, const NetlinkAnswer& answer) {
  if (!answer.attribute(sizeof row, RTA_MULTIPATH).empty()) return "has several next hops";
  if (!answer.attribute(sizeof row, RTA_VIA).empty()) return "has a gateway of another family";
  return {};
}

void add_route(HostNetwork& network, const NetlinkAnswer& answer) {
  const auto row = answer.body<rtmsg>();
  const auto table = answer.number<uint32_t>(sizeof row, RTA_TABLE, row.rtm_table);
  const bool v4 = row.rtm_family == AF_INET;
  if (table != RT_TABLE_MAIN || (!v4 && row.rtm_family != AF_INET6) || (row.rtm_flags & RTM_F_CLONED) != 0)
    return;
  if (const std::string reason = why_not(row, answer); !reason.empty()) {
    return leave_out(network, "a route of the network namespace " + reason);
  }
  HostRoute route;
  route.destination = answer.attribute(sizeof row, RTA_DST);
  if (route.destination.empty()) route.destination.assign(v4 ? kV4 : kV6, '\0');
  route.prefix = row.rtm_dst_len;
  route.gateway = answer.attribute(sizeof row, RTA_GATEWAY);
  route.source = answer.attribute(sizeof row, RTA_PREFSRC);
  route.interface = answer.number<uint32_t>(sizeof row, RTA_OIF);
  route.metric = answer.number<uint32_t>(sizeof row, RTA_PRIORITY);
  route.protocol = row.rtm_protocol;
  route.scope = row.rtm_scope;
  route.type = row.rtm_type;
  route.mtu = route_mtu(answer);
  route.lasts_s = seconds_left(answer);
  route.tos = row.rtm_tos;
  route.flags = row.rtm_flags & RTNH_F_ONLINK;
  if (route.interface != 0 && find(network, route.interface) == nullptr) return;
  // Made by the kernel for groups and for itself; ours makes its own.
  if (route.type != RTN_UNICAST && route.type != RTN_BLACKHOLE && route.type != RTN_UNREACHABLE &&
      route.type != RTN_PROHIBIT)
    return;
  network.routes.push_back(std::move(route));
}

Expected<void> read_routes(Netlink& netlink, HostNetwork& network) {
  for (const int family : {AF_INET, AF_INET6}) {
    rtmsg all{};
    all.rtm_family = static_cast<unsigned char>(family);
    OCI_TRY_VOID(netlink.list(NetlinkMessage(RTM_GETROUTE, NLM_F_DUMP).body(all), "the routes",
                              [&](uint16_t type, const NetlinkAnswer& answer) {
                                if (type == RTM_NEWROUTE) add_route(network, answer);
                              }));
  }
  // Those that are on the link first: gateways are found by them.
  std::stable_partition(network.routes.begin(), network.routes.end(),
                        [](const HostRoute& route) { return route.gateway.empty(); });
  return {};
}

Expected<void> read_neighbours(Netlink& netlink, HostNetwork& network) {
  ndmsg all{};
  return netlink.list(NetlinkMessage(RTM_GETNEIGH, NLM_F_DUMP).body(all), "the neighbours",
                      [&](uint16_t type, const NetlinkAnswer& answer) {
                        const auto row = answer.body<ndmsg>();
                        HostInterface* interface = find(network, static_cast<uint32_t>(row.ndm_ifindex));
                        if (type != RTM_NEWNEIGH || interface == nullptr) return;
                        if ((row.ndm_state & NUD_PERMANENT) == 0 || row.ndm_type != RTN_UNICAST) return;
                        HostNeighbour neighbour{answer.attribute(sizeof row, NDA_DST),
                                                answer.attribute(sizeof row, NDA_LLADDR)};
                        if (neighbour.hardware.size() == kHardwareSize)
                          interface->neighbours.push_back(std::move(neighbour));
                      });
}

using Writer = hostcall::ContainerWriter<std::string>;

void write_interface(Writer& writer, const HostInterface& interface) {
  writer.string(interface.name);
  writer.u32(interface.index);
  writer.string(interface.hardware);
  writer.u32(interface.mtu);
  writer.u32(interface.queue_length);
  writer.u32(interface.flags);
  writer.u32(static_cast<uint32_t>(interface.addresses.size()));
  for (const HostAddress& address : interface.addresses) {
    writer.string(address.address);
    writer.string(address.peer);
    writer.string(address.broadcast);
    writer.u32(address.prefix);
    writer.u32(address.scope);
    writer.u32(address.flags);
    writer.u32(address.protocol);
    writer.u32(address.valid_s);
    writer.u32(address.preferred_s);
    writer.string(address.label);
  }
  writer.u32(static_cast<uint32_t>(interface.neighbours.size()));
  for (const HostNeighbour& neighbour : interface.neighbours) {
    writer.string(neighbour.address);
    writer.string(neighbour.hardware);
  }
}

uint32_t place_of(const HostNetwork& network, uint32_t index) {
  for (size_t i = 0; i < network.interfaces.size(); ++i)
    if (network.interfaces[i].index == index) return static_cast<uint32_t>(i);
  return hostcall::kNoPlace;
}

}  // namespace

namespace {

Expected<HostNetwork> read_once(Netlink& netlink) {
  HostNetwork network;
  OCI_TRY_VOID(read_links(netlink, network));
  OCI_TRY_VOID(read_addresses(netlink, network));
  OCI_TRY_VOID(read_routes(netlink, network));
  OCI_TRY_VOID(read_neighbours(netlink, network));
  return network;
}

}  // namespace

Expected<HostNetwork> read_host_network(Netlink& netlink) {
  // Whoever sets it up may still be at it.
  constexpr int kAttempts = 10;
  Expected<HostNetwork> network = read_once(netlink);
  for (int i = 1; i < kAttempts && !network && netlink.interrupted(); ++i) network = read_once(netlink);
  return network;
}

std::vector<uint32_t> all_interfaces(Netlink& netlink) {
  std::vector<uint32_t> numbers;
  (void)netlink.list(NetlinkMessage(RTM_GETLINK, NLM_F_DUMP).body(ifinfomsg{}), "the network interfaces",
                     [&](uint16_t type, const NetlinkAnswer& answer) {
                       if (type == RTM_NEWLINK)
                         numbers.push_back(static_cast<uint32_t>(answer.body<ifinfomsg>().ifi_index));
                     });
  return numbers;
}

std::string network_bytes(const HostNetwork& network) {
  std::string bytes;
  if (network.interfaces.empty()) return bytes;
  Writer writer(bytes);
  writer.u32(hostcall::kNetworkVersion);
  writer.u32(static_cast<uint32_t>(network.interfaces.size()));
  for (const HostInterface& interface : network.interfaces) write_interface(writer, interface);
  writer.u32(static_cast<uint32_t>(network.routes.size()));
  for (const HostRoute& route : network.routes) {
    writer.string(route.destination);
    writer.u32(route.prefix);
    writer.string(route.gateway);
    writer.string(route.source);
    writer.u32(place_of(network, route.interface));
    for (const uint32_t number : {route.metric, route.protocol, route.scope, route.type, route.mtu, route.tos,
                                  route.flags, route.lasts_s})
      writer.u32(number);
  }
  return bytes;
}

}  // namespace runsc::oci
