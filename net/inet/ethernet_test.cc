// Frames, ARP and neighbours of an Ethernet (RFC 826, 894, 5227).
#include "net/inet/packet_endpoint.h"
#include "net/inet/testing/link_world.h"

using namespace runsc;
using namespace runsc::net;
using namespace runsc::net::testing;

namespace {
constexpr uint16_t kArp = ether_type::arp, kIpv4 = ether_type::ipv4;
constexpr int kInet = family_number::inet, kInet6 = family_number::inet6;
constexpr int kDgram = socket_type::dgram, kStream = socket_type::stream;

std::vector<Bytes> arps(const std::vector<Frame>& frames) {
  std::vector<Bytes> out;
  for (const Frame& f : frames)
    if (at(f.bytes, 12) == 8 && at(f.bytes, 13) == 6) out.push_back(f.bytes.substr(0, 42));
  return out;
}
bool register_packet() {
  static const bool once = (register_family(family_number::packet, create_packet), true);
  return once;
}
}  // namespace

TEST_CASE("ethernet: a datagram waits for the answer to an ARP request") {
  World w;
  w.two();
  Sock from(w.a(), kInet, kDgram), to(w.b(), kInet, kDgram);
  REQUIRE(to.bind(kAnyV4, 7000) == Errno{});
  REQUIRE(from.send_to(ip("10.0.0.2"), 7000, "one") == Errno{});
  REQUIRE(from.send_to(ip("10.0.0.2"), 7000, "two") == Errno{});
  CHECK(w.a().neighbour(ip("10.0.0.2")) == "incomplete");
  std::vector<Frame> asked = w.sent(0);
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].bytes.substr(0, 42) ==
        ether(kBroadcastMac, mac(1), kArp, arp(1, mac(1), ip("10.0.0.1"), {}, ip("10.0.0.2"))));
  w.pump();
  CHECK(to.receive() == "one");
  CHECK(to.receive() == "two");
  CHECK(w.a().neighbour(ip("10.0.0.2")) == "reachable 2");
  // Whoever was asked knows who asked.
  CHECK(w.b().neighbour(ip("10.0.0.1")) == "stale 1");
  CHECK(arps(w.log) == std::vector<Bytes>{ether(mac(1), mac(2), kArp,
                                                arp(2, mac(2), ip("10.0.0.2"), mac(1), ip("10.0.0.1")))});
}

TEST_CASE("ethernet: nobody answers") {
  World w;
  w.two();
  Sock from(w.a(), kInet, kDgram), stream(w.a(), kInet, kStream);
  REQUIRE(from.connect(ip("10.0.0.9"), 7000) == Errno{});
  CHECK(from.send("lost") == Errno{});
  CHECK(stream.connect(ip("10.0.0.9"), 80) == Errno::inprogress);
  w.run(2900 * kMs);
  CHECK(from.error() == Errno{});
  CHECK(arps(w.sent(0)).size() == 3);
  w.run(200 * kMs);
  CHECK(w.a().neighbour(ip("10.0.0.9")) == "failed");
  // Without IP_RECVERR a datagram socket hears nothing of what may pass.
  CHECK(from.error() == Errno{});
  CHECK(stream.error() == Errno::hostunreach);
  // The next one asks anew.
  CHECK(from.send("again") == Errno{});
  CHECK(arps(w.sent(0)).size() == 1);
}

TEST_CASE("ethernet: what waits for an answer is bounded") {
  World w;
  w.two();
  w.drop = [](const Frame&) { return true; };
  Sock from(w.a(), kInet, kDgram);
  const int32_t most = 1 << 24;
  from->options.send_buffer = most;
  for (int i = 0; i < 500; ++i)
    REQUIRE(from.send_to(ip("10.0.0.2"), 7000, std::string(1000, 'x')) == Errno{});
  w.pump();
  w.log.clear();
  w.drop = nullptr;
  for (auto& h : w.hosts)
    h->take(ether(mac(1), mac(2), kArp, arp(2, mac(2), ip("10.0.0.2"), mac(1), ip("10.0.0.1"))));
  const size_t held = w.sent(0, kIpv4).size();
  CHECK(held > 50);
  CHECK(held <= 212992 / 1300);
  CHECK(w.a().link->sent.dropped == 500 - held);
}

