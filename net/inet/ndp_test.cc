// Neighbour Discovery, addresses that come by themselves, IGMP and MLD (RFC 4861, 4862, 3376, 3810).
#include "net/inet/testing/link_world.h"

using namespace runsc;
using namespace runsc::net;
using namespace runsc::net::testing;

namespace {
constexpr int kInet6 = family_number::inet6, kDgram = socket_type::dgram;
const Bytes kZero4(4, '\0');

Bytes v6(const char* text) {
  uint8_t b[16];
  ip(text).put_v6(b);
  return raw(b, 16);
}
// Frames of one ICMPv6 type, from their IPv6 header on.
std::vector<Bytes> of_type(const std::vector<Frame>& frames, uint8_t type) {
  std::vector<Bytes> out;
  for (const Frame& f : frames) {
    if (at(f.bytes, 12) != 0x86 || at(f.bytes, 13) != 0xdd) continue;
    const size_t skip = at(f.bytes, 20) == 0 ? 8 : 0;  // a hop-by-hop header
    if (at(f.bytes, 20 + 0) != 58 && at(f.bytes, 54) != 58) continue;
    if (at(f.bytes, 54 + skip) == type) out.push_back(f.bytes.substr(14));
  }
  return out;
}
Bytes solicit(const char* target, const Bytes& options) {
  return hex("87 00 0000") + kZero4 + v6(target) + options;
}
Bytes advert(const char* target, const char* flags, const Bytes& options) {
  return hex("88 00 0000") + hex(flags) + v6(target) + options;
}
Bytes router(const char* head, const Bytes& options) { return hex("86 00 0000") + hex(head) + options; }
Bytes prefix(const char* net, const char* length_flags, const char* valid, const char* preferred) {
  return hex("03 04") + hex(length_flags) + hex(valid) + hex(preferred) + kZero4 + v6(net);
}
constexpr const char* kRouter = "fe80::99";
void from_router(Host& h, const Bytes& message, const char* source = kRouter, uint8_t hops = 255) {
  h.take(ether(MacAddress::of_group(kAllNodes), mac(0x99), ether_type::ipv6,
               icmp6(ip(source), kAllNodes, message, hops)));
}
bool has_address(Host& h, const char* text, uint32_t* flags = nullptr) {
  InterfaceAddress a;
  const bool found = h.config().find_address(ip(text), 0, a);
  if (flags) *flags = a.flags;
  return found;
}
std::string way(Host& h, const char* to) {
  Result<Route> r = h.config().route({.destination = ip(to), .source = kAnyV6});
  if (!r) return "none";
  char room[64];
  FixedText text(room);
  r->next_hop.print(text);
  return std::string(text.view());
}
constexpr const char* kOwn = "fe80::ff:fe00:1";  // EUI-64 of mac(1)

std::vector<Bytes> igmp_of(World& w) {
  std::vector<Bytes> out;
  for (const Frame& f : w.sent(0, ether_type::ipv4))
    if (at(f.bytes, 23) == 2) out.push_back(f.bytes);
  return out;
}
void igmp_query(Host& h, Bytes query, const char* to) {
  const uint16_t sum = checksum_of(std::as_bytes(std::span(query)));
  memcpy(query.data() + 2, &sum, 2);
  const Bytes packet = ipv4(ip("10.0.0.9"), ip(to), 2, query, 1);
  h.take(ether(MacAddress::of_group(ip(to)), mac(9), ether_type::ipv4, packet));
}
const Bytes& usual_advert() {
  static const Bytes all =
      router("40 00 0708 00000000 00000000", mac_option(1, mac(0x99)) + hex("05 01 0000 00000514") +
                                                 prefix("2001:db8:1::", "40c0", "00015180", "00003840"));
  return all;
}
constexpr const char* kMine = "2001:db8:1::ff:fe00:1";

}  // namespace

