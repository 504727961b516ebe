#include "net/network_namespace.h"

#include <atomic>

namespace runsc::net {

namespace {
constinit std::atomic<uint64_t> g_next_cookie{1};
constinit NetworkNamespace* g_initial = nullptr;  // made at boot, never freed
}  // namespace

NetworkNamespace::NetworkNamespace() : cookie_(g_next_cookie.fetch_add(1, std::memory_order_relaxed)) {}

Result<Ref<NetworkNamespace>> NetworkNamespace::create() {
  Ref<NetworkNamespace> net = make_ref<NetworkNamespace>();
  if (!net) return Errno::nomem;
  return net;
}

Result<void> make_initial_namespace() {
  g_initial = TRY(NetworkNamespace::create()).leak();
  return {};
}

Ref<NetworkNamespace> initial_namespace() { return Ref<NetworkNamespace>(*g_initial); }

}  // namespace runsc::net
