// What a sender does about loss, closed windows and silence.
#include "net/tcp/testing/script.h"
// Last: CHECK is the test's.
#undef CHECK
#undef DCHECK
#include <catch2/catch.hpp>

using namespace runsc;
using namespace runsc::net::tcp;
using namespace runsc::net::tcp::testing;
using namespace runsc::net::tcp::flag;
using Lines = std::vector<std::string>;

namespace {
constexpr uint32_t kMss = 1000;
// Ten segments of 1000 bytes on their way, after a round trip of 10 ms.
void send_ten(Script& t, bool with_sack = true) {
  t.settings.route_mss = kMss;
  t.establish(kMss, with_sack);
  t.write(10 * kMss);
  CHECK(t.out.size() == 10);
  t.out.clear();
  t.now += 10 * kMs;
}
}  // namespace

TEST_CASE("tcp: the initial window, slow start", "[tcp]") {
  Script t;
  t.settings.route_mss = kMss;
  t.establish(kMss);
  t.write(40 * kMss);
  CHECK(t.out.size() == 10);
  t.out.clear();
  t.now += 10 * kMs;
  t.in(ack, 1, 1 + 2 * kMss);
  CHECK(t.out.size() == 4);
  CHECK(t.tcb().congestion.window() == 12 * kMss);
  CHECK(t.released == Script::kOurs + 1 + 2 * kMss);
}

TEST_CASE("tcp: a lost segment is found by selective acknowledgements", "[tcp]") {
  Script t;
  send_ten(t);
  t.write(10 * kMss);
  t.out.clear();
  t.in_sack(1, {{1 + kMss, 1 + 2 * kMss}});
  t.in_sack(1, {{1 + kMss, 1 + 3 * kMss}});
  t.out.clear();
  t.in_sack(1, {{1 + kMss, 1 + 4 * kMss}});
  REQUIRE_FALSE(t.out.empty());
  CHECK(t.next() == "P. 1:1001 ack 1");
  CHECK(t.tcb().phase == Phase::recovery);
  CHECK(t.tcb().congestion.threshold() == 7 * kMss);
  // All the rest has come: recovery ends when what was out at its start is acknowledged.
  t.now += 10 * kMs;
  t.in(ack, 1, t.tcb().snd_nxt - Script::kOurs);
  CHECK(t.tcb().phase == Phase::open);
  CHECK(t.tcb().congestion.window() == 7 * kMss);
}

TEST_CASE("tcp: several holes are filled without a timeout", "[tcp]") {
  Script t;
  send_ten(t);
  // 1, 4 and 7 are missing.
  t.in_sack(1, {{1 + kMss, 1 + 3 * kMss}});
  t.in_sack(1, {{1 + 4 * kMss, 1 + 6 * kMss}, {1 + kMss, 1 + 3 * kMss}});
  t.in_sack(1, {{1 + 7 * kMss, 1 + 10 * kMss}, {1 + 4 * kMss, 1 + 6 * kMss}, {1 + kMss, 1 + 3 * kMss}});
  Lines sent = t.all();
  CHECK(sent == Lines{"P. 1:1001 ack 1", "P. 3001:4001 ack 1", "P. 6001:7001 ack 1"});
  t.now += 10 * kMs;
  t.in_sack(1 + 3 * kMss, {{1 + 4 * kMss, 1 + 6 * kMss}, {1 + 7 * kMss, 1 + 10 * kMss}});
  t.in(ack, 1, 1 + 10 * kMss);
  CHECK(t.tcb().phase == Phase::open);
  CHECK(t.tcb().in_flight() == 0);
  CHECK(t.connection.deadline() == kNever);
}

TEST_CASE("tcp: reordering is waited for (RACK)", "[tcp]") {
  Script t;
  send_ten(t);
  t.in_sack(1, {{1 + kMss, 1 + 2 * kMss}});
  CHECK(t.out.empty());
  t.in(ack, 1, 1 + 2 * kMss);  // it was only late
  CHECK(t.out.empty());
  CHECK(t.tcb().sent.reordering_seen());
  CHECK(t.tcb().phase == Phase::open);
  // Now three later ones are not enough at once; a quarter of the round trip later they are.
  t.in_sack(1 + 2 * kMss, {{1 + 3 * kMss, 1 + 6 * kMss}});
  CHECK(t.out.empty());
  t.run(3 * kMs);
  CHECK(t.next() == "P. 2001:3001 ack 1");
}

