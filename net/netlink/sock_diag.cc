#include "net/netlink/sock_diag.h"

#include "net/inet/raw_endpoint.h"
#include "net/inet/wire.h"
#include "net/network_namespace.h"
#include "net/tcp/tcp_info.h"
#include "net/unix/unix_endpoint.h"

namespace runsc::net {

namespace {

struct InetId {  // struct inet_diag_sockid
  Be16 port, peer_port;
  std::byte local[16], peer[16];
  uint32_t interface, cookie[2];
};
struct InetRequest {  // struct inet_diag_req_v2
  uint8_t family, protocol, extensions, padding;
  uint32_t states;
  InetId id;
};
struct OldRequest {  // struct inet_diag_req: TCP's sockets of both families
  uint8_t family, source_length, destination_length, extensions;
  InetId id;
  uint32_t states, bodies;
};
struct InetAnswer {  // struct inet_diag_msg
  uint8_t family, state, timer, retransmits;
  InetId id;
  uint32_t expires, receive_queue, send_queue, uid, ino;
};
static_assert(sizeof(InetRequest) == 56 && sizeof(InetAnswer) == 72);

struct UnixRequest {  // struct unix_diag_req
  uint8_t family, protocol;
  uint16_t padding;
  uint32_t states, ino, show, cookie[2];
};
struct UnixAnswer {  // struct unix_diag_msg
  uint8_t family, type, state, padding;
  uint32_t ino, cookie[2];
};

// What a unix_diag_req may ask to be shown, and the attributes that show it.
constexpr uint32_t kShowName = 1, kShowPeer = 4, kShowQueue = 0x10;
constexpr uint16_t kUnixName = 0, kUnixPeer = 2, kUnixQueue = 4, kUnixShutdown = 6;
constexpr uint16_t kInetMemory = 1, kInetInfo = 2, kInetAlgorithm = 4, kInetTos = 5, kInetClass = 6,
                   kInetSocketMemory = 7, kInetShutdown = 8, kInetV6Only = 11;
constexpr uint32_t kNoCookie = ~0u;

template <class T>
Result<T> fixed(std::span<const std::byte> body) {
  T value;
  if (body.size() < sizeof value) return Errno::inval;
  __builtin_memcpy(&value, body.data(), sizeof value);
  return value;
}

void put_diag_address(const IpAddress& address, bool v6, std::byte (&out)[16]) {
  if (v6)
    address.put_v6(out);
  else
    address.put_v4(out);
}

struct InetDump {
  const InetRequest& request;
  NetlinkWriter& out;
  bool single;
  uint16_t type = diag_type::by_family;
  bool found = false;

  bool wanted(InetEndpoint& e, const InetEndpoint::Names& names, uint8_t state) const {
    if (state == 0) return false;
    if (request.family && e.domain() != request.family) return false;
    if (!(request.states >> state & 1)) return false;
    const uint16_t port = request.id.port, peer_port = request.id.peer_port;
    if (port && port != names.local.port) return false;
    if (peer_port && peer_port != names.peer.port) return false;
    const uint32_t* cookie = request.id.cookie;
    if (!single || cookie[0] == kNoCookie) return true;
    return e.cookie() == (uint64_t{cookie[1]} << 32 | cookie[0]);
  }

  void show(InetEndpoint& e) {
    const InetEndpoint::Names names = e.names();
    const InetEndpoint::Facts facts = e.facts();
    if ((single && found) || !wanted(e, names, facts.state)) return;
    found = true;
    InetAnswer m{};
    m.family = static_cast<uint8_t>(e.domain());
    m.state = facts.state;
    m.timer = facts.timer;
    m.retransmits = facts.retransmits;
    m.id.port = e.type() == socket_type::raw ? static_cast<uint16_t>(e.protocol()) : names.local.port;
    m.id.peer_port = names.peer.port;
    put_diag_address(names.local.address, e.v6(), m.id.local);
    put_diag_address(names.peer.address, e.v6(), m.id.peer);
    m.id.interface = e.bound_device();
    const uint64_t cookie = e.cookie();
    m.id.cookie[0] = static_cast<uint32_t>(cookie);
    m.id.cookie[1] = static_cast<uint32_t>(cookie >> 32);
    m.expires = facts.expires_ms;
    m.receive_queue = facts.receive_queue;
    m.send_queue = facts.send_queue;
    if (!facts.orphan) {
      m.uid = e.uid();
      m.ino = static_cast<uint32_t>(e.ino());
    }
    out.begin(type, single ? uint16_t{0} : netlink_flag::multi);
    out.put(m);
    out.attribute(kInetShutdown, facts.shut);
    if (e.v6()) out.attribute(kInetV6Only, uint8_t{e.only_v6()});
    show_more(e, facts);
    out.end();
  }

