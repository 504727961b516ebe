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

struct TakenNetwork {
  HostNetwork network;
  std::vector<UniqueFd> wires;  // one for each interface
  UniqueFd claim;               // to be kept open for as long as the sandbox has it
  std::vector<std::string> warnings;
};

// The interfaces of the namespace that the calling process has gone to, from `before`. A namespace that is
// the caller's or the machine's own keeps its interfaces, and so does one that another sandbox has: there the
// container has lo alone, with a warning.
Expected<TakenNetwork> take_network(const Spec& spec, const NetworkNamespaceId& before);

// After the end of the sandbox: the host's protocols hear again what comes. `path`: of the namespace. Nothing
// happens where it is gone, the machine's own, or another sandbox's. The calling process, of one thread, is
// in its own namespace again on return.
void give_network_back(const std::string& path);

}  // namespace runsc::oci