TEST_CASE("tcp: NewReno, for a peer without selective acknowledgements", "[tcp]") {
  Script t;
  send_ten(t, false);
  t.in(ack, 1, 1);
  t.in(ack, 1, 1);
  CHECK(t.out.empty());
  t.in(ack, 1, 1);
  CHECK(t.next() == "P. 1:1001 ack 1");
  t.out.clear();
  for (int i = 0; i < 5; ++i) t.in(ack, 1, 1);
  t.out.clear();
  t.in(ack, 1, 1 + 4 * kMss);  // a partial acknowledgement shows the next hole
  REQUIRE_FALSE(t.out.empty());
  CHECK(t.next() == "P. 4001:5001 ack 1");
  t.in(ack, 1, t.tcb().snd_nxt - Script::kOurs);
  CHECK(t.tcb().phase == Phase::open);
}

TEST_CASE("tcp: a tail loss is probed for, then timed out", "[tcp]") {
  Script t;
  send_ten(t);
  t.now -= 10 * kMs;
  t.run(30 * kMs);
  CHECK(t.all() == Lines{"P. 9001:10001 ack 1"});  // two round trips later
  t.run(kSecond);
  Lines again = t.all();
  REQUIRE(again.size() >= 1);
  CHECK(again[0] == "P. 1:1001 ack 1");
  CHECK(t.tcb().phase == Phase::loss);
  // Slow start over what is lost.
  t.in(ack, 1, 1 + kMss);
  CHECK(t.all() == Lines{"P. 1001:2001 ack 1", "P. 2001:3001 ack 1"});
}

TEST_CASE("tcp: timeouts back off and end the connection", "[tcp]") {
  Script t;
  t.settings.retries2 = 3;
  t.establish();
  t.write(10);
  t.out.clear();
  t.run(200 * kSecond);
  CHECK(t.tcb().error == Errno::timedout);
  CHECK(t.over);
  CHECK(t.out.size() < 12);
  Script u;
  u.settings.user_timeout = 2 * kSecond;
  u.establish();
  u.write(10);
  u.run(4 * kSecond);
  CHECK(u.tcb().error == Errno::timedout);
}

TEST_CASE("tcp: a timeout that was for nothing is undone (RFC 3522)", "[tcp]") {
  Script t;
  t.settings.timestamps = true;
  t.stamp = 5;
  t.settings.route_mss = kMss + 12;
  t.establish(kMss + 12);
  t.write(10 * kMss);
  const uint32_t first_stamp = t.out.front().options.ts_value;
  t.out.clear();
  t.run(2 * kSecond);
  CHECK(t.tcb().phase == Phase::loss);
  t.echo = first_stamp;
  t.in(ack, 1, 1 + 2 * kMss);
  CHECK(t.tcb().phase == Phase::open);
  CHECK(t.tcb().congestion.window() >= 10 * kMss);
}

TEST_CASE("tcp: a closed window is probed", "[tcp]") {
  Script t;
  t.establish();
  t.window = 0;
  t.in(ack, 1, 1);
  t.write(100);
  CHECK(t.out.empty());
  t.run(300 * kMs);
  CHECK(t.all() == Lines{". 0:0 ack 1"});
  t.in(ack, 1, 1);
  t.run(100 * kSecond);
  CHECK(t.state() == State::established);
  t.out.clear();
  t.window = 1;
  t.in(ack, 1, 1);
  CHECK(t.next() == "P. 1:101 ack 1");  // 256 bytes by the shift
}

TEST_CASE("tcp: who never acknowledges a probe is given up", "[tcp]") {
  Script t;
  t.settings.retries2 = 4;
  t.establish();
  t.window = 0;
  t.in(ack, 1, 1);
  t.write(100);
  t.run(1000 * kSecond);
  CHECK(t.tcb().error == Errno::timedout);
}

TEST_CASE("tcp: Nagle, TCP_NODELAY, TCP_CORK, MSG_MORE", "[tcp]") {
  Script t;
  t.establish();
  t.write(10);
  CHECK(t.next() == "P. 1:11 ack 1");
  t.write(10);
  CHECK(t.out.empty());
  t.in(ack, 1, 11);
  CHECK(t.next() == "P. 11:21 ack 1");
  t.connection.change().nodelay = true;
  t.write(5);
  CHECK(t.next() == "P. 21:26 ack 1");
  t.connection.change().cork = true;
  t.connection.settings_changed(t.now);
  t.in(ack, 1, 26);
  t.write(5);
  CHECK(t.out.empty());
  t.connection.change().cork = false;
  t.connection.settings_changed(t.now);
  CHECK(t.next() == "P. 26:31 ack 1");
  t.in(ack, 1, 31);
  t.write(5, true);
  CHECK(t.out.empty());
  t.write(5);
  CHECK(t.next() == "P. 31:41 ack 1");
  t.in(ack, 1, 41);
  t.write(5, true);
  t.run(300 * kMs);  // held back for 200 ms at most
  CHECK(t.next() == "P. 41:46 ack 1");
}

TEST_CASE("tcp: the path takes less than was thought", "[tcp]") {
  Script t;
  t.establish();
  t.write(3000);
  t.out.clear();
  t.connection.path_mtu(1000, t.now);
  CHECK(t.next() == "P. 1:1001 ack 1");
  CHECK(t.tcb().mss == 1000);
}

