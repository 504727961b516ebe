// SIOCGIF... and SIOCSIF... (netdevice(7)).
#pragma once

#include "fs/file.h"
#include "net/types.h"

namespace runsc::net {

class NetworkNamespace;

// `addresses`: the caller is an AF_INET socket, which is asked for addresses too. ENOTTY: not one of these.
Result<uint64_t> device_ioctl(NetworkNamespace& net, bool addresses, uint32_t request, uint64_t argument,
                              const fs::IoctlContext& context);

}  // namespace runsc::net
