// Frames that nobody well-meaning sends: cut short at every byte, bytes changed, pure noise. Nothing may fall
// over, be kept for ever, or be sent without bound.
#include "net/inet/testing/link_world.h"

using namespace runsc;
using namespace runsc::net;
using namespace runsc::net::testing;

namespace {

class Chance {
 public:
  explicit Chance(uint64_t seed) : state_(seed | 1) {}
  uint32_t operator()(uint32_t below) {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return static_cast<uint32_t>((state_ >> 16) % below);
  }

 private:
  uint64_t state_;
};

// One good frame of each kind, all for host a.
std::vector<Bytes> good_frames() {
  const IpAddress a4 = ip("10.0.0.1"), b4 = ip("10.0.0.2"), a6 = ip("fd00::1"), b6 = ip("fd00::2");
  const auto v4 = [&](const Bytes& p) { return ether(mac(1), mac(2), ether_type::ipv4, p); };
  const auto v6 = [&](const Bytes& p) { return ether(mac(1), mac(2), ether_type::ipv6, p); };
  const Bytes ns = hex("87 00 0000 00000000 fd000000000000000000000000000001") + mac_option(1, mac(2));
  const Bytes na = hex("88 00 0000 60000000 fd000000000000000000000000000002") + mac_option(2, mac(2));
  const Bytes ra =
      hex("86 00 0000 40 00 0708 00000000 00000000") + mac_option(1, mac(9)) +
      hex("05 01 0000 00000514 03 04 40c0 00015180 00003840 00000000 20010db8000100000000000000000000");
  const Bytes redirect =
      hex("89 00 0000 00000000 fe800000000000000000000000000077 20010db8000000000000000000000005") +
      mac_option(2, mac(0x77));
  const Bytes tcp =
      hex("1f90 0050 00000001 00000000 a002 faf0 0000 0000 020405b4 0402080a 00000001 00000000 01030307");
  const Bytes chain = hex("2b 00 0502 0000 0100 2c 00 0000 00000000 3a 00 0001 00000007") +
                      hex("8000 0000 0001 0001") + Bytes(40, 'e');
  Bytes error = hex("03 03 0000 00000000") + ipv4(a4, b4, 17, hex("1b58 1b59 0008 0000"));
  return {
      ether(kBroadcastMac, mac(2), ether_type::arp, arp(1, mac(2), b4, {}, a4)),
      ether(mac(1), mac(2), ether_type::arp, arp(2, mac(2), b4, mac(1), a4)),
      v4(udp4(b4, a4, 5, 7000, "hello")),
      v4(ipv4(b4, a4, 6, tcp)),
      v4(ipv4(b4, a4, 1, hex("0800 f7ff 0000 0000") + Bytes(100, 'p'))),
      v4(ipv4(b4, a4, 1, error)),
      v4(ipv4(b4, ip("224.0.0.1"), 2, hex("1164 ee9b 00000000 0000 0000"), 1)),
      v6(icmp6(b6, a6, ns)),
      v6(icmp6(b6, a6, na)),
      v6(icmp6(ip("fe80::99"), kAllNodes, ra)),
      v6(icmp6(ip("fe80::99"), a6, redirect)),
      v6(icmp6(ip("fe80::9"), kAllNodes, hex("8200 0000 03e8 0000") + Bytes(16, '\0') + hex("0000 0000"), 1)),
      v6(ipv6(b6, a6, 0, chain, -1)),
      v6(icmp6(b6, a6, hex("02 00 0000 00000500") + ipv6(a6, b6, 17, hex("1b58 1b59 0008 0000"), 6)))};
}

// Sums that are right let the mutated through to what reads them.
void mend_sums(Bytes& f) {
  if (f.size() < 34 || at(f, 12) != 8 || at(f, 13) != 0) return;
  const size_t header = (at(f, 14) & 15) * 4;
  if (header < 20 || 14 + header > f.size()) return;
  f[24] = f[25] = 0;
  const uint16_t sum = checksum_of(std::as_bytes(std::span(f).subspan(14, header)));
  memcpy(f.data() + 24, &sum, 2);
}
void mend_icmp6(Bytes& f) {
  if (f.size() < 58 || at(f, 12) != 0x86 || at(f, 20) != 58) return;
  const size_t payload = std::min<size_t>(at(f, 18) << 8 | at(f, 19), f.size() - 54);
  if (payload < 4) return;
  f[56] = f[57] = 0;
  ChecksumSum sum;
  sum.add_pseudo_header(IpAddress::from_v6(f.data() + 22), IpAddress::from_v6(f.data() + 38), 58,
                        static_cast<uint32_t>(payload));
  sum.add(std::as_bytes(std::span(f).subspan(54, payload)));
  const uint16_t value = sum.checksum();
  memcpy(f.data() + 56, &value, 2);
}

void bounded(World& w) {
  Vec<NeighbourRow> rows;
  Vec<RouteEntry> routes;
  Vec<InterfaceAddress> addresses;
  REQUIRE(w.a().link->neighbours()->list(rows));
  REQUIRE(w.a().config().list_routes(routes));
  REQUIRE(w.a().config().list_addresses(*w.a().link, addresses));
  CHECK(rows.size() <= Neighbours::kMost);
  CHECK(routes.size() <= 200);
  CHECK(addresses.size() <= 20);
}

}  // namespace