TEST_CASE("ethernet: entries grow old, are asked again and confirmed") {
  World w;
  w.two();
  Sock from(w.a(), kInet, kDgram), to(w.b(), kInet, kDgram);
  REQUIRE(to.bind(kAnyV4, 7000) == Errno{});
  REQUIRE(from.send_to(ip("10.0.0.2"), 7000, "x") == Errno{});
  w.pump();
  w.run(50 * kSecond);  // reachable time is 15 to 45 s
  CHECK(w.a().neighbour(ip("10.0.0.2")) == "stale 2");
  w.log.clear();
  REQUIRE(from.send_to(ip("10.0.0.2"), 7000, "x") == Errno{});
  CHECK(w.a().neighbour(ip("10.0.0.2")) == "delay 2");
  CHECK(w.sent(0, kIpv4).size() == 1);
  SECTION("by an answer") {
    w.run(5100 * kMs);
    // To the station alone.
    const auto asked = arps(w.sent(0));
    REQUIRE(asked.size() == 1);
    CHECK(MacAddress::from(asked[0].data()) == mac(2));
    CHECK(w.a().neighbour(ip("10.0.0.2")) == "reachable 2");
  }
  SECTION("by a transport") {
    REQUIRE(from.send_to(ip("10.0.0.2"), 7000, "x", msg_flag::confirm) == Errno{});
    w.run(5100 * kMs);
    CHECK(arps(w.sent(0)).empty());
    CHECK(w.a().neighbour(ip("10.0.0.2")) == "reachable 2");
  }
  SECTION("not at all") {
    w.drop = [](const Frame& f) { return f.from == 1; };
    w.run(5100 * kMs);
    CHECK(w.a().neighbour(ip("10.0.0.2")) == "probe 2");
    w.run(3 * kSecond);
    CHECK(w.a().neighbour(ip("10.0.0.2")) == "failed");
  }
}

TEST_CASE("ethernet: ARP that nobody has asked for") {
  World w;
  w.two();
  const auto say = [&](uint16_t op, const MacAddress& from, const char* sender, const char* target,
                       const MacAddress& to = kBroadcastMac) {
    w.a().take(ether(to, from, kArp, arp(op, from, ip(sender), mac(1), ip(target))));
  };
  // Of strangers nothing is kept.
  say(1, mac(9), "10.0.0.9", "10.0.0.9");
  say(2, mac(9), "10.0.0.9", "10.0.0.9");
  say(2, mac(9), "10.0.0.9", "10.0.0.1", mac(1));
  CHECK(w.a().neighbour(ip("10.0.0.9")) == "");
  Sock from(w.a(), kInet, kDgram);
  REQUIRE(from.send_to(ip("10.0.0.2"), 7000, "x") == Errno{});
  w.pump();
  REQUIRE(w.a().neighbour(ip("10.0.0.2")) == "reachable 2");
  // Whom we know may move, when he has stayed for a while, or says so to all.
  say(2, mac(7), "10.0.0.2", "10.0.0.1", mac(1));
  CHECK(w.a().neighbour(ip("10.0.0.2")) == "reachable 2");
  say(1, mac(8), "10.0.0.2", "10.0.0.2");
  CHECK(w.a().neighbour(ip("10.0.0.2")) == "stale 8");
  w.run(1100 * kMs);
  say(2, mac(7), "10.0.0.2", "10.0.0.1", mac(1));
  CHECK(w.a().neighbour(ip("10.0.0.2")) == "reachable 7");
  // Nobody takes an address of ours, or a group's, or is a group.
  w.log.clear();
  say(1, mac(9), "10.0.0.1", "10.0.0.1");
  say(1, mac(9), "224.0.0.1", "10.0.0.1");
  say(1, mac(9), "255.255.255.255", "10.0.0.1");
  say(1, mac(9), "127.0.0.1", "10.0.0.1");
  say(1, kBroadcastMac, "10.0.0.5", "10.0.0.1");
  say(1, MacAddress{{1, 0, 0x5e, 0, 0, 1}}, "10.0.0.5", "10.0.0.1");
  CHECK(w.log.empty());
  CHECK(w.a().neighbour(ip("10.0.0.5")) == "");
  // RFC 5227: a probe is answered, and nothing kept.
  say(1, mac(9), "0.0.0.0", "10.0.0.1");
  CHECK(arps(w.sent(0)).size() == 1);
  CHECK(w.a().neighbour(kAnyV4) == "");
  // Other hardware, other protocols, other sizes.
  Bytes strange = arp(1, mac(9), ip("10.0.0.6"), {}, ip("10.0.0.1"));
  for (const size_t byte : {1u, 2u, 4u, 5u, 7u}) {
    Bytes bad = strange;
    bad[byte] = 77;
    w.a().take(ether(kBroadcastMac, mac(9), kArp, bad));
  }
  CHECK(w.sent(0).empty());
  // To others: not ours.
  w.a().take(ether(mac(3), mac(9), kArp, strange));
  CHECK(w.sent(0).empty());
}

