// Who may do what in a network namespace: who may in the user namespace that it belongs to (capabilities(7)).
#pragma once

#include "fs/user_namespace.h"
#include "net/network_namespace.h"

namespace runsc::net {

inline bool is_capable(const fs::Credentials& creds, const NetworkNamespace& net, fs::Cap cap) {
  return fs::is_capable(creds, net.owner(), cap);
}

}  // namespace runsc::net
