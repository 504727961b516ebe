#include "net/inet/testing/link_world.h"

#include <arpa/inet.h>

#include <algorithm>

namespace runsc::net::testing {

// ---- hosts ----

Host::Host(World& w, int n, const MacAddress& mac, uint32_t mtu) : world(w), number(n) {
  net = std::move(NetworkNamespace::create().value());
  link = std::move(Ethernet::make(stack(), "eth0", mac, mtu, *this).value());
  REQUIRE(config().set_flags(*config().loopback(), interface_flag::up, interface_flag::up));
  REQUIRE(config().add_interface(link));
}

Host::~Host() {
  link = {};
  net = {};
}

bool Host::send(PacketPtr frame) {
  if (full) return false;
  Bytes bytes(frame->size(), '\0');
  if (frame->info.checksum == ChecksumState::partial) {
    REQUIRE(offload);
    Stack::complete_checksum(*frame);
  }
  frame->read(0, std::as_writable_bytes(std::span(bytes)));
  // What the hardware adds.
  if (bytes.size() < 60) bytes.resize(60);
  world.flying.push_back({bytes, number});
  world.log.push_back({bytes, number});
  return true;
}

void Host::take(const Bytes& frame) {
  PacketPtr packet = Packet::create(static_cast<uint32_t>(frame.size()));
  REQUIRE(packet);
  if (!frame.empty()) memcpy(packet->put(static_cast<uint32_t>(frame.size())), frame.data(), frame.size());
  link->receive_frame(std::move(packet));
  stack().drain();
}

void Host::address(const char* text, uint8_t prefix, uint32_t flags) {
  InterfaceAddress a;
  a.address = a.peer = ip(text);
  a.prefix = prefix;
  a.flags = flags;
  a.broadcast = a.address.is_v4() ? IpAddress::v4(a.address.v4() | ~0u >> prefix) : kAnyV6;
  a.scope = !a.address.is_v4() && a.address.is_link_local() ? scope::link : scope::universe;
  REQUIRE(config().add_address(*link, a));
}

void Host::up(bool yes) { REQUIRE(config().set_flags(*link, yes ? 1 : 0, interface_flag::up)); }

std::string Host::neighbour(const IpAddress& address) {
  NeighbourRow row;
  if (!link->neighbours()->find(address, row)) return "";
  const std::pair<uint8_t, const char*> names[] = {{1, "incomplete"}, {2, "reachable"}, {4, "stale"},
                                                   {8, "delay"},      {16, "probe"},    {32, "failed"},
                                                   {128, "permanent"}};
  std::string text;
  for (auto [bit, name] : names)
    if (row.state == bit) text = name;
  if (row.state & neighbour_state::valid) text += " " + std::to_string(row.mac.b[5]);
  if (row.flags & neighbour_flag::router) text += " router";
  return text;
}

// ---- sockets ----

Sock::Sock(Host& h, int domain, int type, int protocol) : host(h) {
  Result<Ref<Endpoint>> made = create_endpoint(h.world.caller(), *h.net, domain, type, protocol);
  REQUIRE(made);
  endpoint = *made;
}
Sock::Sock(Host& h, Ref<Endpoint> e) : host(h), endpoint(std::move(e)) {}
Sock::~Sock() { endpoint->release(); }

std::vector<std::byte> Sock::name_of(const IpAddress& address, uint16_t port, uint32_t scope) const {
  Address out;
  SocketAddress name{address, port, scope, 0};
  put_address(name, endpoint->domain(), out);
  return {out.bytes, out.bytes + out.size};
}
Errno Sock::bind(const IpAddress& address, uint16_t port) {
  Result<void> done = endpoint->bind(host.world.caller(), name_of(address, port, 0));
  return done ? Errno{} : done.error();
}
Errno Sock::connect(const IpAddress& address, uint16_t port, uint32_t scope) {
  WaitPoint wait(true);
  Result<void> done = endpoint->connect(host.world.caller(), name_of(address, port, scope), wait);
  return done ? Errno{} : done.error();
}
Errno Sock::send_to(const IpAddress& address, uint16_t port, std::string_view text, uint32_t flags) {
  std::string copy(text);
  mm::IoBuf data = mm::IoBuf::kernel(std::as_writable_bytes(std::span(copy)));
  const Caller caller = host.world.caller();
  SendMessage message(caller, data, flags | msg_flag::dontwait);
  const auto name = name_of(address, port, 0);
  message.has_address = true;
  message.address = name;
  Result<size_t> done = endpoint->send(message);
  return done ? Errno{} : done.error();
}
Errno Sock::send(std::string_view text) {
  std::string copy(text);
  mm::IoBuf data = mm::IoBuf::kernel(std::as_writable_bytes(std::span(copy)));
  const Caller caller = host.world.caller();
  SendMessage message(caller, data, msg_flag::dontwait);
  Result<size_t> done = endpoint->send(message);
  return done ? Errno{} : done.error();
}
std::string Sock::receive() {
  std::string out(70000, '\0');
  mm::IoBuf data = mm::IoBuf::kernel(std::as_writable_bytes(std::span(out)));
  const Caller caller = host.world.caller();
  ReceiveMessage message(caller, data, msg_flag::dontwait);
  Result<size_t> got = endpoint->receive(message);
  out.resize(got ? *got : message.done);
  return out;
}
std::unique_ptr<Sock> Sock::accept() {
  WaitPoint wait(true);
  Result<Ref<Endpoint>> got = endpoint->accept(wait);
  return got ? std::make_unique<Sock>(host, *got) : nullptr;
}

// ---- the world ----

World::World() {
  arch::fake::start();
  static bool once = (inet_init(), true);
  (void)once;
  space = std::move(mm::AddressSpace::create().value());
  files = std::move(fs::FdTable::create().value());
  creds = make_ref<fs::Credentials>();
  creds->effective = creds->permitted = fs::kAllCaps;
  fs = make_ref<fs::FsContext>(fs::Path(), fs::Path(), 022u);
}

World::~World() {
  // Connections without anybody end in their time.
  for (auto& h : hosts) h->full = true;
  run_for(3600 * kSecond);
  hosts.clear();
  CHECK(armed_timers() == 0);
}

Host& World::add(uint32_t mtu) {
  const int n = static_cast<int>(hosts.size());
  hosts.push_back(std::make_unique<Host>(*this, n, mac(n + 1), mtu));
  return *hosts.back();
}

void World::two(uint32_t mtu) {
  for (int n = 1; n <= 2; ++n) {
    Host& h = add(mtu);
    h.address(("10.0.0." + std::to_string(n)).c_str(), 24);
    if (mtu >= 1280) h.address(("fd00::" + std::to_string(n)).c_str(), 64);
    h.link->settings.router_solicitations = 0;
    h.up();
  }
  run(5 * kSecond);
  log.clear();
}

void World::pump() {
  for (int rounds = 0; !flying.empty(); ++rounds) {
    REQUIRE(rounds < 100000);
    Frame f = std::move(flying.front());
    flying.pop_front();
    if (drop && drop(f)) continue;
    for (auto& h : hosts)
      if (h->number != f.from) h->take(f.bytes);
  }
}

void World::run(uint64_t ns) {
  pump();
  const uint64_t step = 5 * kMs;
  for (uint64_t done = 0; done < ns; done += step) {
    run_for(std::min(step, ns - done));
    pump();
  }
}

std::vector<Frame> World::sent(int from, uint16_t type) {
  std::vector<Frame> out;
  for (Frame& f : log)
    if (f.from == from && (!type || (at(f.bytes, 12) << 8 | at(f.bytes, 13)) == type)) out.push_back(f);
  log.clear();
  return out;
}

// ---- frames ----

IpAddress ip(const char* text) {
  uint8_t bytes[16];
  if (inet_pton(AF_INET, text, bytes) == 1) return IpAddress::from_v4(bytes);
  REQUIRE(inet_pton(AF_INET6, text, bytes) == 1);
  return IpAddress::from_v6(bytes);
}
MacAddress mac(int last) { return {{2, 0, 0, 0, 0, static_cast<uint8_t>(last)}}; }
Bytes hex(const char* text) {
  Bytes out;
  int digits = 0, value = 0;
  for (const char* p = text; *p; ++p) {
    if (*p == ' ') continue;
    value = value * 16 + (*p <= '9' ? *p - '0' : *p - 'a' + 10);
    if (++digits % 2 == 0) out += static_cast<char>(value), value = 0;
  }
  return out;
}
Bytes raw(const void* p, size_t n) { return {static_cast<const char*>(p), n}; }
Bytes be16(uint16_t v) { return {static_cast<char>(v >> 8), static_cast<char>(v)}; }
Bytes ether(const MacAddress& to, const MacAddress& from, uint16_t type, const Bytes& payload) {
  return raw(to.b, 6) + raw(from.b, 6) + be16(type) + payload;
}
namespace {
Bytes v4(const IpAddress& a) {
  uint8_t b[4];
  a.put_v4(b);
  return raw(b, 4);
}
Bytes v6(const IpAddress& a) {
  uint8_t b[16];
  a.put_v6(b);
  return raw(b, 16);
}
std::span<const std::byte> view(const Bytes& b) { return std::as_bytes(std::span(b)); }
void put_sum(Bytes& b, size_t field, uint16_t sum) { memcpy(b.data() + field, &sum, 2); }
}  // namespace
Bytes arp(uint16_t operation, const MacAddress& sender, const IpAddress& sender_ip, const MacAddress& target,
          const IpAddress& target_ip) {
  return hex("0001 0800 06 04") + be16(operation) + raw(sender.b, 6) + v4(sender_ip) + raw(target.b, 6) +
         v4(target_ip);
}
Bytes ipv4(const IpAddress& from, const IpAddress& to, uint8_t protocol, const Bytes& payload, uint8_t ttl) {
  Bytes header = hex("45 00") + be16(static_cast<uint16_t>(20 + payload.size())) + hex("0001 0000") +
                 Bytes{static_cast<char>(ttl), static_cast<char>(protocol)} + hex("0000") + v4(from) + v4(to);
  put_sum(header, 10, checksum_of(view(header)));
  return header + payload;
}
Bytes ipv6(const IpAddress& from, const IpAddress& to, uint8_t protocol, Bytes payload, int field,
           uint8_t hops) {
  if (field >= 0) {
    put_sum(payload, field, 0);
    ChecksumSum sum;
    sum.add_pseudo_header(from, to, protocol, static_cast<uint32_t>(payload.size()));
    sum.add(view(payload));
    put_sum(payload, field, sum.checksum());
  }
  return hex("60 00 0000") + be16(static_cast<uint16_t>(payload.size())) +
         Bytes{static_cast<char>(protocol), static_cast<char>(hops)} + v6(from) + v6(to) + payload;
}
Bytes icmp6(const IpAddress& from, const IpAddress& to, const Bytes& message, uint8_t hops) {
  return ipv6(from, to, ip_protocol::icmpv6, message, 2, hops);
}
Bytes udp4(const IpAddress& from, const IpAddress& to, uint16_t source, uint16_t destination,
           const Bytes& text) {
  Bytes udp =
      be16(source) + be16(destination) + be16(static_cast<uint16_t>(8 + text.size())) + hex("0000") + text;
  ChecksumSum sum;
  sum.add_pseudo_header(from, to, ip_protocol::udp, static_cast<uint32_t>(udp.size()));
  sum.add(view(udp));
  put_sum(udp, 6, sum.checksum());
  return ipv4(from, to, ip_protocol::udp, udp);
}
Bytes mac_option(uint8_t type, const MacAddress& m) {
  return Bytes{static_cast<char>(type), 1} + raw(m.b, 6);
}

}  // namespace runsc::net::testing