TEST_CASE("ethernet: the table is bounded") {
  World w;
  w.two();
  for (uint32_t i = 0; i < 3000; ++i) {
    const IpAddress who = IpAddress::v4(0x0a000000 | (i % 60000 + 100));
    w.a().take(ether(kBroadcastMac, mac(9), kArp, arp(1, mac(9), who, {}, ip("10.0.0.1"))));
  }
  Vec<NeighbourRow> rows;
  REQUIRE(w.a().link->neighbours()->list(rows));
  CHECK(rows.size() <= Neighbours::kMost);
  rows.clear();
  w.run(200 * kSecond);
  REQUIRE(w.a().link->neighbours()->list(rows));
  CHECK(rows.size() <= Neighbours::kKeep);
}

TEST_CASE("ethernet: padding goes, and what is cut short is nobody's") {
  World w;
  w.two();
  Sock to(w.a(), kInet, kDgram);
  REQUIRE(to.bind(kAnyV4, 7000) == Errno{});
  const Bytes good = ether(mac(1), mac(2), kIpv4, udp4(ip("10.0.0.2"), ip("10.0.0.1"), 5, 7000, "hello"));
  w.a().take(good + Bytes(20, '\7'));
  CHECK(to.receive() == "hello");
  for (size_t n = 0; n < good.size(); ++n) w.a().take(good.substr(0, n));
  CHECK(to.receive() == "");
  // For others, and of our own address.
  w.a().take(ether(mac(3), mac(2), kIpv4, good.substr(14)));
  w.a().take(ether(mac(1), mac(2), kIpv4, udp4(ip("10.0.0.1"), ip("10.0.0.1"), 5, 7000, "spoofed")));
  w.a().take(ether(mac(1), mac(2), kIpv4, udp4(ip("127.0.0.1"), ip("10.0.0.1"), 5, 7000, "spoofed")));
  w.a().take(ether(mac(1), mac(2), kIpv4, udp4(ip("10.0.0.2"), ip("127.0.0.1"), 5, 7000, "spoofed")));
  w.a().take(ether(mac(1), mac(2), kIpv4, udp4(ip("10.0.0.255"), ip("10.0.0.1"), 5, 7000, "spoofed")));
  w.a().take(ether(mac(1), mac(2), kIpv4, udp4(ip("10.0.0.2"), ip("10.0.0.77"), 5, 7000, "not forwarded")));
  CHECK(to.receive() == "");
  w.pump();
  for (const Frame& f : w.sent(0)) CHECK(at(f.bytes, 13) == 6);
  // A tag that is a priority only, and one of a VLAN.
  const Bytes tagged = raw(mac(1).b, 6) + raw(mac(2).b, 6);
  w.a().take(tagged + hex("8100 e000") + good.substr(12));
  CHECK(to.receive() == "hello");
  w.a().take(tagged + hex("8100 e005") + good.substr(12));
  CHECK(to.receive() == "");
  // A wrong sum.
  Bytes wrong = good;
  wrong[14 + 20 + 8] ^= 1;
  w.a().take(wrong);
  CHECK(to.receive() == "");
}

