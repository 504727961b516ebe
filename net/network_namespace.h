// NetworkNamespace (network_namespaces(7)): what sockets with names share. Tasks refer to one, sockets keep
// the one in which they were made.
#pragma once

#include "kernel/base/ref.h"
#include "net/unix/unix_table.h"

namespace runsc::net {

class NetworkNamespace final : public RefCounted<NetworkNamespace> {
 public:
  static Result<Ref<NetworkNamespace>> create();

  UnixTable local_sockets;

  uint64_t cookie() const { return cookie_; }

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  NetworkNamespace();
  const uint64_t cookie_;
};

// The one of the first task: made by net_init(), before there are tasks. ENOMEM.
Result<void> make_initial_namespace();
Ref<NetworkNamespace> initial_namespace();

}  // namespace runsc::net