TEST_CASE("ndp: solicitation and advertisement") {
  World w;
  w.two();
  Sock from(w.a(), kInet6, kDgram), to(w.b(), kInet6, kDgram);
  REQUIRE(to.bind(kAnyV6, 7000) == Errno{});
  REQUIRE(from.send_to(ip("fd00::2"), 7000, "one") == Errno{});
  const auto asked = of_type(w.sent(0), 135);
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].substr(0, 72) ==
        icmp6(ip("fd00::1"), ip("ff02::1:ff00:2"), solicit("fd00::2", mac_option(1, mac(1)))));
  w.pump();
  CHECK(to.receive() == "one");
  CHECK(w.a().neighbour(ip("fd00::2")) == "reachable 2");
  CHECK(w.b().neighbour(ip("fd00::1")) == "delay 1");
  const auto said = of_type(w.sent(1), 136);
  REQUIRE(said.size() == 1);
  CHECK(said[0].substr(0, 72) ==
        icmp6(ip("fd00::2"), ip("fd00::1"), advert("fd00::2", "60000000", mac_option(2, mac(2)))));
  // Nobody there.
  Sock stream(w.a(), kInet6, socket_type::stream);
  CHECK(stream.connect(ip("fd00::9"), 7000) == Errno::inprogress);
  w.run(3100 * kMs);
  CHECK(of_type(w.sent(0), 135).size() == 3);
  CHECK(stream.error() == Errno::hostunreach);
}

TEST_CASE("ndp: messages that cannot be") {
  World w;
  w.two();
  const MacAddress group = MacAddress::of_group(ip("ff02::1:ff00:1"));
  const auto say = [&](const Bytes& message, const char* source = "fd00::9", uint8_t hops = 255,
                       const char* to = "ff02::1:ff00:1") {
    w.a().take(ether(group, mac(9), ether_type::ipv6, icmp6(ip(source), ip(to), message, hops)));
    return of_type(w.sent(0), 136).size();
  };
  const Bytes option = mac_option(1, mac(9));
  CHECK(say(solicit("fd00::1", option), "fd00::9", 254) == 0);       // it came by a router
  CHECK(say(solicit("fd00::1", hex("01 00 0000 0000 0000"))) == 0);  // an option of no length
  CHECK(say(solicit("fd00::1", hex("01 02 0000 0000 0000"))) == 0);  // longer than the packet
  CHECK(say(solicit("fd00::1", option).substr(0, 20)) == 0);
  CHECK(say(solicit("ff02::1", option)) == 0);
  CHECK(say(solicit("fd00::7", option)) == 0);
  CHECK(say(solicit("fd00::1", option), "::") == 0);              // a probe with an address
  CHECK(say(solicit("fd00::1", {}), "::", 255, "ff02::1") == 0);  // a probe to all
  Bytes code = solicit("fd00::1", option);
  code[1] = 1;
  CHECK(say(code) == 0);
  CHECK(w.a().neighbour(ip("fd00::9")) == "");
  // Advertisements nobody has asked for are of strangers.
  CHECK(say(advert("fd00::9", "20000000", mac_option(2, mac(9))), "fd00::9", 255, "ff02::1") == 0);
  CHECK(w.a().neighbour(ip("fd00::9")) == "");
  CHECK(say(solicit("fd00::1", option)) == 1);
  CHECK(w.a().neighbour(ip("fd00::9")) == "delay 9");  // we have answered
  // Without override another address is only a doubt; with it, it counts.
  say(advert("fd00::9", "40000000", mac_option(2, mac(9))), "fd00::9", 255, "fd00::1");
  CHECK(w.a().neighbour(ip("fd00::9")) == "reachable 9");
  say(advert("fd00::9", "00000000", mac_option(2, mac(8))), "fd00::9", 255, "fd00::1");
  CHECK(w.a().neighbour(ip("fd00::9")) == "stale 9");
  say(advert("fd00::9", "20000000", mac_option(2, mac(8))), "fd00::9", 255, "ff02::1");
  CHECK(w.a().neighbour(ip("fd00::9")) == "stale 8");
}