TEST_CASE("ethernet: TCP over two stacks") {
  World w;
  w.two(GENERATE(1500u, 576u, 9000u));
  w.a().offload = GENERATE(true, false);
  const bool v6 = GENERATE(true, false) && w.a().link->mtu() >= 1280;
  const IpAddress there = v6 ? ip("fd00::2") : ip("10.0.0.2");
  Sock listener(w.b(), v6 ? kInet6 : kInet, kStream), client(w.a(), v6 ? kInet6 : kInet, kStream);
  REQUIRE(listener.bind(any_address(v6), 80) == Errno{});
  REQUIRE(listener->listen(w.caller(), 5));
  CHECK(client.connect(there, 80) == Errno::inprogress);
  w.run(10 * kMs);
  CHECK(client.error() == Errno{});
  auto server = listener.accept();
  REQUIRE(server);
  std::string sent, got;
  int lost = 0;
  w.drop = [&](const Frame&) { return ++lost % 37 == 0; };
  for (int i = 0; i < 400; ++i) {
    std::string piece(1000, static_cast<char>('a' + i % 26));
    if (client.send(piece) == Errno{}) sent += piece;
    w.run(10 * kMs);
    got += server->receive();
  }
  REQUIRE(client->shutdown(kSendShut));
  for (int i = 0; i < 2000 && got.size() < sent.size(); ++i) {
    w.run(10 * kMs);
    got += server->receive();
  }
  CHECK(sent.size() > 100000);
  CHECK(got == sent);
  for (const Frame& f : w.log) REQUIRE(f.bytes.size() <= 14 + w.a().link->mtu());
  CHECK(w.a().neighbour(there).substr(0, 9) == "reachable");
}

TEST_CASE("ethernet: by a gateway, and nothing forwarded") {
  World w;
  w.two();
  RouteEntry way;
  way.destination = way.source = kAnyV4;
  way.gateway = ip("10.0.0.2");
  way.interface = w.a().link->index();
  REQUIRE(w.a().config().add_route(way, false, true));
  // Another one with another metric is not the same.
  way.metric = 200;
  way.gateway = ip("10.0.0.3");
  REQUIRE(w.a().config().add_route(way, false, true));
  CHECK(w.a().config().add_route(way, false, true).error() == Errno::exist);
  Sock from(w.a(), kInet, kDgram);
  REQUIRE(from.send_to(ip("192.0.2.1"), 7000, "far") == Errno{});
  w.pump();
  const auto out = w.sent(0, kIpv4);
  REQUIRE(out.size() == 1);
  CHECK(MacAddress::from(out[0].bytes.data()) == mac(2));
  CHECK(out[0].bytes.substr(26, 8) == hex("0a000001 c0000201"));
  CHECK(w.a().neighbour(ip("192.0.2.1")) == "");
  CHECK(w.sent(1, kIpv4).empty());
  // Its ICMP says how large packets may be: of what we have sent, to whom we have sent it.
  Sock stream(w.a(), kInet, kStream);
  REQUIRE(stream.bind(ip("10.0.0.1"), 4000) == Errno{});
  CHECK(stream.connect(ip("192.0.2.1"), 80) == Errno::inprogress);
  const auto route_mtu = [&](const char* to) {
    return w.a().config().route({.destination = ip(to), .source = kAnyV4})->mtu;
  };
  const auto too_big = [&](const char* to, uint8_t protocol, const char* ports) {
    const Bytes quoted = ipv4(ip("10.0.0.1"), ip(to), protocol, hex(ports));
    Bytes icmp = hex("0304 0000 0000 0258") + quoted;
    const uint16_t sum = checksum_of(std::as_bytes(std::span(icmp)));
    memcpy(icmp.data() + 2, &sum, 2);
    w.a().take(ether(mac(1), mac(2), kIpv4, ipv4(ip("10.0.0.2"), ip("10.0.0.1"), 1, icmp)));
  };
  const auto syn = w.sent(0, kIpv4);
  REQUIRE(syn.size() == 1);
  too_big("192.0.2.9", 6, "0fa0 0050 00000000");
  CHECK(route_mtu("192.0.2.9") == 1500);
  too_big("192.0.2.1", 6, "0fa0 0051 00000000");
  CHECK(route_mtu("192.0.2.1") == 1500);
  Bytes icmp = hex("0304 0000 0000 0258") + syn[0].bytes.substr(14, 28);
  const uint16_t sum = checksum_of(std::as_bytes(std::span(icmp)));
  memcpy(icmp.data() + 2, &sum, 2);
  w.a().take(ether(mac(1), mac(2), kIpv4, ipv4(ip("10.0.0.2"), ip("10.0.0.1"), 1, icmp)));
  CHECK(route_mtu("192.0.2.1") == 600);
}

