// What rtnetlink(7) is asked about neighbours.
#include "net/inet/neighbours.h"
#include "net/inet/stack.h"
#include "net/netlink/route_messages.h"

namespace runsc::net {

namespace {

struct NeighbourMessage {  // struct ndmsg
  uint8_t family, padding1;
  uint16_t padding2;
  uint32_t index;
  uint16_t state;
  uint8_t flags, type;
};
static_assert(sizeof(NeighbourMessage) == 12);

struct NeighbourWish {
  NeighbourMessage message;
  Neighbours::Wish wish;
  uint32_t index = 0;
  bool has_address = false;
};

// EINVAL: an attribute is not what it should be.
Result<NeighbourWish> read(std::span<const std::byte> body) {
  constexpr uint16_t kDestination = 1, kMac = 2, kIndex = 8, kProtocol = 12;
  NeighbourWish w;
  if (body.size() < sizeof w.message) return Errno::inval;
  __builtin_memcpy(&w.message, body.data(), sizeof w.message);
  w.index = w.message.index;
  AttributeReader reader(body.subspan(sizeof w.message));
  AttributeReader::Item item;
  while (reader.next(item)) {
    if (item.type == kDestination) w.wish.address = TRY(item.address()), w.has_address = true;
    if (item.type == kMac) {
      if (item.data.size() < sizeof(MacAddress)) return Errno::inval;
      w.wish.mac = MacAddress::from(item.data.data());
      w.wish.has_mac = true;
    }
    if (item.type == kIndex) w.index = item.u32();
    if (item.type == kProtocol && !item.data.empty()) w.wish.protocol = static_cast<uint8_t>(item.data[0]);
  }
  return w;
}

Result<Ref<Interface>> link_of(Stack& stack, const NeighbourWish& w, bool add) {
  if (!w.has_address || w.index == 0) return Errno::inval;
  if (w.message.family != (w.wish.address.is_v4() ? family_number::inet : family_number::inet6))
    return Errno::inval;
  Ref<Interface> link = stack.config.interface(w.index);
  if (!link) return Errno::nodev;
  // On lo everybody is at hand.
  if (!link->neighbours()) return add ? Errno::opnotsupp : Errno::noent;
  return link;
}

}  // namespace

Result<void> get_neighbours(Stack& stack, const NetlinkHeader& header, std::span<const std::byte> body,
                            NetlinkWriter& out) {
  const bool dump = (header.flags & netlink_flag::dump) == netlink_flag::dump;
  NeighbourWish w{};
  if (!dump || body.size() >= sizeof w.message) w = TRY(read(body));
  if (!dump) {
    Ref<Interface> link = TRY(link_of(stack, w, false));
    NeighbourRow row;
    if (!link->neighbours()->find(w.wish.address, row)) return Errno::noent;
    write_neighbour(out, *link, row, route_type::new_neighbour, 0);
    return {};
  }
  const uint8_t family = body.empty() ? uint8_t{0} : static_cast<uint8_t>(body[0]);
  Vec<Ref<Interface>> all;
  TRY(stack.config.list_interfaces(all));
  for (const bool v4 : {true, false}) {
    if (family && family != (v4 ? family_number::inet : family_number::inet6)) continue;
    for (const Ref<Interface>& i : all) {
      if (!i->neighbours() || (w.index && w.index != i->index())) continue;
      Vec<NeighbourRow> rows;
      TRY(i->neighbours()->list(rows));
      for (const NeighbourRow& row : rows)
        if (row.address.is_v4() == v4)
          write_neighbour(out, *i, row, route_type::new_neighbour, netlink_flag::multi);
    }
  }
  return {};
}

Result<void> change_neighbour(Stack& stack, const NetlinkHeader& header, std::span<const std::byte> body,
                              bool add) {
  constexpr uint8_t kProxy = 8;
  NeighbourWish w = TRY(read(body));
  Ref<Interface> link = TRY(link_of(stack, w, add));
  if (w.message.flags & kProxy) return Errno::opnotsupp;
  if (!add) return link->neighbours()->remove(w.wish.address);
  w.wish.create = header.flags & netlink_flag::create;
  w.wish.exclusive = header.flags & netlink_flag::excl;
  w.wish.replace = header.flags & netlink_flag::replace;
  w.wish.state = static_cast<uint8_t>(w.message.state);
  w.wish.flags = w.message.flags;
  return link->neighbours()->set(w.wish);
}

}  // namespace runsc::net
