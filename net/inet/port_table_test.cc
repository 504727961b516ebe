#include "net/inet/port_table.h"

#include <deque>

#include "net/inet/inet_settings.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::net;

namespace {

struct Entry final : PortEntry {
  bool entry_try_ref() override { return ++refs, true; }
  void entry_unref() override { --refs; }
  bool entry_gives_way(const PortKey&, bool chosen) override { return old && !(chosen && young); }
  void entry_follows(PortEntry& other) override { followed = &other; }
  int refs = 0;
  bool old = false, young = false;
  PortEntry* followed = nullptr;
  Options options;
};

struct Fixture {
  explicit Fixture(PortTable::Kind kind) : table(kind, settings) {}
  ~Fixture() {
    for (Entry& e : entries) table.remove(e);
  }
  Entry& fresh(uint32_t bits = 0) {
    Entry& e = entries.emplace_back();
    e.options.set(bits, true);
    return e;
  }
  Result<uint16_t> bind(Entry& e, const IpAddress& a, uint16_t port, bool v6 = false, bool only = false,
                        uint32_t uid = 0) {
    return table.bind(e, {v6, only, 0, uid, &e.options}, a, port);
  }
  bool refused(const IpAddress& a, uint16_t port, uint32_t bits = 0, bool v6 = false, bool only = false) {
    Result<uint16_t> r = bind(fresh(bits), a, port, v6, only);
    if (!r) CHECK(r.error() == Errno::addrinuse);
    return !r;
  }
  InetSettings settings;
  PortTable table;
  std::deque<Entry> entries;
};

constexpr IpAddress kOne = IpAddress::v4(0x7f000001), kTwo = IpAddress::v4(0x7f000002);

}  // namespace

TEST_CASE("Who has a port is in the way of whom") {
  Fixture f(PortTable::Kind::datagram);
  REQUIRE(f.bind(f.fresh(), kOne, 100).value() == 100);
  CHECK(f.refused(kOne, 100));
  CHECK(f.refused(kAnyV4, 100));
  CHECK(f.refused(kAnyV6, 100, 0, true));
  CHECK_FALSE(f.refused(kAnyV6, 100, 0, true, true));
  CHECK_FALSE(f.refused(kTwo, 100));
  CHECK_FALSE(f.refused(kOne, 101));
  CHECK(f.refused(kOne, 100, option_bit::reuseaddr));
  REQUIRE(f.bind(f.fresh(option_bit::reuseaddr), kOne, 102));
  CHECK_FALSE(f.refused(kOne, 102, option_bit::reuseaddr));
  CHECK(f.refused(kOne, 102, option_bit::reuseport));
  Entry& mine = f.fresh(option_bit::reuseport);
  REQUIRE(f.bind(mine, kOne, 103, false, false, 7));
  CHECK(f.refused(kOne, 103, option_bit::reuseport));  // another user's
  CHECK(f.bind(f.fresh(option_bit::reuseport), kOne, 103, false, false, 7));
}

TEST_CASE("A listener does not share its address by SO_REUSEADDR") {
  Fixture f(PortTable::Kind::stream);
  Entry &a = f.fresh(option_bit::reuseaddr), &b = f.fresh(option_bit::reuseaddr);
  REQUIRE(f.bind(a, kAnyV4, 80));
  REQUIRE(f.bind(b, kOne, 80));
  REQUIRE(f.table.listen(a));
  CHECK(f.table.listen(b).error() == Errno::addrinuse);
  CHECK(f.refused(kOne, 80, option_bit::reuseaddr));
  f.table.unlisten(a);
  CHECK(f.table.listen(b));
}

TEST_CASE("The best receiver") {
  Fixture f(PortTable::Kind::datagram);
  Entry &any6 = f.fresh(), &any4 = f.fresh(option_bit::reuseaddr), &one = f.fresh(option_bit::reuseaddr),
        &peer = f.fresh(option_bit::reuseaddr);
  REQUIRE(f.bind(any6, kAnyV6, 53, true, true));
  REQUIRE(f.bind(any4, kAnyV4, 53));
  REQUIRE(f.bind(one, kOne, 53));
  REQUIRE(f.bind(peer, kOne, 53));
  REQUIRE(f.table.connect(peer, {false, false, 0, 0, &peer.options}, kOne, kTwo, 9));
  auto found = [&](const IpAddress& to, const IpAddress& from, uint16_t port) {
    PortRef r = f.table.find_receiver({to, from, 53, port, 1});
    return r ? &*r : nullptr;
  };
  CHECK(found(kTwo, kOne, 1) == &any4);
  CHECK(found(kOne, kOne, 1) == &one);
  CHECK(found(kOne, kTwo, 9) == &peer);
  CHECK(found(kOne, kTwo, 8) == &one);
  CHECK(found(kLoopbackV6, kLoopbackV6, 1) == &any6);
  f.table.remove(any6);
  CHECK(found(kLoopbackV6, kLoopbackV6, 1) == nullptr);
  for (Entry& e : f.entries) CHECK(e.refs == 0);
}