TEST_CASE("hostile: good frames cut short") {
  World w;
  w.two();
  for (const Bytes& whole : good_frames())
    for (size_t n = 0; n <= whole.size(); ++n) {
      w.a().take(whole.substr(0, n));
      w.flying.clear();
    }
  w.run(10 * kSecond);
  bounded(w);
}

TEST_CASE("hostile: a million frames of chance") {
  World w;
  w.two();
  Sock udp(w.a(), family_number::inet, socket_type::dgram),
      tcp(w.a(), family_number::inet6, socket_type::stream);
  REQUIRE(udp.bind(kAnyV4, 7000) == Errno{});
  REQUIRE(tcp.bind(kAnyV6, 80) == Errno{});
  REQUIRE(tcp->listen(w.caller(), 16));
  const std::vector<Bytes> good = good_frames();
  Chance chance(GENERATE(1u, 77u));
  for (int i = 0; i < 500'000; ++i) {
    Bytes f = good[chance(static_cast<uint32_t>(good.size()))];
    if (chance(16) == 0) {  // noise behind a header that lets it in
      f.resize(14 + chance(200));
      for (size_t k = 14; k < f.size(); ++k) f[k] = static_cast<char>(chance(256));
    } else {
      for (uint32_t changes = 1 + chance(4); changes > 0; --changes) {
        const size_t k = 12 + chance(static_cast<uint32_t>(f.size() - 12));
        f[k] = static_cast<char>(chance(2) ? chance(256) : at(f, k) ^ (1u << chance(8)));
      }
      if (chance(8) == 0) f.resize(chance(static_cast<uint32_t>(f.size())));
      if (chance(8) == 0) f += Bytes(chance(100), static_cast<char>(chance(256)));
    }
    if (chance(4)) mend_sums(f), mend_icmp6(f);
    w.a().take(f);
    w.flying.clear();
    w.log.clear();
    if (i % 4096 == 0) {
      run_for(100 * kMs);
      (void)udp.receive();
    }
  }
  bounded(w);
  run_for(300 * kSecond);
  w.flying.clear();
  // It still works.
  CHECK(w.a().config().is_local(ip("10.0.0.1")));
  while (!udp.receive().empty()) {
  }
  w.a().take(ether(mac(1), mac(2), ether_type::ipv4, udp4(ip("10.0.0.2"), ip("10.0.0.1"), 5, 7000, "alive")));
  CHECK(udp.receive() == "alive");
}