TEST_CASE("ndp: a link-local address comes by itself, and is looked for first") {
  World w;
  Host& h = w.add();
  w.drop = [](const Frame&) { return true; };
  h.up();
  uint32_t flags = 0;
  REQUIRE(has_address(h, kOwn, &flags));
  CHECK(flags == (address_flag::tentative | address_flag::permanent));
  CHECK_FALSE(h.config().is_local(ip(kOwn)));
  SECTION("free") {
    w.run(2100 * kMs);
    const auto probes = of_type(w.log, 135);
    REQUIRE(probes.size() == 1);
    CHECK(probes[0].substr(8, 16) == v6("::"));
    CHECK(probes[0].substr(48, 16) == v6(kOwn));
    CHECK(at(probes[0], 64) == 14);
    REQUIRE(has_address(h, kOwn, &flags));
    CHECK(flags == address_flag::permanent);
    CHECK(h.config().is_local(ip(kOwn)));
    // Then routers are asked, and asked again, ever more seldom.
    w.run(1000 * kMs);
    CHECK(of_type(w.log, 133).size() == 1);
    w.run(100 * kSecond);
    const size_t asked = of_type(w.log, 133).size();
    CHECK(asked >= 4);
    CHECK(asked <= 7);
    // Down: it goes; up: it comes anew.
    h.up(false);
    CHECK_FALSE(has_address(h, kOwn));
    h.up();
    CHECK(has_address(h, kOwn));
  }
  SECTION("somebody else looks for it too") {
    h.take(ether(MacAddress::of_group(solicited_node(ip(kOwn))), mac(9), ether_type::ipv6,
                 icmp6(kAnyV6, solicited_node(ip(kOwn)), solicit(kOwn, hex("0e 01 1234 5678 9abc")))));
    REQUIRE(has_address(h, kOwn, &flags));
    CHECK(flags & address_flag::dad_failed);
    w.run(5 * kSecond);
    CHECK_FALSE(h.config().is_local(ip(kOwn)));
  }
  SECTION("somebody has it") {
    h.take(ether(MacAddress::of_group(kAllNodes), mac(9), ether_type::ipv6,
                 icmp6(ip(kOwn), kAllNodes, advert(kOwn, "20000000", mac_option(2, mac(9))))));
    REQUIRE(has_address(h, kOwn, &flags));
    CHECK(flags & address_flag::dad_failed);
  }
  SECTION("our own probe comes back") {
    w.run(1100 * kMs);
    for (const Frame& f : std::vector<Frame>(w.log)) h.take(f.bytes);
    w.run(2 * kSecond);
    CHECK(h.config().is_local(ip(kOwn)));
  }
}

TEST_CASE("ndp: without IPv6 nothing comes by itself") {
  World w;
  Host& h = w.add();
  w.drop = [](const Frame&) { return true; };
  h.up();
  h.config().switch_ipv6(*h.link, false);
  CHECK_FALSE(has_address(h, kOwn));
  w.log.clear();
  w.run(5 * kSecond);
  CHECK(of_type(w.log, 135).empty());
  CHECK(of_type(w.log, 133).empty());
  h.config().switch_ipv6(*h.link, true);
  CHECK(has_address(h, kOwn));
}

TEST_CASE("ndp: routers and their prefixes") {
  World w;
  w.two();
  Host& h = w.a();
  CHECK(way(h, "2001:db8::1") == "none");
  const Bytes& all = usual_advert();
  from_router(h, all, kRouter, 64);
  from_router(h, all, "2001:db8::99");
  CHECK(way(h, "2001:db8::1") == "none");
  from_router(h, all);
  CHECK(way(h, "2001:db8::1") == kRouter);
  CHECK(h.neighbour(ip(kRouter)) == "stale 153 router");
  CHECK(h.config().route({.destination = ip("2001:db8::1"), .source = kAnyV6})->mtu == 1300);
  REQUIRE(has_address(h, kMine));
  CHECK_FALSE(h.config().is_local(ip(kMine)));
  w.run(2500 * kMs);
  CHECK(h.config().is_local(ip(kMine)));
  CHECK(way(h, "2001:db8:1::77") == "2001:db8:1::77");
  SECTION("nobody shortens an address to less than two hours") {
    from_router(
        h, router("40 00 0708 00000000 00000000", prefix("2001:db8:1::", "40c0", "00000001", "00000001")));
    w.run(3 * kSecond);
    uint32_t flags = 0;
    CHECK(has_address(h, kMine, &flags));
    CHECK(flags & address_flag::deprecated);
    CHECK(way(h, "2001:db8:1::77") == kRouter);  // the prefix has gone
    run_for(7200 * kSecond);
    CHECK_FALSE(has_address(h, kMine));
  }
  SECTION("a router ends") {
    from_router(h, router("40 00 0000 00000000 00000000", {}));
    CHECK(way(h, "2001:db8::1") == "none");
  }
  SECTION("a router is none any more") {
    h.take(ether(MacAddress::of_group(kAllNodes), mac(0x99), ether_type::ipv6,
                 icmp6(ip(kRouter), kAllNodes, advert(kRouter, "20000000", mac_option(2, mac(0x99))))));
    CHECK(way(h, "2001:db8::1") == "none");
  }
  SECTION("its time passes") {
    run_for(1801 * kSecond);
    CHECK(way(h, "2001:db8::1") == "none");
  }
}