TEST_CASE("tcp: any segment is safe", "[tcp]") {
  uint64_t x = 88172645463325252;
  auto random = [&] {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return static_cast<uint32_t>(x >> 16);
  };
  for (int round = 0; round < 300; ++round) {
    Script t;
    t.settings.timestamps = round & 1;
    t.stamp = 7;
    t.settings.receive_buffer = 16384;
    t.establish();
    if (random() & 1) t.write(20000);
    for (int i = 0; i < 200 && t.state() != State::closed; ++i) {
      Segment s = t.segment(static_cast<uint8_t>(random() & 0x3f), 0, 0, random() % 3 ? 0 : random() % 1500);
      const uint32_t near = random() % 40000;
      s.seq = random() & 7 ? t.tcb().rcv_nxt + near - 20000 : random();
      s.ack = random() & 7 ? t.tcb().snd_una + random() % 30000 - 5000 : random();
      if (random() % 8) s.flags &= static_cast<uint8_t>(~(rst | syn));
      if (random() % 3) s.flags |= ack;
      s.window = static_cast<uint16_t>(random());
      s.urgent = static_cast<uint16_t>(random());
      if (t.stamp && random() % 4) s.options.ts_value = random() % 64;
      s.options.sack_count = static_cast<uint8_t>(random() % 5);
      for (uint32_t k = 0; k < s.options.sack_count; ++k) {
        s.options.sack[k].start = t.tcb().snd_una + random() % 30000 - 1000;
        s.options.sack[k].end = s.options.sack[k].start + random() % 8000;
      }
      t.in(s);
      if (random() % 5 == 0) t.run(random() % 300000);
      if (random() % 5 == 0) t.write(random() % 3000);
      if (random() % 4 == 0) t.read(random() % 4000);
      if (random() % 90 == 0) t.connection.shutdown_send(t.now);
      REQUIRE(t.tcb().in_flight() < (1u << 30));
      REQUIRE(t.tcb().received.memory() <= t.tcb().settings.receive_buffer + 65536 * 2);
    }
  }
}

TEST_CASE("tcp: CUBIC grows back to where it was, then beyond", "[tcp]") {
  Congestion c;
  c.start(kMss);
  for (int i = 0; i < 200; ++i) c.acked(kMss, 1, 10000);
  const uint64_t before_loss = c.window();
  c.enter_recovery(before_loss, kSecond);
  c.leave_recovery();
  CHECK(c.window() == before_loss * 7 / 10);
  uint64_t now = kSecond;
  uint64_t plateau = 0;
  for (int round = 0; round < 3000 && c.window() < before_loss * 2; ++round) {
    now += 100 * kMs;
    for (uint64_t sent = 0; sent < c.window(); sent += kMss) c.acked(kMss, now, 100 * kMs);
    if (c.window() > before_loss * 95 / 100 && c.window() < before_loss * 105 / 100) ++plateau;
  }
  CHECK(c.window() >= before_loss * 2);
  CHECK(plateau > 5);
  CHECK(cube_root(27) == 3);
  CHECK(cube_root(26) == 2);
  CHECK(cube_root(1'000'000'000'000) == 10000);
}

TEST_CASE("tcp: headers as they stand on the wire", "[tcp]") {
  Segment s;
  s.seq = 0x01020304;
  s.ack = 0xa0b0c0d0;
  s.flags = syn | ack;
  s.window = 0x1234;
  s.options.has_mss = s.options.sack_permitted = s.options.has_shift = s.options.has_timestamp = true;
  s.options.mss = 1460;
  s.options.shift = 9;
  s.options.ts_value = 77;
  s.options.ts_echo = 99;
  std::byte bytes[kHeaderMax];
  const uint32_t n = write_header(bytes, {80, 4000}, s);
  CHECK(n == header_size(s));
  CHECK(n == 40);
  Segment back;
  Ports ports;
  REQUIRE(parse_header({bytes, n}, n, ports, back) == n);
  CHECK(ports.source == 80);
  CHECK(ports.destination == 4000);
  CHECK(back.seq == s.seq);
  CHECK(back.ack == s.ack);
  CHECK(back.options.mss == 1460);
  CHECK(back.options.shift == 9);
  CHECK(back.options.ts_echo == 99);
  // Nothing that is cut or wrong is read past its end.
  for (uint32_t cut = 0; cut < n; ++cut) CHECK(parse_header({bytes, cut}, cut, ports, back) == 0);
  for (uint32_t i = 20; i < n; ++i)
    for (int v = 0; v < 256; ++v) {
      std::byte changed[kHeaderMax];
      std::memcpy(changed, bytes, n);
      changed[i] = static_cast<std::byte>(v);
      CHECK(parse_header({changed, n}, n, ports, back) == n);
    }
}

