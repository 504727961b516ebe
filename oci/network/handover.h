// Host only. Network interfaces of a namespace of the host in the hands of a sandbox, and back.
//
// The sandbox has a packet(7) socket for each interface and speaks for its addresses. The host's own
// protocols in that namespace stay as they are configured, so that whoever set them up (CNI, Docker) finds
// all again, and hear nothing: a filter drops on ingress what has passed the packet sockets.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"
#include "oci/network/host_network.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// Which network namespace the calling process is in.
struct NetworkNamespaceId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const NetworkNamespaceId&) const = default;
};
NetworkNamespaceId network_namespace_here();

// What a sandbox works on an interface with.
struct HostWire {
  UniqueFd socket;    // packet(7)
  UniqueFd doorbell;  // eventfd(2)
};

struct TakenNetwork {
  HostNetwork network;
  std::vector<HostWire> wires;  // one for each interface
  UniqueFd claim;               // to be kept open for as long as the sandbox has it
  std::vector<std::string> warnings;
};

// Why the interfaces of the namespace that the calling process has gone to, from `before`, are none of the
// container's: it is the caller's or the machine's own. Empty: they are.
std::string why_left_alone(const Spec& spec, const NetworkNamespaceId& before);
// `why`, with what comes of it.
std::string loopback_only(const std::string& why);

// The interfaces of the namespace that the calling process is in. One that another sandbox has keeps its
// interfaces: there the container has lo alone, with a warning.
Expected<TakenNetwork> take_network();

// After the end of the sandbox: the host's protocols hear again what comes. `path`: of the namespace. Nothing
// happens where it is gone, the machine's own, or another sandbox's. The calling process, of one thread, is
// in its own namespace again on return.
void give_network_back(const std::string& path);

}  // namespace runsc::oci
