// Two connections over a path that loses, delays, reorders and doubles segments: everything arrives, in
// order.
#include <algorithm>
#include <map>

#include "net/tcp/testing/script.h"
// Last: CHECK is the test's.
#undef CHECK
#undef DCHECK
#include <catch2/catch.hpp>

using namespace runsc;
using namespace runsc::net::tcp;
using namespace runsc::net::tcp::testing;

namespace {

struct Path {
  uint32_t lose = 0, twice = 0;  // in a thousand
  uint64_t delay = 10 * kMs, jitter = 0;
  uint64_t per_segment = 0;  // a slow link: time for each
  size_t queue = 1000;       // segments that wait for it at most
};

char byte_at(uint32_t n) { return static_cast<char>(n * 31 + (n >> 8) * 7 + (n >> 16)); }

class Side final : public Driver {
 public:
  Side() : connection(*this) {}
  void emit(const Segment& s) override { out.push_back(s); }
  void release(Seq) override {}
  void happened(uint32_t) override {}
  bool may_establish() override { return true; }
  void ended() override { over = true; }
  const Tcb& tcb() const { return connection.view(); }

  std::vector<Segment> out;
  bool over = false;
  uint32_t written = 0, read = 0;
  bool wrong = false;
  uint64_t free_at = 0;  // the link's
  Connection connection;
};

class World {
 public:
  World(Path p, uint64_t seed, Settings s) : path_(p), random_(seed), settings(s) {}

  uint32_t random() {
    random_ ^= random_ << 13, random_ ^= random_ >> 7, random_ ^= random_ << 17;
    return static_cast<uint32_t>(random_ >> 20);
  }

  // What a side has emitted goes on its way.
  void collect(int i) {
    for (const Segment& s : sides[i].out) {
      if (random() % 1000 < path_.lose) continue;
      Side& side = sides[i];
      side.free_at = std::max(side.free_at, now) + path_.per_segment;
      if (path_.per_segment && side.free_at - now > path_.queue * path_.per_segment) {
        side.free_at -= path_.per_segment;
        continue;
      }
      for (int copies = random() % 1000 < path_.twice ? 2 : 1; copies > 0; --copies) {
        const uint64_t jitter = path_.jitter ? random() % path_.jitter : 0;
        flying_.emplace(side.free_at + path_.delay + jitter, std::pair(1 - i, s));
      }
    }
    sides[i].out.clear();
  }

  void deliver(int to, const Segment& s) {
    Side& side = sides[to];
    if (side.tcb().state == State::closed && !side.over && s.has(flag::syn) && !s.has(flag::ack)) {
      side.connection.accept(settings, s, 0x80000000u - 5000, 77, now);
      return;
    }
    Unique<Piece> piece;
    if (s.size > 0) {
      std::string bytes(s.size, 0);
      const uint32_t at = s.seq - (sides[1 - to].tcb().iss + 1);
      for (uint32_t k = 0; k < s.size; ++k) bytes[k] = byte_at(at + k);
      piece = Unique<Piece>(new (std::nothrow) BytesPiece(s.seq, std::move(bytes)));
    }
    side.connection.input(s, std::move(piece), now);
  }

  void applications(uint32_t total, bool awake = false) {
    Side &a = sides[0], &b = sides[1];
    while (a.tcb().can_send() && a.written < total && a.tcb().unacknowledged() < 400000) {
      const uint32_t n = std::min(total - a.written, 1 + random() % 20000);
      a.connection.wrote(n, true, false, false, now);
      a.written += n;
    }
    if (a.written == total && a.tcb().can_send()) a.connection.shutdown_send(now);
    if (!awake && random() % 4 == 0) return;  // the reader sleeps
    while (Piece* p = b.connection.pieces().first()) {
      const std::string text = static_cast<BytesPiece*>(p)->text();
      for (char c : text) b.wrong |= c != byte_at(b.read++);
      b.connection.did_read(static_cast<uint32_t>(text.size()), now);
    }
    if (b.tcb().fin_received && b.tcb().readable() == 0 && b.tcb().can_send())
      b.connection.shutdown_send(now);
  }

