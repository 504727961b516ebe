// Addresses and what they bring along and take with them, and groups, of an Ethernet.
#include <set>

#include "net/device/split_datagrams.h"
#include "net/inet/testing/link_world.h"

using namespace runsc;
using namespace runsc::net;
using namespace runsc::net::testing;

namespace {

constexpr uint64_t kS = 1'000'000'000;

std::string addresses_of(Host& host, bool secondary) {
  Vec<InterfaceAddress> all;
  REQUIRE(host.config().list_addresses(*host.link, all));
  std::string text;
  for (const InterfaceAddress& a : all)
    if (a.address.is_v4() && bool(a.flags & address_flag::secondary) == secondary)
      text += std::to_string(a.address.v4() & 0xffff) + " ";
  return text;
}

// Of the main table; `v4`: of IPv4 alone.
std::vector<RouteEntry> routes_of(Host& host, bool v4 = false) {
  Vec<RouteEntry> all;
  REQUIRE(host.config().list_routes(all));
  std::vector<RouteEntry> out;
  for (const RouteEntry& r : all)
    if (r.interface == host.link->index() && r.table == RouteEntry::kMain && r.v4() >= v4) out.push_back(r);
  return out;
}

InterfaceAddress address_of(const IpAddress& address, uint8_t prefix) {
  InterfaceAddress a;
  a.address = a.peer = address;
  a.prefix = prefix;
  a.flags = address_flag::permanent | address_flag::no_dad;
  return a;
}

// Reports of the group (IGMPv3) that the host has sent: their kinds.
std::string reports_of(World& w, const IpAddress& group) {
  std::string kinds;
  for (const Frame& f : w.sent(0, ether_type::ipv4)) {
    constexpr size_t kReport = 14 + 24;
    if (at(f.bytes, 14 + 9) != 2 || at(f.bytes, kReport) != 0x22) continue;
    uint32_t told = 0;
    for (size_t i = 0; i < 4; ++i) told = told << 8 | at(f.bytes, kReport + 12 + i);
    if (told == group.v4()) kinds += std::to_string(at(f.bytes, kReport + 8)) + " ";
  }
  return kinds;
}

}  // namespace

TEST_CASE("config: with a primary address its secondary ones go") {
  World w;
  Host& h = w.add();
  h.up();
  for (const char* text : {"10.0.1.1", "10.0.1.2", "10.0.2.1", "10.0.1.3", "10.0.2.2"}) h.address(text, 24);
  CHECK(addresses_of(h, false) == "257 513 ");
  CHECK(addresses_of(h, true) == "258 259 514 ");
  SECTION("as Linux has it") {
    REQUIRE(h.config().remove_address(*h.link, ip("10.0.1.1"), 24));
    CHECK(addresses_of(h, false) == "513 ");
    CHECK(addresses_of(h, true) == "514 ");
    CHECK(routes_of(h, true).size() == 1);
  }
  SECTION("a secondary one goes alone") {
    REQUIRE(h.config().remove_address(*h.link, ip("10.0.1.2"), 24));
    CHECK(addresses_of(h, false) == "257 513 ");
    CHECK(addresses_of(h, true) == "259 514 ");
  }
  SECTION("promote_secondaries: the next one is primary") {
    h.link->settings.promote_secondaries = 1;
    REQUIRE(h.config().remove_address(*h.link, ip("10.0.1.1"), 24));
    CHECK(addresses_of(h, false) == "258 513 ");
    CHECK(addresses_of(h, true) == "259 514 ");
    auto way = h.config().route({.destination = ip("10.0.1.77"), .source = kAnyV4});
    REQUIRE(way);
    CHECK(way->source == ip("10.0.1.2"));
  }
}

