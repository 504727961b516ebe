// SIOCGIF... and SIOCSIF... (netdevice(7)).
#pragma once

#include "fs/file.h"
#include "net/types.h"

namespace runsc::net {

class NetworkNamespace;

// `addresses`: the caller is an AF_INET socket, which is asked for addresses too. ENOTTY: not one of these.
Result<uint64_t> device_ioctl(NetworkNamespace& net, bool addresses, uint32_t request, uint64_t argument,
                              const fs::IoctlContext& context);

namespace arp_request {
inline constexpr uint32_t remove = 0x8953, get = 0x8954, set = 0x8955;
}
// SIOCGARP, SIOCSARP, SIOCDARP. ENXIO: nobody of that address; ENODEV, EPERM, EINVAL, EPFNOSUPPORT.
Result<uint64_t> arp_ioctl(NetworkNamespace& net, uint32_t request, uint64_t argument,
                           const fs::IoctlContext& context);

}  // namespace runsc::net
