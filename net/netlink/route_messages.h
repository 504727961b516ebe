// rtnetlink(7): links, addresses, routes.
#pragma once

#include "net/inet/net_config.h"
#include "net/netlink/message.h"

namespace runsc::net {

class Stack;
struct NeighbourRow;

// Answers one request. `body` is what follows the header. EOPNOTSUPP, EPERM, ENODEV...
Result<void> answer_route_request(Stack& stack, bool privileged, const NetlinkHeader& header,
                                  std::span<const std::byte> body, NetlinkWriter& out);

// Of answer_route_request(): RTM_GETNEIGH, RTM_NEWNEIGH and RTM_DELNEIGH.
Result<void> get_neighbours(Stack& stack, const NetlinkHeader& header, std::span<const std::byte> body,
                            NetlinkWriter& out);
Result<void> change_neighbour(Stack& stack, const NetlinkHeader& header, std::span<const std::byte> body,
                              bool add);

namespace route_group {  // RTNLGRP_*
inline constexpr uint32_t link = 1, neighbour = 3, address4 = 5, route4 = 7, address6 = 9, route6 = 11;
}
namespace route_type {  // RTM_*
inline constexpr uint16_t new_link = 16, del_link = 17, get_link = 18, set_link = 19, new_address = 20,
                          del_address = 21, get_address = 22, new_route = 24, del_route = 25, get_route = 26,
                          new_neighbour = 28, del_neighbour = 29, get_neighbour = 30, new_rule = 32,
                          get_rule = 34, get_qdisc = 38, get_netconf = 82;
}

void write_link(NetlinkWriter& out, const Interface& interface, uint16_t type, uint16_t flags,
                uint32_t changed);
void write_address(NetlinkWriter& out, const Interface& interface, const InterfaceAddress& address,
                   uint16_t type, uint16_t flags);
void write_neighbour(NetlinkWriter& out, const Interface& interface, const NeighbourRow& row, uint16_t type,
                     uint16_t flags);
void write_route(NetlinkWriter& out, const RouteEntry& route, uint16_t type, uint16_t flags);

}  // namespace runsc::net