TEST_CASE("Connections share ports that were chosen for them, and nothing else") {
  Fixture f(PortTable::Kind::stream);
  f.settings.port_low = 40000;
  f.settings.port_high = 40001;
  auto connect = [&](Entry& e, const IpAddress& to, uint16_t port) {
    return f.table.connect(e, {false, false, 0, 0, &e.options}, kOne, to, port);
  };
  Entry &a = f.fresh(), &b = f.fresh(), &c = f.fresh(), &d = f.fresh();
  REQUIRE(connect(a, kTwo, 80));
  REQUIRE(connect(b, kTwo, 80));
  CHECK(connect(c, kTwo, 80).error() == Errno::addrnotavail);
  CHECK(connect(c, kTwo, 81));
  CHECK(f.refused(kOne, 40000));
  // One whose time is over makes way.
  a.old = true;
  CHECK(connect(d, kTwo, 80));
  const uint16_t port = 0;
  CHECK(f.refused(kOne, port));  // both are in use
}

TEST_CASE("Children of a listener keep its port from others") {
  Fixture f(PortTable::Kind::stream);
  Entry &listener = f.fresh(), &child = f.fresh(), &rest = f.fresh();
  REQUIRE(f.bind(listener, kAnyV4, 80));
  REQUIRE(f.table.listen(listener));
  const PortKey key{kOne, kTwo, 80, 5000, 0};
  REQUIRE(f.table.add_connected(child, {false, false, 0, 0, &child.options}, key));
  CHECK(f.table.add_connected(f.fresh(), {}, key).error() == Errno::addrinuse);
  CHECK(&*f.table.find_connected(key) == &child);
  CHECK(&*f.table.find_receiver(key) == &listener);
  f.table.remove(listener);
  CHECK(f.refused(kAnyV4, 80));
  CHECK(f.refused(kAnyV4, 80, option_bit::reuseaddr));
  // What is left of it inherits what it had.
  child.options.set(option_bit::reuseaddr, true);
  REQUIRE(f.table.add_connected(rest, {}, key, &child));
  CHECK(&*f.table.find_connected(key) == &rest);
  CHECK(f.refused(kAnyV4, 80));
  CHECK_FALSE(f.refused(kAnyV4, 80, option_bit::reuseaddr));
}

TEST_CASE("A thousand entries are found again") {
  Fixture f(PortTable::Kind::stream);
  for (uint16_t i = 1; i <= 1000; ++i) {
    Entry& e = f.fresh();
    REQUIRE(f.table.add_connected(e, {false, false, 0, 0, &e.options}, {kOne, kTwo, 80, i, 0}));
  }
  CHECK(f.table.count() == 1000);
  for (uint16_t i = 1; i <= 1000; ++i)
    CHECK(&*f.table.find_connected({kOne, kTwo, 80, i, 0}) == &f.entries[i - 1u]);
  CHECK_FALSE(f.table.find_connected({kOne, kTwo, 80, 1001, 0}));
}

TEST_CASE("A connection that cannot be leaves its socket as it was") {
  Fixture f(PortTable::Kind::stream);
  Entry &first = f.fresh(), &second = f.fresh(option_bit::reuseaddr);
  auto connect = [&](Entry& e) {
    return f.table.connect(e, {false, false, 0, 0, &e.options}, kOne, kTwo, 80);
  };
  f.settings.port_low.store(4000);
  f.settings.port_high.store(4000);
  REQUIRE(connect(first).value() == 4000);
  // Bound to all addresses, at the port of a connection that it cannot have.
  first.options.set(option_bit::reuseaddr, true);
  REQUIRE(f.bind(second, kAnyV4, 4000).value() == 4000);
  CHECK(connect(second).error() == Errno::addrnotavail);
  Entry& third = f.fresh();
  CHECK(f.bind(third, IpAddress::v4(0x7f000009), 4000).error() == Errno::addrinuse);
  // What is left of a connection gives way to who asked for the port, and later to who did not.
  first.old = first.young = true;
  Entry& fourth = f.fresh();
  f.table.remove(second);
  CHECK(connect(fourth).error() == Errno::addrnotavail);
  CHECK(fourth.followed == nullptr);
  first.young = false;
  CHECK(connect(fourth).value() == 4000);
  CHECK(fourth.followed == &first);
}
