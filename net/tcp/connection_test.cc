// The life of a connection, segment by segment.
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

TEST_CASE("tcp: an active open and its options", "[tcp]") {
  Script t;
  t.settings.timestamps = true;
  t.stamp = 100;
  t.connect();
  CHECK(t.next() == "S 0:0");
  CHECK(t.last.options.mss == 1460);
  CHECK(t.last.options.sack_permitted);
  CHECK(t.last.options.has_timestamp);
  CHECK(t.last.options.shift == 7);
  Segment s = t.segment(syn | ack, 0, 1);
  s.options.has_mss = true;
  s.options.mss = 1400;
  s.options.has_shift = s.options.sack_permitted = true;
  s.options.shift = 3;
  CHECK(t.in(s));
  CHECK(t.next() == ". 1:1 ack 1");
  CHECK(t.last.options.ts_echo == 100);
  CHECK(t.state() == State::established);
  CHECK(t.tcb().mss == 1400 - 12);
  CHECK(t.tcb().snd_shift == 3);
  CHECK((t.events & event::writable) != 0);
}

TEST_CASE("tcp: a passive open; the first SYN again", "[tcp]") {
  Script t;
  Segment s = t.segment(syn, 0, 0);
  s.options.has_mss = true;
  s.options.mss = 1460;
  t.connection.accept(t.settings, s, Script::kOurs, 0, t.now);
  CHECK(t.next() == "S. 0:0 ack 1");
  CHECK(t.in(s));
  CHECK(t.next() == "S. 0:0 ack 1");
  t.run(kSecond);
  CHECK(t.next() == "S. 0:0 ack 1");
  t.room_at_listener = false;
  CHECK(t.in(ack, 1, 1));
  CHECK(t.state() == State::syn_received);
  t.room_at_listener = true;
  CHECK(t.text(1, 1, "hello"));
  CHECK(t.state() == State::established);
  CHECK(t.read(10) == "hello");
}

TEST_CASE("tcp: SYNs are sent again, until nobody hopes any more", "[tcp]") {
  Script t;
  t.connect();
  CHECK(t.next() == "S 0:0");
  t.run(kSecond + kMs);
  CHECK(t.all() == Lines{"S 0:0"});
  t.run(2 * kSecond);
  CHECK(t.all() == Lines{"S 0:0"});
  t.run(200 * kSecond);
  CHECK(t.all().size() == 4);
  CHECK(t.over);
  CHECK(t.tcb().error == Errno::timedout);
  CHECK(t.tcb().state == State::closed);
}

TEST_CASE("tcp: refused, and resets that do not count", "[tcp]") {
  Script t;
  t.connect();
  t.next();
  CHECK(t.in(rst, 0, 0));
  CHECK(t.in(rst | ack, 0, 5));
  CHECK_FALSE(t.in(ack, 0, 7));  // to be answered by a reset
  CHECK(t.state() == State::syn_sent);
  CHECK(t.in(rst | ack, 0, 1));
  CHECK(t.tcb().error == Errno::connrefused);
}

TEST_CASE("tcp: both sides open at once", "[tcp]") {
  Script t;
  t.connect();
  t.next();
  Segment s = t.segment(syn, 0, 0);
  s.options.has_mss = true;
  s.options.mss = 1460;
  CHECK(t.in(s));
  CHECK(t.next() == "S. 0:0 ack 1");
  CHECK(t.state() == State::syn_received);
  CHECK(t.in(syn | ack, 0, 1));
  CHECK(t.state() == State::established);
}

TEST_CASE("tcp: both sides close at once", "[tcp]") {
  Script t;
  t.establish();
  t.connection.shutdown_send(t.now);
  CHECK(t.next() == "F. 1:1 ack 1");
  CHECK(t.in(fin | ack, 1, 1));
  CHECK(t.state() == State::closing);
  CHECK(t.next() == ". 2:2 ack 2");
  CHECK(t.in(ack, 2, 2));
  CHECK(t.state() == State::time_wait);
  CHECK_FALSE(t.over);
  t.run(60 * kSecond);
  CHECK(t.over);
  CHECK(t.tcb().error == Errno{});
}

