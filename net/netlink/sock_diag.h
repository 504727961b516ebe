// sock_diag(7): the sockets of a namespace, as ss(8) asks for them.
#pragma once

#include "net/netlink/message.h"

namespace runsc::net {

class NetworkNamespace;

namespace diag_type {
inline constexpr uint16_t tcp = 18, by_family = 20;
}

// Answers one request. ENOENT: no such socket, or a family that nobody can be asked about; EINVAL.
Result<void> answer_diag_request(NetworkNamespace& net, const NetlinkHeader& header,
                                 std::span<const std::byte> body, NetlinkWriter& out);

}  // namespace runsc::net
