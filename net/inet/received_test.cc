// Who pays for what comes from outside, and how much of it there may be.
#include "kvm/arch/paid_by.h"
#include "net/inet/testing/link_world.h"

namespace runsc::net {
namespace {

using namespace testing;

constexpr int kInet = 2, kStream = 1, kDgram = 2, kPacket = 17, kRaw = 3;
constexpr AccountId kOwner = 5;
constexpr uint64_t kMilli = 1'000'000;

int64_t paid_for(AccountId id = kOwner) {
  account_flush(arch::cpu_local().stock);
  return g_accounts[id].bytes.load();
}

// An account that pays for nothing yet.
struct Limit {
  explicit Limit(int64_t bytes) {
    account_flush(arch::cpu_local().stock);
    g_accounts[kOwner].bytes = 0;
    g_accounts[kOwner].shortages = 0;
    g_accounts[kOwner].set_limit(bytes);
  }
  ~Limit() { g_accounts[kOwner].set_limit(Account::kUnlimited); }
};

std::unique_ptr<Sock> owned(Host& host, int domain, int type, int protocol = 0) {
  const PaidBy pays(kOwner);
  return std::make_unique<Sock>(host, domain, type, protocol);
}

Bytes datagram(uint16_t port, size_t size) {
  return ether(mac(2), mac(1), ether_type::ipv4,
               udp4(ip("10.0.0.1"), ip("10.0.0.2"), 1000, port, std::string(size, 'x')));
}

}  // namespace

TEST_CASE("received: datagrams are the owner's to pay for, until they are read or the socket is closed") {
  World w;
  w.two();
  const Limit limit(64 << 20);
  auto sock = owned(w.b(), kInet, kDgram);
  REQUIRE(sock->bind(kAnyV4, 53) == Errno{});
  const int64_t before = paid_for();
  for (int i = 0; i < 20; ++i) w.b().take(datagram(53, 1000));
  CHECK(paid_for() - before >= 20 * 1000);
  CHECK(paid_for() - before <= 20 * 4096);
  for (int i = 0; i < 10; ++i) CHECK(sock->receive().size() == 1000);
  CHECK(paid_for() - before <= 10 * 4096);
  CHECK(paid_for() - before >= 10 * 1000);
  sock.reset();
  CHECK(paid_for() <= before);
}

TEST_CASE("received: thousands of sockets keep no more than their owner may, and nobody is short of memory") {
  World w;
  w.two();
  constexpr int kSockets = 1000;
  constexpr int64_t kLimit = 8 << 20;
  const Limit limit(kLimit);
  std::vector<std::unique_ptr<Sock>> socks;
  for (int i = 0; i < kSockets; ++i) {
    socks.push_back(owned(w.b(), kInet, kDgram));
    REQUIRE(socks.back()->bind(kAnyV4, static_cast<uint16_t>(2000 + i)) == Errno{});
  }
  for (int round = 0; round < 40; ++round)
    for (int i = 0; i < kSockets; ++i) w.b().take(datagram(static_cast<uint16_t>(2000 + i), 1400));
  CHECK(paid_for() > kLimit / 2);
  CHECK(paid_for() < kLimit);
  CHECK(g_accounts[kOwner].shortages.load() == 0);
  CHECK(w.b().stack().counters.get(Mib::udp_receive_buffer, false) > 30000);
  // One that has nothing yet gets something still.
  auto fresh = owned(w.b(), kInet, kDgram);
  REQUIRE(fresh->bind(kAnyV4, 53) == Errno{});
  w.b().take(datagram(53, 100));
  CHECK(fresh->receive().size() == 100);
  socks.clear();
  CHECK(paid_for() < 1 << 20);
}

TEST_CASE("received: what packet sockets keep") {
  World w;
  w.two();
  const Limit limit(4 << 20);
  auto sock = owned(w.b(), kPacket, kRaw, 0x0300);
  const int64_t before = paid_for();
  for (int i = 0; i < 20; ++i) w.b().take(datagram(9, 1000));
  CHECK(paid_for() - before >= 20 * 1000);
  while (!sock->receive().empty()) continue;
  CHECK(paid_for() - before < 4096);
}

TEST_CASE("received: data of connections that nobody has accepted are the listener's owner's") {
  World w;
  w.two();
  const Limit limit(64 << 20);
  auto listener = owned(w.b(), kInet, kStream);
  REQUIRE(listener->bind(kAnyV4, 80) == Errno{});
  REQUIRE(listener->endpoint->listen(w.caller(), 100));
  std::vector<std::unique_ptr<Sock>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<Sock>(w.a(), kInet, kStream));
    CHECK(clients.back()->connect(ip("10.0.0.2"), 80) == Errno::inprogress);
    w.run(10 * kMilli);
  }
  const int64_t connected = paid_for();
  for (auto& client : clients) CHECK(client->send(std::string(10000, 'd')) == Errno{});
  w.run(200 * kMilli);
  CHECK(paid_for() - connected >= 50 * 10000);
  for (int i = 0; i < 50; ++i) {
    auto server = listener->accept();
    REQUIRE(server);
    CHECK(server->receive().size() == 10000);
  }
  CHECK(paid_for() - connected < 50 * 5000);
  listener.reset();
}

TEST_CASE("received: a stream whose owner has no room waits, and goes on when there is some") {
  World w;
  w.two();
  constexpr int64_t kLimit = 4 << 20;
  const Limit limit(kLimit);
  auto listener = owned(w.b(), kInet, kStream);
  REQUIRE(listener->bind(kAnyV4, 80) == Errno{});
  REQUIRE(listener->endpoint->listen(w.caller(), 100));
  Sock client(w.a(), kInet, kStream);
  CHECK(client.connect(ip("10.0.0.2"), 80) == Errno::inprogress);
  w.run(10 * kMilli);
  auto server = listener->accept();
  REQUIRE(server);
  // Somebody else of the container has taken nearly all.
  const int64_t taken = kLimit - paid_for() - 1000;
  account_add(arch::cpu_local().stock, kOwner, taken);
  account_flush(arch::cpu_local().stock);
  size_t sent = 0;
  for (int i = 0; i < 20; ++i) {
    if (client.send(std::string(8000, 'd')) == Errno{}) sent += 8000;
    w.run(100 * kMilli);
  }
  CHECK(sent >= 16000);
  CHECK(sent <= 80000);
  const size_t some = server->receive().size();
  CHECK(some < sent);
  CHECK(paid_for() <= kLimit);
  CHECK(g_accounts[kOwner].shortages.load() == 0);
  account_add(arch::cpu_local().stock, kOwner, -taken);
  size_t got = some;
  for (int i = 0; i < 1000 && got < sent; ++i) {
    w.run(100 * kMilli);
    got += server->receive().size();
  }
  CHECK(got >= sent);  // the last piece fits in part only
}

}  // namespace runsc::net
