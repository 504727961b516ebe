// AF_INET and AF_INET6: which socket types and protocols there are (ip(7)).
#pragma once

#include "net/family.h"

namespace runsc::net {

using CreateInet = Result<Ref<Endpoint>> (*)(const Caller& caller, NetworkNamespace& net, int domain,
                                             int protocol);

// At boot. What socket(2) makes for `type` and `protocol` in both families (`domain` 0) or in one. The first
// of a type is also what protocol 0 gives. ENOMEM does not happen: the table is fixed.
void register_inet_type(int type, int protocol, CreateInet create, int domain = 0);
// Registers both families and what lives here: UDP, ping and raw sockets.
void inet_init();

}  // namespace runsc::net