TEST_CASE("ndp: what the host had of a router is refreshed by it, or ends") {
  World w;
  w.two();
  Host& h = w.a();
  // Made by another rule than ours (RFC 7217), and the routes that came with it.
  InterfaceAddress a;
  a.address = a.peer = ip("2001:db8:1::1234:5678");
  a.prefix = 64;
  a.protocol = 2;
  a.flags = address_flag::manage_temporary | address_flag::no_dad;
  a.valid_ns = monotonic_ns() + 30 * kSecond;
  a.preferred_ns = monotonic_ns() + 20 * kSecond;
  REQUIRE(h.config().add_address(*h.link, a));
  RouteEntry net;
  net.destination = ip("2001:db8:1::");
  net.length = 64;
  net.gateway = net.source = kAnyV6;
  net.interface = h.link->index();
  net.metric = 256;
  net.protocol = RouteEntry::kByKernel;
  net.by_prefix = true;
  net.expires_ns = a.valid_ns;
  REQUIRE(h.config().add_route(net, false, true));
  h.link->autoconf().watch_times();
  const char* text = "2001:db8:1::1234:5678";
  SECTION("nobody tells of it") {
    w.run(25 * kSecond);
    uint32_t flags = 0;
    REQUIRE(has_address(h, text, &flags));
    CHECK(flags & address_flag::deprecated);
    w.run(10 * kSecond);
    CHECK_FALSE(has_address(h, text));
    CHECK(way(h, "2001:db8:1::77") == "none");
  }
  SECTION("its router does") {
    from_router(
        h, router("40 00 0708 00000000 00000000", prefix("2001:db8:1::", "40c0", "00015180", "00003840")));
    w.run(60 * kSecond);
    uint32_t flags = 0;
    REQUIRE(has_address(h, text, &flags));
    CHECK_FALSE(flags & address_flag::deprecated);
    CHECK_FALSE(has_address(h, kMine));
    CHECK(way(h, "2001:db8:1::77") == "2001:db8:1::77");
  }
}

TEST_CASE("ndp: redirects, and routers that mean harm") {
  World w;
  w.two();
  Host& h = w.a();
  from_router(h, usual_advert());
  SECTION("a redirect") {
    const Bytes to =
        hex("89 00 0000") + kZero4 + v6("fe80::77") + v6("2001:db8::5") + mac_option(2, mac(0x77));
    const auto tell = [&](const char* who, uint8_t hops) {
      h.take(ether(mac(1), mac(0x99), ether_type::ipv6, icmp6(ip(who), ip("fd00::1"), to, hops)));
    };
    tell("fe80::98", 255);
    tell(kRouter, 64);
    CHECK(way(h, "2001:db8::5") == kRouter);
    tell(kRouter, 255);
    CHECK(way(h, "2001:db8::5") == "fe80::77");
    CHECK(way(h, "2001:db8::6") == kRouter);
    CHECK(h.neighbour(ip("fe80::77")) == "stale 119 router");
  }
  SECTION("hostile options") {
    const char* head = "40 00 0708 00000000 00000000";
    from_router(h, router(head, prefix("2001:db8:2::", "4080", "ffffffff", "ffffffff") + hex("05 00")));
    CHECK(way(h, "2001:db8:2::1") == kRouter);
    from_router(h, router(head, prefix("fe80::", "40c0", "ffffffff", "ffffffff")));
    from_router(h, router(head, prefix("ff02::", "40c0", "ffffffff", "ffffffff")));
    from_router(h, router(head, prefix("2001:db8:3::", "40c0", "00000001", "00000002")));
    from_router(h, router(head, prefix("2001:db8:4::", "ffc0", "ffffffff", "ffffffff")));
    from_router(h, router(head, prefix("2001:db8:5::", "3fc0", "ffffffff", "ffffffff").substr(0, 24)));
    from_router(h, router(head, hex("05 01 0000 00000064")));
    CHECK(h.config().route({.destination = ip("2001:db8::1"), .source = kAnyV6})->mtu == 1300);
    for (int i = 0; i < 200; ++i) {
      const std::string net = "2001:db8:f" + std::to_string(i + 100) + "::";
      from_router(h, router(head, prefix(net.c_str(), "40c0", "00015180", "00015180")),
                  ("fe80::" + std::to_string(i + 1000)).c_str());
    }
    Vec<InterfaceAddress> addresses;
    Vec<RouteEntry> routes;
    REQUIRE(h.config().list_addresses(*h.link, addresses));
    REQUIRE(h.config().list_routes(routes));
    CHECK(addresses.size() <= 18);
    CHECK(routes.size() <= 100);
  }
}

