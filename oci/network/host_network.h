// Host only. What a network namespace of the host has, as far as it is handed to a sandbox.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "oci/network/netlink.h"

namespace runsc::oci {

// IP addresses are 4 or 16 bytes, hardware addresses 6; empty: there is none.
struct HostAddress {
  std::string address, peer, broadcast, label;
  uint32_t prefix = 0, scope = 0, flags = 0, protocol = 0;
  uint32_t valid_s = 0, preferred_s = 0;  // what is left; hostcall::kForEver
};

struct HostNeighbour {
  std::string address, hardware;
};

struct HostInterface {
  uint32_t index = 0;
  std::string name, hardware;
  uint32_t mtu = 0, queue_length = 0;
  uint32_t flags = 0;  // kvm/hostcall/network_spec.h
  std::vector<HostAddress> addresses;
  std::vector<HostNeighbour> neighbours;  // permanent ones
};

struct HostRoute {
  std::string destination, gateway, source;
  uint32_t prefix = 0, interface = 0, metric = 0, protocol = 0, scope = 0, type = 0, mtu = 0, tos = 0,
           flags = 0, lasts_s = 0;  // hostcall::kForEver
};

struct HostNetwork {
  std::vector<HostInterface> interfaces;  // Ethernet, up
  std::vector<HostRoute> routes;          // of the main table, by these interfaces or none
  std::vector<std::string> left_out;      // what cannot be handed over: a sentence each
};

// Of the namespace that the calling process is in.
Expected<HostNetwork> read_host_network(Netlink& netlink);

// The numbers of all interfaces there, whatever they are.
std::vector<uint32_t> all_interfaces(Netlink& netlink);

// The string of kvm/hostcall/network_spec.h; empty without interfaces.
std::string network_bytes(const HostNetwork& network);

}  // namespace runsc::oci