  // What idiag_ext asks for.
  void show_more(InetEndpoint& e, const InetEndpoint::Facts& facts) {
    auto asked = [&](uint16_t what) { return request.extensions >> (what - 1) & 1; };
    if (asked(kInetTos)) out.attribute(kInetTos, e.tos(false));
    if (asked(kInetClass) && e.v6()) out.attribute(kInetClass, e.tos(true));
    const InetEndpoint::MemoryFacts memory = e.memory_facts(facts);
    if (asked(kInetMemory)) {
      const uint32_t told[4] = {memory.receive_used, memory.send_queued, memory.forward, memory.send_used};
      out.attribute(kInetMemory, told);
    }
    if (asked(kInetSocketMemory)) out.attribute(kInetSocketMemory, memory);
    if (!asked(kInetInfo) && !asked(kInetAlgorithm)) return;
    TcpInfo info{};
    const std::string_view algorithm = e.tcp_facts(info);
    if (algorithm.empty()) return;
    if (asked(kInetInfo)) out.attribute(kInetInfo, info);
    if (asked(kInetAlgorithm)) out.attribute(kInetAlgorithm, algorithm);
  }
};

Result<void> answer_inet(Stack& stack, const InetRequest& request, bool single, uint16_t type,
                         NetlinkWriter& out) {
  InetDump dump{request, out, single, type};
  if (request.protocol == ip_protocol::raw) {
    stack.raw().sockets.each([](const RawReceiver&) { return true; },
                             [&](RawReceiver& r) { dump.show(static_cast<RawEndpoint&>(r)); });
  } else {
    PortTable* table = request.protocol == ip_protocol::udp   ? &stack.udp
                       : request.protocol == ip_protocol::tcp ? &stack.tcp
                                                              : nullptr;
    if (!table) return Errno::noent;
    Vec<PortRef> all;
    TRY(table->list(all));
    for (PortRef& ref : all)
      if (InetEndpoint* endpoint = ref.endpoint()) dump.show(*endpoint);
  }
  if (single && !dump.found) return Errno::noent;
  return {};
}

Result<void> answer_unix(NetworkNamespace& net, const UnixRequest& request, bool single, NetlinkWriter& out) {
  Vec<Ref<UnixEndpoint>> all;
  TRY(net.local_sockets.list(all));
  bool found = false;
  for (Ref<UnixEndpoint>& e : all) {
    const UnixEndpoint::Facts facts = e->facts();
    if (!facts.alive || !(request.states >> facts.state & 1)) continue;
    if (single && facts.ino != request.ino) continue;
    found = true;
    const uint64_t cookie = e->cookie();
    out.begin(diag_type::by_family, single ? uint16_t{0} : netlink_flag::multi);
    out.put(UnixAnswer{family_number::local,
                       static_cast<uint8_t>(e->type()),
                       facts.state,
                       0,
                       static_cast<uint32_t>(facts.ino),
                       {static_cast<uint32_t>(cookie), static_cast<uint32_t>(cookie >> 32)}});
    if ((request.show & kShowName) && facts.name) {
      const std::string_view text = facts.name->text();
      out.attribute(kUnixName, text.data(), text.size());
    }
    if ((request.show & kShowPeer) && facts.peer_ino)
      out.attribute(kUnixPeer, static_cast<uint32_t>(facts.peer_ino));
    if (request.show & kShowQueue) {
      const uint32_t queues[2] = {facts.receive_queue, facts.send_queue};
      out.attribute(kUnixQueue, queues, sizeof queues);
    }
    out.attribute(kUnixShutdown, facts.shut);
    out.end();
  }
  if (single && !found) return Errno::noent;
  return {};
}

}  // namespace

Result<void> answer_diag_request(NetworkNamespace& net, const NetlinkHeader& header,
                                 std::span<const std::byte> body, NetlinkWriter& out) {
  const bool single = (header.flags & netlink_flag::dump) != netlink_flag::dump;
  if (header.type == diag_type::tcp && !single) {
    const OldRequest old = TRY(fixed<OldRequest>(body));
    const InetRequest request{0, ip_protocol::tcp, old.extensions, 0, old.states, old.id};
    return answer_inet(net.inet(), request, false, header.type, out);
  }
  if (header.type != diag_type::by_family) return Errno::inval;
  if (body.empty()) return Errno::inval;
  switch (static_cast<int>(body[0])) {
    case family_number::inet:
    case family_number::inet6:
      return answer_inet(net.inet(), TRY(fixed<InetRequest>(body)), single, header.type, out);
    case family_number::local:
      return answer_unix(net, TRY(fixed<UnixRequest>(body)), single, out);
    default:
      return Errno::noent;
  }
}

}  // namespace runsc::net