TEST_CASE("ndp: settings that refuse routers") {
  World w;
  w.two();
  Host& h = w.a();
  const Bytes all =
      router("40 00 0708 00000000 00000000", prefix("2001:db8:1::", "40c0", "00015180", "00003840"));
  h.link->settings.accept_ra = 0;
  from_router(h, all);
  CHECK(way(h, "2001:db8::1") == "none");
  h.link->settings.accept_ra = 1;
  h.link->settings.autoconf = 0;
  h.link->settings.accept_ra_defrtr = 0;
  from_router(h, all);
  CHECK(way(h, "2001:db8::1") == "none");
  CHECK_FALSE(has_address(h, "2001:db8:1::ff:fe00:1"));
  CHECK(way(h, "2001:db8:1::5") == "2001:db8:1::5");
}

TEST_CASE("addresses: what was given for a time goes with it") {
  World w;
  w.two();
  for (const char* text : {"10.0.0.50", "fd00::50"}) {
    InterfaceAddress a;
    a.address = a.peer = ip(text);
    a.prefix = a.address.is_v4() ? 24 : 64;
    a.flags = address_flag::no_dad;
    a.valid_ns = monotonic_ns() + 20 * kSecond;
    a.preferred_ns = monotonic_ns() + 10 * kSecond;
    REQUIRE(w.a().config().add_address(*w.a().link, a));
  }
  uint32_t flags = 0;
  w.run(9 * kSecond);
  for (const char* text : {"10.0.0.50", "fd00::50"}) {
    REQUIRE(has_address(w.a(), text, &flags));
    CHECK_FALSE(flags & (address_flag::deprecated | address_flag::permanent));
  }
  w.run(2 * kSecond);
  REQUIRE(has_address(w.a(), "fd00::50", &flags));
  CHECK(flags & address_flag::deprecated);
  w.run(10 * kSecond);
  CHECK_FALSE(has_address(w.a(), "10.0.0.50"));
  CHECK_FALSE(has_address(w.a(), "fd00::50"));
  CHECK(w.a().config().is_local(ip("10.0.0.1")));
}

TEST_CASE("igmp: memberships are told, queries answered") {
  World w;
  w.two();
  Host& h = w.a();
  const IpAddress group = ip("239.1.2.3");
  const auto reports = [&] { return igmp_of(w); };
  REQUIRE(h.config().join(h.link->index(), group));
  w.run(2 * kSecond);
  auto told = reports();
  REQUIRE(told.size() == 2);
  // To 224.0.0.22, router alert, one record: change to exclude nothing.
  CHECK(told[0].substr(0, 6) == hex("01005e000016"));
  CHECK(at(told[0], 22) == 1);
  CHECK(told[0].substr(34, 4) == hex("94040000"));
  CHECK(told[0].substr(38, 2) == hex("2200"));
  CHECK(told[0].substr(42, 12) == hex("0000 0001 04 00 0000 ef010203"));
  const auto ask = [&](const Bytes& query, const char* to) { igmp_query(h, query, to); };
  SECTION("a general query") {
    ask(hex("1164 0000 00000000 0000 0000"), "224.0.0.1");
    w.run(11 * kSecond);
    told = reports();
    REQUIRE(told.size() == 1);
    CHECK(told[0].substr(42, 12) == hex("0000 0001 02 00 0000 ef010203"));
  }
  SECTION("of another group, and broken ones") {
    ask(hex("1164 0000 ef010204 0000 0000"), "239.1.2.4");
    ask(hex("1164 0000 00000000 0000"), "224.0.0.1");
    h.take(ether(MacAddress::of_group(ip("224.0.0.1")), mac(9), ether_type::ipv4,
                 ipv4(ip("10.0.0.9"), ip("224.0.0.1"), 2, hex("1164 1234 00000000 0000 0000"), 1)));
    w.run(11 * kSecond);
    CHECK(reports().empty());
  }
  SECTION("an older router") {
    ask(hex("1164 0000 00000000"), "224.0.0.1");
    CHECK(h.link->reports().version(false) == 2);
    w.run(11 * kSecond);
    told = reports();
    REQUIRE(told.size() == 1);
    CHECK(told[0].substr(0, 6) == hex("01005e010203"));
    CHECK(told[0].substr(38, 1) == hex("16"));
    h.config().leave(h.link->index(), group);
    w.run(kSecond);
    told = reports();
    REQUIRE(told.size() == 1);
    CHECK(told[0].substr(0, 6) == hex("01005e000002"));
    CHECK(told[0].substr(38, 1) == hex("17"));
    run_for(401 * kSecond);
    CHECK(h.link->reports().version(false) == 3);
  }
  SECTION("left") {
    h.config().leave(h.link->index(), group);
    w.run(2 * kSecond);
    told = reports();
    REQUIRE(told.size() == 2);
    CHECK(told[0].substr(42, 12) == hex("0000 0001 03 00 0000 ef010203"));
  }
}