TEST_CASE("config: an interface with many addresses comes up and goes down at once") {
  World w;
  Host& h = w.add();
  constexpr int kMany = 3000;
  for (int i = 0; i < kMany; ++i) {
    REQUIRE(h.config().add_address(
        *h.link, address_of(IpAddress::v4(0x0b000001 + (static_cast<uint32_t>(i) << 8)), 24)));
    // Two of each prefix: they share a route.
    const IpAddress v6(0xfd00'0000'0000'0000 + static_cast<uint64_t>(i / 2), static_cast<uint64_t>(i + 1));
    REQUIRE(h.config().add_address(*h.link, address_of(v6, 64)));
  }
  for (int round = 0; round < 3; ++round) {
    REQUIRE(h.config().set_flags(*h.link, interface_flag::up, interface_flag::up));
    std::set<std::string> seen;
    const auto routes = routes_of(h);
    for (size_t i = 1; i < routes.size(); ++i) CHECK_FALSE(routes[i - 1].length < routes[i].length);
    size_t v4 = 0, v6 = 0;
    for (const RouteEntry& r : routes) (r.v4() ? v4 : v6) += r.length == 24 || r.length == 64;
    CHECK(v4 == kMany);
    CHECK(v6 == kMany / 2 + 1);  // and that of link-local addresses
    CHECK(h.config().route({.destination = ip("11.0.5.9"), .source = kAnyV4}).value().source ==
          ip("11.0.5.1"));
    REQUIRE(h.config().set_flags(*h.link, 0, interface_flag::up));
    CHECK(routes_of(h).empty());
    if (round == 0) break;  // those of IPv6 go with the link
  }
}

TEST_CASE("config: an interface that cannot come up for want of memory is down") {
  World w;
  Host& h = w.add();
  h.address("10.0.1.1", 24);
  h.address("10.0.2.1", 24);
  for (int n = 1; n < 5; ++n) {
    arch::fake::fail_kalloc_after(static_cast<uint64_t>(n));
    const Result<void> done = h.config().set_flags(*h.link, interface_flag::up, interface_flag::up);
    arch::fake::fail_kalloc_after(0);
    CHECK(bool(done) == h.link->up());
    CHECK(bool(done) == !routes_of(h).empty());
    if (done) REQUIRE(h.config().set_flags(*h.link, 0, interface_flag::up));
  }
  h.up();
  arch::fake::fail_kalloc_after(1);
  const Result<void> added = h.config().add_address(*h.link, address_of(ip("10.0.3.1"), 24));
  arch::fake::fail_kalloc_after(0);
  InterfaceAddress there;
  CHECK(bool(added) == h.config().find_address(ip("10.0.3.1"), h.link->index(), there));
}

TEST_CASE("igmp: what was told in the wrong order is put right before it is reported") {
  World w;
  w.two();
  Host& h = w.a();
  const IpAddress group = ip("239.1.2.3");
  w.sent(0);
  SECTION("left, told behind the joining that came after it") {
    REQUIRE(h.config().join(h.link->index(), group));
    h.link->group_left(group);
    w.run(30 * kS);
    const std::string kinds = reports_of(w, group);
    REQUIRE_FALSE(kinds.empty());
    CHECK(kinds.find('3') == std::string::npos);
  }
  SECTION("joined, told behind the leaving that came after it") {
    REQUIRE(h.config().join(h.link->index(), group));
    h.config().leave(h.link->index(), group);
    h.link->group_joined(group);
    w.run(30 * kS);
    const std::string kinds = reports_of(w, group);
    CHECK(kinds.find('4') == std::string::npos);
    CHECK(kinds.find('3') != std::string::npos);
  }
}

TEST_CASE("igmp: thousands of groups are each told as often as any") {
  World w;
  w.two();
  Host& h = w.a();
  constexpr uint32_t kMany = 2000;
  w.sent(0);
  for (uint32_t i = 0; i < kMany; ++i)
    REQUIRE(h.config().join(h.link->index(), IpAddress::v4(0xef010000 + i)));
  w.run(5 * kS);
  for (uint32_t i = 0; i < kMany; ++i) h.config().leave(h.link->index(), IpAddress::v4(0xef010000 + i));
  w.run(5 * kS);
  size_t joined = 0, left = 0;
  for (const Frame& f : w.sent(0, ether_type::ipv4)) {
    constexpr size_t kKind = 14 + 24 + 8;
    if (at(f.bytes, 14 + 9) != 2) continue;
    joined += at(f.bytes, kKind) == 4;
    left += at(f.bytes, kKind) == 3;
  }
  CHECK(joined == 2 * kMany);
  CHECK(left == 2 * kMany);
  Vec<MulticastReports::Facts> facts;
  REQUIRE(h.link->reports().list(false, facts));
  CHECK(facts.empty());
}

TEST_CASE("datagrams that came as one are cut into those that they stand for") {
  arch::fake::start();
  const auto frame = [](const Bytes& bytes, uint16_t step) {
    PacketPtr packet = Packet::create(static_cast<uint32_t>(bytes.size()));
    memcpy(packet->put(static_cast<uint32_t>(bytes.size())), bytes.data(), bytes.size());
    packet->info.segment_size = step;
    return packet;
  };
  constexpr uint32_t kAt = 14 + 20, kAt6 = 14 + 40;
  Bytes text;
  for (int i = 0; i < 2500; ++i) text += static_cast<char>('a' + i / 1000);
  const Bytes whole =
      ether(mac(2), mac(1), ether_type::ipv4, udp4(ip("10.0.0.1"), ip("10.0.0.2"), 7, 9, text));
  PacketQueue parts;
  REQUIRE(split_datagrams(*frame(whole, 1000), kAt, parts));
  REQUIRE(parts.count() == 3);
  for (const size_t size : {1000u, 1000u, 500u}) {
    const PacketPtr part = parts.pop_front();
    REQUIRE(part->size() == kAt + 8 + size);
    Bytes bytes(part->size(), '\0');
    part->read(0, std::as_writable_bytes(std::span(bytes)));
    CHECK((at(bytes, 16) << 8 | at(bytes, 17)) == static_cast<int>(20 + 8 + size));
    CHECK((at(bytes, kAt + 4) << 8 | at(bytes, kAt + 5)) == static_cast<int>(8 + size));
    CHECK(checksum_of(std::as_bytes(std::span(bytes)).subspan(14, 20)) == 0);
    CHECK(bytes.substr(kAt + 8) == text.substr(0, size));
    text.erase(0, size);
  }
  const Bytes six =
      ether(mac(2), mac(1), ether_type::ipv6,
            ipv6(ip("fd00::1"), ip("fd00::2"), 17, hex("0007 0009 0bc0 0000") + Bytes(3000, 'x'), 6));
  REQUIRE(split_datagrams(*frame(six, 1500), kAt6, parts));
  CHECK(parts.count() == 2);
  CHECK(parts.pop_front()->size() == kAt6 + 8 + 1500);
  parts.clear();
  // What would fill the memory, or is no datagram.
  CHECK_FALSE(split_datagrams(*frame(whole, 0), kAt, parts));
  CHECK_FALSE(split_datagrams(*frame(whole, 1), kAt, parts));
  CHECK_FALSE(split_datagrams(*frame(whole, 1000), 14, parts));
  CHECK_FALSE(split_datagrams(*frame(whole, 1000), static_cast<uint32_t>(whole.size()), parts));
  CHECK_FALSE(
      split_datagrams(*frame(ether(mac(2), mac(1), ether_type::arp, Bytes(100, 'x')), 10), kAt, parts));
  CHECK(parts.empty());
}
