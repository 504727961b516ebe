#include "net/inet/inet_family.h"

#include "kernel/base/check.h"
#include "net/inet/icmp.h"
#include "net/inet/ping_endpoint.h"
#include "net/inet/raw_endpoint.h"
#include "net/inet/udp_endpoint.h"
#include "net/tcp/tcp_endpoint.h"

namespace runsc::net {

namespace {

struct InetType {
  int type = 0, protocol = 0, domain = 0;
  CreateInet create = nullptr;
};
// Written at boot, before there are tasks.
constinit InetType g_types[16] = {};
constinit size_t g_type_count = 0;

constexpr int kProtocolMax = 262;  // IPPROTO_MPTCP

template <int Domain>
Result<Ref<Endpoint>> create(const Caller& caller, NetworkNamespace& net, int type, int protocol) {
  if (protocol < 0 || protocol > kProtocolMax) return Errno::inval;
  bool type_known = false;
  for (size_t i = 0; i < g_type_count; ++i) {
    const InetType& t = g_types[i];
    if (t.type != type || (t.domain && t.domain != Domain)) continue;
    type_known = true;
    if (protocol == 0 && t.protocol != 0) return t.create(caller, net, Domain, t.protocol);
    if (protocol == t.protocol || t.protocol == 0) {
      if (t.protocol == 0 && protocol == 0) continue;
      return t.create(caller, net, Domain, protocol);
    }
  }
  return type_known ? Errno::protonosupport : Errno::socktnosupport;
}

}  // namespace

void register_inet_type(int type, int protocol, CreateInet create, int domain) {
  CHECK(g_type_count < std::size(g_types), "too many kinds of Internet sockets");
  g_types[g_type_count++] = {type, protocol, domain, create};
}

void inet_init() {
  icmp_init();
  register_protocol(ip_protocol::udp, {udp_receive, udp_error});
  register_inet_type(socket_type::dgram, ip_protocol::udp, create_udp);
  register_inet_type(socket_type::dgram, ip_protocol::icmp, create_ping, family_number::inet);
  register_inet_type(socket_type::dgram, ip_protocol::icmpv6, create_ping, family_number::inet6);
  register_inet_type(socket_type::raw, 0, create_raw);
  tcp_init();
  register_family(family_number::inet, create<family_number::inet>);
  register_family(family_number::inet6, create<family_number::inet6>);
}

}  // namespace runsc::net
