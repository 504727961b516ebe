#include "net/family.h"

#include "kernel/base/check.h"

namespace runsc::net {

namespace {
// Written at boot, before there are tasks.
constinit CreateEndpoint g_families[family_number::limit] = {};
}  // namespace

void register_family(int domain, CreateEndpoint create) {
  CHECK(domain > 0 && domain < family_number::limit, "a protocol family out of range");
  g_families[domain] = create;
}

Result<Ref<Endpoint>> create_endpoint(const Caller& caller, NetworkNamespace& net, int domain, int type,
                                      int protocol) {
  if (domain < 0 || domain >= family_number::limit) return Errno::afnosupport;
  if (type < 0 || type >= socket_type::limit) return Errno::inval;
  CreateEndpoint create = g_families[domain];
  if (!create) return Errno::afnosupport;
  return create(caller, net, type, protocol);
}

}  // namespace runsc::net
