// The protocol families that socket(2) knows.
#pragma once

#include "net/endpoint.h"

namespace runsc::net {

// Makes an endpoint, without a file yet. ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM, ENOMEM.
using CreateEndpoint = Result<Ref<Endpoint>> (*)(const Caller& caller, NetworkNamespace& net, int type,
                                                 int protocol);

// At boot.
void register_family(int domain, CreateEndpoint create);
// EAFNOSUPPORT, EINVAL for a type out of range, and what the family says.
Result<Ref<Endpoint>> create_endpoint(const Caller& caller, NetworkNamespace& net, int domain, int type,
                                      int protocol);

}  // namespace runsc::net
