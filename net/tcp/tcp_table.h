// The connections of a namespace as text: /proc/net/tcp and tcp6 (proc_net_tcp(5)).
#pragma once

#include "kernel/base/format.h"
#include "net/inet/stack.h"

namespace runsc::net {

// ENOMEM.
Result<void> tcp_describe(Stack& stack, bool v6, TextSink& out);

}  // namespace runsc::net
