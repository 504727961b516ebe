// NetworkNamespace (network_namespaces(7)): what sockets with names share. Tasks refer to one, sockets keep
// the one in which they were made.
#pragma once

#include "kernel/base/namespace.h"
#include "net/unix/unix_table.h"

namespace runsc::net {

class Stack;

class NetworkNamespace final : public Namespace {
 public:
  static Result<Ref<NetworkNamespace>> create();

  UnixTable local_sockets;

  // IPv4 and IPv6.
  Stack& inet() const { return *inet_; }

  uint64_t cookie() const { return cookie_; }

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  NetworkNamespace();
  ~NetworkNamespace() override;

  Unique<Stack> inet_;
  const uint64_t cookie_;
};

}  // namespace runsc::net
