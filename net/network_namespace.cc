#include "net/network_namespace.h"

#include <atomic>

#include "net/inet/stack.h"

namespace runsc::net {

namespace {
constinit std::atomic<uint64_t> g_next_cookie{1};
}  // namespace

NetworkNamespace::NetworkNamespace()
    : Namespace(NamespaceKind::net), cookie_(g_next_cookie.fetch_add(1, std::memory_order_relaxed)) {}

NetworkNamespace::~NetworkNamespace() = default;

Result<Ref<NetworkNamespace>> NetworkNamespace::create() {
  Ref<NetworkNamespace> net = make_ref<NetworkNamespace>();
  if (!net) return Errno::nomem;
  net->inet_ = make<Stack>(*net);
  if (!net->inet_) return Errno::nomem;
  TRY(net->inet_->init());
  return net;
}

}  // namespace runsc::net
