#include "net/netlink/netlink_table.h"

#include "net/netlink/netlink_endpoint.h"
#include "net/netlink/route_messages.h"
#include "net/services.h"

namespace runsc::net {

void NetlinkTable::add(NetlinkEntry& entry) {
  LockGuard guard(lock_);
  entries_.push_back(entry);
}

void NetlinkTable::remove(NetlinkEntry& entry) {
  LockGuard guard(lock_);
  if (entry.is_linked()) entries_.erase(entries_.iterator_to(entry));
}

bool NetlinkTable::taken_locked(int protocol, uint32_t port) const {
  for (const NetlinkEntry& e : entries_)
    if (e.listed_protocol == protocol && e.listed_port == port) return true;
  return false;
}

Result<uint32_t> NetlinkTable::bind(NetlinkEntry& entry, uint32_t port, uint32_t wish) {
  LockGuard guard(lock_);
  if (entry.listed_port)
    return entry.listed_port == port || port == 0 ? Result<uint32_t>(entry.listed_port) : Errno::inval;
  if (port) {
    if (taken_locked(entry.listed_protocol, port)) return Errno::addrinuse;
  } else {
    port = wish;
    while (port == 0 || taken_locked(entry.listed_protocol, port)) port = 0x80000000 | random_u32();
  }
  entry.listed_port = port;
  return port;
}

Result<void> NetlinkTable::list(Vec<Ref<NetlinkEndpoint>>& out) {
  LockGuard guard(lock_);
  for (NetlinkEntry& e : entries_) {
    NetlinkEndpoint& endpoint = e.netlink_endpoint();
    if (endpoint.try_ref()) TRY(out.push_back(Ref<NetlinkEndpoint>::adopt(&endpoint)));
  }
  return {};
}

void NetlinkTable::multicast(int protocol, uint32_t group, NetlinkWriter& writer) {
  if (!writer.status()) return;
  Vec<Ref<NetlinkEndpoint>> all;
  (void)list(all);
  for (Ref<NetlinkEndpoint>& endpoint : all) {
    if (endpoint->protocol() != protocol || !endpoint->joined(group)) continue;
    for (const Vec<std::byte>& piece : writer.pieces()) {
      Vec<std::byte> copy;
      if (!copy.resize(piece.size())) return;
      __builtin_memcpy(copy.data(), piece.data(), piece.size());
      endpoint->take(std::move(copy), group);
    }
  }
}

void NetlinkTable::neighbour_changed(const Interface& interface, const NeighbourRow& row, bool gone) {
  NetlinkWriter writer(0, 0);
  write_neighbour(writer, interface, row, gone ? route_type::del_neighbour : route_type::new_neighbour, 0);
  multicast(netlink_protocol::route, route_group::neighbour, writer);
}

void NetlinkTable::link_changed(const Interface& interface) {
  NetlinkWriter writer(0, 0);
  write_link(writer, interface, route_type::new_link, 0, ~0u);
  multicast(netlink_protocol::route, route_group::link, writer);
}

void NetlinkTable::address_changed(const Interface& interface, const InterfaceAddress& address, bool gone) {
  NetlinkWriter writer(0, 0);
  write_address(writer, interface, address, gone ? route_type::del_address : route_type::new_address, 0);
  multicast(netlink_protocol::route, address.address.is_v4() ? route_group::address4 : route_group::address6,
            writer);
}

void NetlinkTable::route_changed(const RouteEntry& route, bool gone) {
  NetlinkWriter writer(0, 0);
  write_route(writer, route, gone ? route_type::del_route : route_type::new_route, 0);
  multicast(netlink_protocol::route, route.v4() ? route_group::route4 : route_group::route6, writer);
}

}  // namespace runsc::net
