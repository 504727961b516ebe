// ioctl(2) of Internet sockets (netdevice(7), socket(7)).
#include "net/inet/inet_endpoint.h"

namespace runsc::net {

Result<uint64_t> InetEndpoint::ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) {
  return Endpoint::ioctl(request, argument, context);
}

}  // namespace runsc::net
