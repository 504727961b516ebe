// A connection under a script: segments and times go in, what it sends is looked at. Sequence numbers are
// relative to both sides' first ones, as packetdrill shows them.
#pragma once

#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "net/tcp/connection.h"

namespace runsc::net::tcp::testing {

class BytesPiece final : public Piece {
 public:
  BytesPiece(Seq seq, std::string bytes) : bytes_(std::move(bytes)) {
    start = seq;
    size = static_cast<uint32_t>(bytes_.size());
    charge = size + 256;
  }
  std::byte at(Seq number) const override {
    return static_cast<std::byte>(bytes_[offset + (number - start)]);
  }
  std::string text() const { return bytes_.substr(offset, size); }

 private:
  std::string bytes_;
};

class Script final : public Driver {
 public:
  static constexpr Seq kOurs = 0xfffff000, kTheirs = 0x7ffffff0;  // both wrap soon
  Script() : connection(*this) {
    settings.route_mss = 1460;
    settings.timestamps = false;
  }

  // ---- Driver
  void emit(const Segment& s) override { out.push_back(s); }
  void release(Seq acked) override { released = acked; }
  void happened(uint32_t e) override { events |= e; }
  bool may_establish() override { return room_at_listener; }
  void ended() override { over = true; }

  // ---- what comes
  Segment segment(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t size = 0) {
    Segment s;
    s.seq = kTheirs + seq;
    s.ack = flags & flag::ack ? kOurs + ack : 0;
    s.flags = flags;
    s.window = window;
    s.size = size;
    if (stamp) {
      s.options.has_timestamp = true;
      s.options.ts_value = *stamp;
      s.options.ts_echo = echo;
    }
    return s;
  }
  bool in(const Segment& s, std::string data = {}) {
    Unique<Piece> piece;
    if (s.size > 0) {
      if (data.empty()) data.assign(s.size, 'x');
      piece = Unique<Piece>(new (std::nothrow) BytesPiece(s.seq + s.has(flag::syn), data));
    }
    return connection.input(s, std::move(piece), now);
  }
  bool in(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t size = 0) {
    return in(segment(flags, seq, ack, size));
  }
  bool in_sack(uint32_t ack, std::vector<SackBlock> blocks) {
    Segment s = segment(flag::ack, their_next, ack);
    for (SackBlock b : blocks) s.options.sack[s.options.sack_count++] = {kOurs + b.start, kOurs + b.end};
    return in(s);
  }
  bool text(uint32_t seq, uint32_t ack, const std::string& bytes, uint8_t more_flags = 0) {
    return in(
        segment(static_cast<uint8_t>(flag::ack | more_flags), seq, ack, static_cast<uint32_t>(bytes.size())),
        bytes);
  }

  // ---- time
  void run(uint64_t us) {
    const uint64_t end = now + us;
    while (connection.deadline() <= end) {
      now = std::max(now, connection.deadline());
      connection.timer(now);
    }
    now = end;
  }

  // ---- the application
  void write(uint32_t n, bool more = false, bool urgent = false) {
    connection.wrote(n, true, more, urgent, now);
  }
  std::string read(uint32_t n) {
    std::string got;
    while (got.size() < n) {
      Piece* p = connection.pieces().first();
      if (!p) break;
      std::string part = static_cast<BytesPiece*>(p)->text().substr(0, n - got.size());
      got += part;
      connection.did_read(static_cast<uint32_t>(part.size()), now);
    }
    return got;
  }

  // ---- what went out
  // The next segment in short: "seq-end flags ack N win N", relative numbers.
  std::string next() {
    if (out.empty()) return "";
    Segment s = last = out.front();
    out.pop_front();
    std::string flags;
    const std::pair<uint8_t, char> names[] = {{flag::syn, 'S'}, {flag::fin, 'F'}, {flag::rst, 'R'},
                                              {flag::psh, 'P'}, {flag::urg, 'U'}, {flag::ack, '.'}};
    for (auto [bit, c] : names)
      if (s.flags & bit) flags += c;
    std::string text =
        flags + " " + std::to_string(s.seq - kOurs) + ":" + std::to_string(s.seq - kOurs + s.size);
    if (s.has(flag::ack)) text += " ack " + std::to_string(s.ack - kTheirs);
    return text;
  }
  std::vector<std::string> all() {
    std::vector<std::string> list;
    while (!out.empty()) list.push_back(next());
    return list;
  }
  // SACK blocks of the segment that next() gave last, relative.
  std::vector<SackBlock> sacks() const {
    std::vector<SackBlock> list;
    for (uint32_t i = 0; i < last.options.sack_count; ++i)
      list.push_back({last.options.sack[i].start - kTheirs, last.options.sack[i].end - kTheirs});
    return list;
  }

  // ---- usual beginnings
  void connect() { connection.connect(settings, kOurs, 0, now); }
  void establish(uint16_t their_mss = 1460, bool with_sack = true, bool with_shift = true) {
    connect();
    next();
    now += 10 * kMs;
    Segment s = segment(flag::syn | flag::ack, 0, 1);
    s.window = 60000;
    s.options.has_mss = true;
    s.options.mss = their_mss;
    s.options.sack_permitted = with_sack;
    s.options.has_shift = with_shift;
    s.options.shift = 8;
    in(s);
    in(flag::ack, 1, 1);  // the window as it will be
    out.clear();
    events = 0;
  }
  const Tcb& tcb() const { return connection.view(); }
  State state() const { return connection.view().state; }

  Settings settings;
  uint64_t now = 1'000'000'000;
  uint16_t window = 1000;
  std::optional<uint32_t> stamp;
  uint32_t echo = 0;
  uint32_t their_next = 1;
  bool room_at_listener = true, over = false;
  uint32_t events = 0;
  Seq released = 0;
  std::deque<Segment> out;
  Segment last;
  Connection connection;
};

}  // namespace runsc::net::tcp::testing
