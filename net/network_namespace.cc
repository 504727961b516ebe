#include "net/network_namespace.h"

#include <atomic>

namespace runsc::net {

namespace {
constinit std::atomic<uint64_t> g_next_cookie{1};
}  // namespace

NetworkNamespace::NetworkNamespace()
    : Namespace(NamespaceKind::net), cookie_(g_next_cookie.fetch_add(1, std::memory_order_relaxed)) {}

Result<Ref<NetworkNamespace>> NetworkNamespace::create() {
  Ref<NetworkNamespace> net = make_ref<NetworkNamespace>();
  if (!net) return Errno::nomem;
  return net;
}

}  // namespace runsc::net