TEST_CASE("tcp: half a close, either way", "[tcp]") {
  Script t;
  t.establish();
  t.connection.shutdown_send(t.now);
  t.out.clear();
  CHECK(t.in(ack, 1, 2));
  CHECK(t.state() == State::fin_wait2);
  CHECK(t.text(1, 2, "late"));
  CHECK(t.read(9) == "late");
  CHECK(t.in(fin | ack, 5, 2));
  CHECK(t.state() == State::time_wait);
  Script u;
  u.establish();
  CHECK(u.in(fin | ack, 1, 1));
  CHECK(u.state() == State::close_wait);
  u.out.clear();
  u.write(10);
  CHECK(u.next() == "P. 1:11 ack 2");
  u.connection.close(false, u.now);
  CHECK(u.next() == "F. 11:11 ack 2");
  CHECK(u.state() == State::last_ack);
  CHECK(u.in(ack, 2, 12));
  CHECK(u.over);
}

TEST_CASE("tcp: a FIN that is ahead of data counts when they have come", "[tcp]") {
  Script t;
  t.establish();
  CHECK(t.text(6, 1, "world", fin));
  CHECK(t.state() == State::established);
  CHECK(t.next() == ". 1:1 ack 1");
  CHECK(t.sacks() == std::vector<SackBlock>{{6, 11}});
  CHECK(t.text(1, 1, "hello"));
  CHECK(t.state() == State::close_wait);
  CHECK(t.next() == ". 1:1 ack 12");
  CHECK(t.read(99) == "helloworld");
}

TEST_CASE("tcp: resets inside the window are asked about (RFC 5961)", "[tcp]") {
  Script t;
  t.establish();
  CHECK(t.in(rst, 100, 0));
  CHECK(t.state() == State::established);
  CHECK(t.next() == ". 1:1 ack 1");
  CHECK(t.in(rst, 0x40000000, 0));  // outside: not a word
  CHECK(t.next().empty());
  CHECK(t.in(syn, 50, 0));
  CHECK(t.next() == ". 1:1 ack 1");
  CHECK(t.in(ack, 1, 5000));  // acknowledges what was never sent
  CHECK(t.next() == ". 1:1 ack 1");
  for (int i = 0; i < 1000; ++i) t.in(rst, 100, 0);
  CHECK(t.out.size() <= 100);
  CHECK(t.in(rst, 1, 0));
  CHECK(t.tcb().error == Errno::connreset);
  CHECK(t.over);
}

TEST_CASE("tcp: old timestamps are refused (PAWS)", "[tcp]") {
  Script t;
  t.settings.timestamps = true;
  t.stamp = 1000;
  t.establish();
  t.stamp = 1001;
  CHECK(t.text(1, 1, "a"));
  t.out.clear();
  t.stamp = 999;
  CHECK(t.text(2, 1, "old"));
  CHECK(t.tcb().readable() == 1);
  CHECK(t.next() == ". 1:1 ack 2");
  t.stamp = 1002;
  CHECK(t.text(2, 1, "new"));
  CHECK(t.read(9) == "anew");
}

TEST_CASE("tcp: duplicates and overlaps", "[tcp]") {
  Script t;
  t.establish();
  t.text(1, 1, "abcdef");
  t.out.clear();
  t.text(3, 1, "cd");
  CHECK(t.next() == ". 1:1 ack 7");
  CHECK(t.sacks() == std::vector<SackBlock>{{3, 5}});  // D-SACK
  t.text(4, 1, "defgh");
  t.text(12, 1, "lm");
  t.text(10, 1, "jklmno");
  t.text(9, 1, "ij");
  CHECK(t.read(99) == "abcdefghijklmno");
  CHECK(t.tcb().received.early_empty());
}

TEST_CASE("tcp: a flood of segments out of order stays within the buffer", "[tcp]") {
  Script t;
  t.settings.receive_buffer = 65536;
  t.settings.buffers_grow = false;
  t.establish();
  for (uint32_t i = 20000; i > 1; i -= 2) t.in(ack, i, 1, 1);
  CHECK(t.tcb().received.memory() <= 65536 + 512);
  CHECK(t.tcb().readable() == 0);
  // What is in order has precedence.
  CHECK(t.text(1, 1, "ok"));
  CHECK(t.tcb().readable() >= 2);
}

TEST_CASE("tcp: acknowledgements are delayed, but not for long", "[tcp]") {
  Script t;
  t.establish();
  for (uint32_t i = 0; i < 40; ++i) {  // past the quick ones
    t.in(ack, 1 + 100 * i, 1, 100);
    t.read(100);
  }
  t.run(kSecond);
  t.out.clear();
  t.in(ack, 4001, 1, 100);
  CHECK(t.next().empty());
  t.run(50 * kMs);
  CHECK(t.next() == ". 1:1 ack 4101");
}