TEST_CASE("mld: memberships are told, queries answered") {
  World w;
  w.two();
  Host& h = w.a();
  REQUIRE(h.config().join(h.link->index(), ip("ff05::123")));
  w.run(2 * kSecond);
  const auto told = of_type(w.sent(0), 143);
  REQUIRE(told.size() == 2);
  CHECK(told[0].substr(24, 16) == v6("ff02::16"));
  CHECK(at(told[0], 7) == 1);
  CHECK(told[0].substr(40, 8) == hex("3a00 05020000 0100"));
  CHECK(told[0].substr(48 + 4, 8) == hex("0000 0001 04000000"));
  CHECK(told[0].substr(48 + 12, 16) == v6("ff05::123"));
  const auto ask = [&](const Bytes& query, const char* from, uint8_t hops) {
    h.take(ether(MacAddress::of_group(kAllNodes), mac(9), ether_type::ipv6,
                 icmp6(ip(from), kAllNodes, query, hops)));
    w.run(2 * kSecond);
    return w.sent(0);
  };
  const Bytes query2 = hex("8200 0000 03e8 0000") + v6("::") + hex("0000 0000");
  CHECK(of_type(ask(query2, "fe80::9", 255), 143).empty());
  CHECK(of_type(ask(query2, "fd00::9", 1), 143).empty());
  // The group, and the solicited node of both addresses.
  CHECK(of_type(ask(query2, "fe80::9", 1), 143).size() == 2);
  CHECK(of_type(ask(query2.substr(0, 24), "fe80::9", 1), 131).size() == 2);
}

TEST_CASE("multicast: to others, to ourselves, from others") {
  World w;
  w.two();
  Sock from(w.a(), family_number::inet, kDgram), here(w.a(), family_number::inet, kDgram),
      there(w.b(), family_number::inet, kDgram);
  const IpAddress group = ip("239.1.2.3");
  REQUIRE(here.bind(kAnyV4, 7000) == Errno{});
  REQUIRE(there.bind(kAnyV4, 7000) == Errno{});
  REQUIRE(from.bind(ip("10.0.0.1"), 0) == Errno{});
  REQUIRE(from.send_to(group, 7000, "nobody") == Errno{});
  w.pump();
  CHECK(here.receive() == "");
  CHECK(there.receive() == "");
  REQUIRE(w.a().config().join(w.a().link->index(), group));
  REQUIRE(w.b().config().join(w.b().link->index(), group));
  w.log.clear();
  REQUIRE(from.send_to(group, 7000, "all") == Errno{});
  CHECK(w.log.at(0).bytes.substr(0, 6) == hex("01005e010203"));
  w.pump();
  CHECK(here.receive() == "all");
  CHECK(there.receive() == "all");
  // Broadcasts want leave to be sent.
  CHECK(from.send_to(ip("10.0.0.255"), 7000, "b") == Errno::acces);
  from->options.set(option_bit::broadcast, true);
  CHECK(from.send_to(ip("10.0.0.255"), 7000, "b") == Errno{});
  w.pump();
  CHECK(here.receive() == "b");
  CHECK(there.receive() == "b");
  // Echo requests to all are not answered.
  w.log.clear();
  w.b().take(ether(kBroadcastMac, mac(1), ether_type::ipv4,
                   ipv4(ip("10.0.0.1"), ip("10.0.0.255"), 1, hex("0800 f7ff 0000 0000"))));
  w.b().take(ether(mac(2), mac(1), ether_type::ipv4,
                   ipv4(ip("10.0.0.1"), ip("10.0.0.2"), 1, hex("0800 f7ff 0000 0000"))));
  w.pump();
  CHECK(w.sent(1, ether_type::ipv4).size() == 1);
}