  uint64_t next_event() const {
    const uint64_t deadline = std::min(sides[0].connection.deadline(), sides[1].connection.deadline());
    return std::min(deadline, flying_.empty() ? kNever : flying_.begin()->first);
  }

  // True: all came and both ended.
  bool run(uint32_t total, uint64_t limit) {
    sides[0].connection.connect(settings, 0xffffff00, 5, now);
    for (uint64_t step = 0; step < 4'000'000; ++step) {
      applications(total);
      collect(0);
      collect(1);
      if (next_event() == kNever) {
        applications(total, true);
        collect(0);
        collect(1);
      }
      const uint64_t next = next_event();
      if (sides[1].read == total && sides[1].tcb().fin_acked && sides[0].tcb().fin_acked) return true;
      if (next == kNever || next > limit || sides[0].over) return false;
      now = std::max(now, next);
      while (!flying_.empty() && flying_.begin()->first <= now) {
        auto [to, s] = flying_.begin()->second;
        flying_.erase(flying_.begin());
        deliver(to, s);
        collect(1 - to);
      }
      for (Side& side : sides)
        if (side.connection.deadline() <= now) side.connection.timer(now);
    }
    return false;
  }

  Side sides[2];
  uint64_t now = 1'000'000;

 private:
  Path path_;
  uint64_t random_;
  std::multimap<uint64_t, std::pair<int, Segment>> flying_;

 public:
  Settings settings;
};

Settings usual() {
  Settings s;
  s.route_mss = 1460;
  return s;
}

// Megabytes a second of virtual time, in thousandths.
uint64_t transfer(Path path, Settings s, uint32_t total, uint64_t seed) {
  World w(path, seed, s);
  INFO("seed " << seed << " loss " << path.lose << " jitter " << path.jitter);
  const uint64_t start = w.now;
  REQUIRE(w.run(total, start + 3600 * kSecond));
  CHECK_FALSE(w.sides[1].wrong);
  CHECK(w.sides[1].read == total);
  CHECK(w.sides[0].tcb().in_flight() == 0);
  return uint64_t{total} * 1000 / (w.now - start);
}

}  // namespace

TEST_CASE("tcp: transfers over bad paths", "[tcp]") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    for (const bool sack : {true, false}) {
      for (const Algorithm algorithm : {Algorithm::cubic, Algorithm::reno}) {
        Settings s = usual();
        s.sack = sack;
        s.timestamps = seed & 1;
        s.algorithm = algorithm;
        transfer({0, 0, 10 * kMs, 0}, s, 1'000'000, seed);
        transfer({10, 0, 10 * kMs, 0}, s, 1'000'000, seed);
        transfer({50, 20, 10 * kMs, 5 * kMs}, s, 300'000, seed);
        transfer({200, 100, 5 * kMs, 20 * kMs}, s, 60'000, seed);
        transfer({0, 0, 10 * kMs, 30 * kMs}, s, 300'000, seed);
        transfer({0, 0, 10 * kMs, 0, 100, 20}, s, 1'000'000, seed);
      }
    }
  }
}

TEST_CASE("tcp: a link is used well", "[tcp]") {
  // 14.6 MB/s, 20 ms round trip, room for 100 segments.
  Path link{0, 0, 10 * kMs, 0, 100, 100};
  CHECK(transfer(link, usual(), 60'000'000, 3) > 11'000);
  link.lose = 1;
  CHECK(transfer(link, usual(), 60'000'000, 3) > 3'000);
  // Reordering alone costs little (RACK).
  Path shuffled{0, 0, 10 * kMs, 4 * kMs, 100, 400};
  CHECK(transfer(shuffled, usual(), 60'000'000, 3) > 8'000);
}