TEST_CASE("tcp: a reader that is slow closes the window and opens it again", "[tcp]") {
  Script t;
  t.settings.receive_buffer = 20000;
  t.settings.buffers_grow = false;
  t.establish();
  uint32_t at = 1;
  for (int i = 0; i < 40; ++i) {
    const uint32_t room = t.tcb().rcv_wup + t.tcb().rcv_wnd - t.tcb().rcv_nxt;
    const uint32_t n = std::min(room, 1460u);
    if (n == 0) break;
    t.in(ack, at, 1, n);
    at += n;
  }
  t.run(kSecond);
  CHECK(t.tcb().rcv_wnd + t.tcb().rcv_wup == t.tcb().rcv_nxt);
  t.out.clear();
  t.read(~0u);
  REQUIRE(t.out.size() >= 1);
  CHECK(t.out.back().window > 0);
}

TEST_CASE("tcp: keepalive", "[tcp]") {
  Script t;
  t.settings.keepalive = true;
  t.settings.keep_idle = 10 * kSecond;
  t.settings.keep_interval = 2 * kSecond;
  t.settings.keep_probes = 3;
  t.establish();
  t.run(10 * kSecond);
  CHECK(t.next() == ". 0:0 ack 1");
  CHECK(t.in(ack, 1, 1));
  t.run(9 * kSecond);
  CHECK(t.out.empty());
  t.run(kSecond + 4 * kSecond);
  CHECK(t.all() == Lines{". 0:0 ack 1", ". 0:0 ack 1", ". 0:0 ack 1"});
  t.run(2 * kSecond);
  CHECK(t.next() == "R. 1:1 ack 1");
  CHECK(t.tcb().error == Errno::timedout);
}

TEST_CASE("tcp: urgent data", "[tcp]") {
  Script t;
  t.establish();
  t.write(3, false, true);
  CHECK(t.next() == "PU. 1:4 ack 1");
  CHECK(t.last.urgent == 3);
  Segment s = t.segment(ack | urg, 1, 4, 5);
  s.urgent = 3;
  t.in(s, "ab!cd");
  CHECK(t.tcb().urgent == Urgent::here);
  CHECK(t.tcb().urgent_seq == Script::kTheirs + 3);
  CHECK(static_cast<char>(t.tcb().urgent_byte) == '!');
  CHECK((t.events & event::urgent) != 0);
  t.connection.take_urgent();
  CHECK(t.tcb().urgent == Urgent::taken);
  t.read(3);
  CHECK(t.tcb().urgent == Urgent::none);
}

TEST_CASE("tcp: data for nobody are answered by a reset", "[tcp]") {
  Script t;
  t.establish();
  t.connection.close(false, t.now);
  CHECK(t.next() == "F. 1:1 ack 1");
  CHECK(t.in(ack, 1, 2));
  CHECK(t.state() == State::fin_wait2);
  t.text(1, 2, "anybody?");
  CHECK(t.next() == "R. 2:2 ack 1");
  CHECK(t.over);
  Script u;
  u.establish();
  u.connection.close(true, u.now);
  CHECK(u.next() == "R. 1:1 ack 1");
  Script v;
  v.establish();
  v.connection.close(false, v.now);
  v.in(ack, 1, 2);
  v.run(60 * kSecond);
  CHECK(v.over);  // FIN_WAIT2 of nobody ends
}

TEST_CASE("tcp: a FIN that comes again is acknowledged again", "[tcp]") {
  Script t;
  t.establish();
  CHECK(t.in(fin | ack, 1, 1));
  CHECK(t.state() == State::close_wait);
  CHECK(t.next() == ". 1:1 ack 2");
  CHECK(t.in(fin | ack, 1, 1));
  CHECK(t.next() == ". 1:1 ack 2");
  // With the last of the data, too; and when we have closed.
  CHECK(t.in(fin | ack, 1, 1));
  CHECK(t.next() == ". 1:1 ack 2");
  t.connection.close(false, t.now);
  CHECK(t.next() == "F. 1:1 ack 2");
  CHECK(t.in(fin | ack, 1, 1));
  CHECK(t.next() == ". 2:2 ack 2");
  CHECK(t.state() == State::last_ack);
  CHECK(t.in(ack, 2, 2));
  CHECK(t.over);
}