TEST_CASE("ethernet: sources that cannot be, as the settings have it") {
  World w;
  w.two();
  Sock to(w.a(), kInet, kDgram);
  REQUIRE(to.bind(kAnyV4, 7000) == Errno{});
  const auto from = [&](const char* source) {
    w.a().take(ether(mac(1), mac(2), kIpv4, udp4(ip(source), ip("10.0.0.1"), 5, 7000, "x")));
    return to.receive();
  };
  CHECK(from("10.0.0.1") == "");
  w.a().link->settings.accept_local = 1;
  CHECK(from("10.0.0.1") == "x");
  CHECK(from("198.51.100.1") == "x");
  w.a().stack().settings.all.rp_filter = 1;
  CHECK(from("198.51.100.1") == "");
  CHECK(from("10.0.0.77") == "x");
}

TEST_CASE("ethernet: packet sockets see frames as they are") {
  World w;
  w.two();
  constexpr int kPacket = family_number::packet;
  const int everything = __builtin_bswap16(ether_type::all);
  REQUIRE(register_packet());
  Sock raw_tap(w.a(), kPacket, socket_type::raw, everything), cooked(w.a(), kPacket, kDgram, everything);
  const Bytes frame = ether(mac(1), mac(2), kIpv4, udp4(ip("10.0.0.2"), ip("10.0.0.1"), 5, 7000, "hello"));
  w.a().take(frame + "padding");
  CHECK(raw_tap.receive() == frame + "padding");
  CHECK(cooked.receive() == frame.substr(14) + "padding");
  // The answer, that nobody is there, is seen going out, and so is the question before it.
  const Bytes asked = raw_tap.receive();
  CHECK(asked == ether(kBroadcastMac, mac(1), kArp, arp(1, mac(1), ip("10.0.0.1"), {}, ip("10.0.0.2"))));
  w.log.clear();
  // Others' frames: only for who wants to hear them.
  const Bytes others = ether(mac(7), mac(2), 0x1234, "others");
  w.a().take(others);
  while (!raw_tap.receive().empty()) {
  }
  w.a().take(others);
  CHECK(raw_tap.receive() == "");
  w.a().link->count_promiscuity(true);
  CHECK(w.a().promiscuous);
  w.a().take(others);
  CHECK(raw_tap.receive() == others);
  w.a().link->count_promiscuity(false);
  CHECK_FALSE(w.a().promiscuous);
  // A tag goes out of the frame into what is known of it.
  w.a().take(others.substr(0, 12).replace(0, 6, raw(mac(1).b, 6)) + hex("8100 0005 1234") + "tagged");
  CHECK(raw_tap.receive() == others.substr(0, 12).replace(0, 6, raw(mac(1).b, 6)) + hex("1234") + "tagged");
}