namespace {
// The peer's window is closed, and every probe of it is answered.
void closed_window(Script& t, uint64_t us) {
  const uint64_t end = t.now + us;
  while (t.now < end && !t.over) {
    t.run(50 * kMs);
    const bool probed = !t.out.empty();
    t.out.clear();
    if (probed && !t.over) t.in(ack, 1, 1);
    t.out.clear();
  }
}
}  // namespace

TEST_CASE("tcp: nobody waits for a closed window on behalf of nobody", "[tcp]") {
  Script t;
  t.establish();
  t.window = 0;
  t.in(ack, 1, 1);
  t.write(100);
  closed_window(t, 2000 * kSecond);
  CHECK(t.state() == State::established);  // as long as somebody has it open
  t.connection.close(false, t.now);
  closed_window(t, 2000 * kSecond);
  CHECK(t.over);
  Script u;
  u.establish();
  u.window = 0;
  u.in(ack, 1, 1);
  u.write(100);
  u.connection.close(false, u.now);
  closed_window(u, 100 * kSecond);
  CHECK_FALSE(u.over);
  closed_window(u, 1000 * kSecond);
  CHECK(u.over);
}

TEST_CASE("tcp: TCP_USER_TIMEOUT counts from the first probe that found the window closed", "[tcp]") {
  Script t;
  t.settings.user_timeout = 10 * kSecond;
  t.establish();
  t.window = 0;
  t.in(ack, 1, 1);
  t.write(100);
  closed_window(t, 9 * kSecond);
  CHECK_FALSE(t.over);
  closed_window(t, 3 * kSecond);
  CHECK(t.tcb().error == Errno::timedout);
  // It has opened in between: the time begins anew.
  Script u;
  u.settings.user_timeout = 10 * kSecond;
  u.establish();
  u.window = 0;
  u.in(ack, 1, 1);
  u.write(100);
  closed_window(u, 9 * kSecond);
  u.window = 1000;
  u.in(ack, 1, 1);
  u.out.clear();
  u.window = 0;
  u.in(ack, 1, 101);
  u.write(100);
  u.out.clear();
  u.run(9 * kSecond);
  CHECK_FALSE(u.over);
}

TEST_CASE("tcp: as many segments on their way as may be, and no more", "[tcp]") {
  Script t;
  t.settings.nodelay = true;
  t.window = 65535;
  t.establish();
  for (uint32_t i = 0; i < 3 * Scoreboard::kMost; ++i) {
    t.write(1);
    if (i % 1000 == 999) t.in(ack, 1, 1 + i / 2);
  }
  t.out.clear();
  CHECK(t.tcb().sent.count() <= Scoreboard::kMost);
  // All of it arrives.
  for (int i = 0; i < 100 && t.tcb().unacknowledged() > 0; ++i) {
    t.in(ack, 1, t.tcb().snd_nxt - Script::kOurs);
    t.out.clear();
  }
  CHECK(t.tcb().unacknowledged() == 0);
}

TEST_CASE("tcp: what is lost is found again from where the last was", "[tcp]") {
  Scoreboard s;
  AckOutcome out;
  constexpr uint32_t kCount = 1000;
  for (uint32_t i = 0; i < kCount; ++i) REQUIRE(s.add(i * 10, i * 10 + 10, 100 + i));
  s.mark_all_lost();
  for (uint32_t i = 0; i < kCount; ++i) {
    Sent* lost = s.next_lost();
    REQUIRE(lost);
    REQUIRE(lost->start == i * 10);
    // In parts, too.
    if (i % 3 == 0) {
      REQUIRE(s.split(*lost, 4));
      s.resend(*lost, 5000);
      lost = s.next_lost();
      REQUIRE(lost->start == i * 10 + 4);
    }
    s.resend(*lost, 5000);
  }
  CHECK(s.next_lost() == nullptr);
  // An earlier one is lost again; then what was in front of it has arrived.
  Sent& front = s.front();
  s.mark_lost(front);
  CHECK(s.next_lost() == &front);
  s.acknowledge(20, 6000, out);
  CHECK(s.next_lost() == nullptr);
  s.mark_lost(s.back());
  CHECK(s.next_lost() == &s.back());
  s.mark_lost(s.front());
  CHECK(s.next_lost() == &s.front());
  s.clear_lost();
  CHECK(s.next_lost() == nullptr);
  // A block that is repeated says nothing new, until a timeout has made it forgotten.
  AckOutcome first, again, after;
  s.sack({100, 200}, 7000, first);
  CHECK(first.sacked == 100);
  s.sack({100, 200}, 7000, again);
  CHECK(again.sacked == 0);
  s.forget_sacks();
  s.sack({100, 200}, 7000, after);
  CHECK(after.sacked == 100);
}
