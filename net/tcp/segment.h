// TCP segments on the wire (RFC 9293, section 3.1; options of RFC 7323 and 2018), and sequence numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace runsc::net::tcp {

// Sequence numbers count modulo 2^32: of two, one comes before the other if less than half the circle is
// between.
using Seq = uint32_t;
constexpr int32_t distance(Seq from, Seq to) { return static_cast<int32_t>(to - from); }
constexpr bool before(Seq a, Seq b) { return distance(a, b) > 0; }
constexpr bool at_or_before(Seq a, Seq b) { return distance(a, b) >= 0; }
// Where a connection begins whose addresses another one had that would have sent `next`: beyond all that may
// be on its way (Linux: a window, and a little).
constexpr Seq number_after(Seq next) { return next + 65535 + 2; }
constexpr Seq later_of(Seq a, Seq b) { return before(a, b) ? b : a; }
constexpr Seq earlier_of(Seq a, Seq b) { return before(a, b) ? a : b; }

namespace flag {
inline constexpr uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16, urg = 32, ece = 64, cwr = 128;
}

inline constexpr uint32_t kHeaderMin = 20, kHeaderMax = 60, kMaxWindowShift = 14;
// With NOPs before them, as everybody writes them.
inline constexpr uint32_t kTimestampSpace = 12, kSackBaseSpace = 4, kSackBlockSpace = 8;

struct SackBlock {
  Seq start, end;
  friend bool operator==(const SackBlock&, const SackBlock&) = default;
};

struct Options {
  static constexpr uint32_t kMaxSack = 4;
  bool has_mss = false, has_shift = false, sack_permitted = false, has_timestamp = false;
  uint8_t shift = 0, sack_count = 0;
  uint16_t mss = 0;
  uint32_t ts_value = 0, ts_echo = 0;
  SackBlock sack[kMaxSack] = {};
};

struct Segment {
  Seq seq = 0, ack = 0;
  uint8_t flags = 0;
  uint16_t window = 0;  // as it stands in the header
  uint16_t urgent = 0;
  uint32_t size = 0;  // of the data
  Options options;

  bool has(uint8_t f) const { return flags & f; }
  // What it takes of the sequence space.
  uint32_t length() const { return size + has(flag::syn) + has(flag::fin); }
  Seq end() const { return seq + length(); }
};

struct Ports {
  uint16_t source = 0, destination = 0;
};

// Reads the header at the front of `bytes`, which may be anything, of a segment with `total` bytes in all
// (header and data). The size of the header; 0: it is none.
uint32_t parse_header(std::span<const std::byte> bytes, uint32_t total, Ports& ports, Segment& out);

// The bytes that write_header() takes.
uint32_t header_size(const Segment& segment);
// Writes it with a checksum of zero.
uint32_t write_header(std::span<std::byte, kHeaderMax> out, Ports ports, const Segment& segment);

}  // namespace runsc::net::tcp
