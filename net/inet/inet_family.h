// AF_INET and AF_INET6: which socket types and protocols there are (ip(7)).
#pragma once

#include "net/family.h"

namespace runsc::net {

// At boot. Makes endpoints of both families for `type` and `protocol` (given as 0 too if it is the first of
// its type); `protocol` 0: any.
void register_inet_type(int type, int protocol,
                        Result<Ref<Endpoint>> (*create)(const Caller& caller, NetworkNamespace& net,
                                                        int domain, int protocol));
// Registers both families and what lives here: UDP, ping and raw sockets.
void inet_init();

}  // namespace runsc::net
