// The network interfaces that the host gives to a container.
#pragma once

#include <string_view>

#include "net/network_namespace.h"

namespace runsc::kernel {

// Makes the interfaces, addresses, neighbours and routes that `bytes` describe (kvm/hostcall/network_spec.h;
// empty: none) in `net`, which is kept from then on. EINVAL: a bad description; ENOMEM; what the monitor
// gives.
Result<void> set_up_network(net::NetworkNamespace& net, std::string_view bytes);

}  // namespace runsc::kernel
