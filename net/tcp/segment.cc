#include "net/tcp/segment.h"

#include <algorithm>

namespace runsc::net::tcp {

namespace {

enum Kind : uint8_t {
  kEnd = 0,
  kNop = 1,
  kMss = 2,
  kShift = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamp = 8
};

uint8_t u8(const std::byte* p) { return static_cast<uint8_t>(*p); }
uint16_t u16(const std::byte* p) { return static_cast<uint16_t>(u8(p) << 8 | u8(p + 1)); }
uint32_t u32(const std::byte* p) { return uint32_t{u16(p)} << 16 | u16(p + 2); }

class Writer {
 public:
  explicit Writer(std::byte* at) : start_(at), at_(at) {}
  void u8(uint32_t v) { *at_++ = static_cast<std::byte>(v); }
  void u16(uint32_t v) { u8(v >> 8), u8(v & 0xff); }
  void u32(uint32_t v) { u16(v >> 16), u16(v & 0xffff); }
  uint32_t size() const { return static_cast<uint32_t>(at_ - start_); }

 private:
  std::byte *const start_, *at_;
};

void parse_sack(std::span<const std::byte> body, Options& out) {
  if (body.empty() || body.size() % 8 != 0) return;
  out.sack_count = static_cast<uint8_t>(std::min<size_t>(body.size() / 8, Options::kMaxSack));
  for (size_t i = 0; i < out.sack_count; ++i)
    out.sack[i] = {u32(body.data() + 8 * i), u32(body.data() + 8 * i + 4)};
}

// Options of SYNs count in SYNs only; what has a wrong length counts for nothing.
void parse_option(uint8_t kind, std::span<const std::byte> body, bool syn, Options& out) {
  switch (kind) {
    case kMss:
      if (!syn || body.size() != 2) return;
      out.mss = u16(body.data());
      out.has_mss = out.mss != 0;
      return;
    case kShift:
      if (!syn || body.size() != 1) return;
      out.has_shift = true;
      out.shift = static_cast<uint8_t>(std::min<uint32_t>(u8(body.data()), kMaxWindowShift));
      return;
    case kSackPermitted:
      if (syn && body.empty()) out.sack_permitted = true;
      return;
    case kTimestamp:
      if (body.size() != 8) return;
      out.has_timestamp = true;
      out.ts_value = u32(body.data());
      out.ts_echo = u32(body.data() + 4);
      return;
    case kSack:
      return parse_sack(body, out);
    default:
      return;
  }
}

void parse_options(std::span<const std::byte> bytes, bool syn, Options& out) {
  while (!bytes.empty()) {
    const uint8_t kind = u8(bytes.data());
    if (kind == kEnd) return;
    if (kind == kNop) {
      bytes = bytes.subspan(1);
      continue;
    }
    if (bytes.size() < 2) return;
    const size_t size = u8(bytes.data() + 1);
    if (size < 2 || size > bytes.size()) return;
    parse_option(kind, bytes.subspan(2, size - 2), syn, out);
    bytes = bytes.subspan(size);
  }
}

uint32_t option_space(const Options& o) {
  uint32_t n = 0;
  if (o.has_mss) n += 4;
  if (o.has_timestamp)
    n += kTimestampSpace;
  else if (o.sack_permitted)
    n += 4;
  if (o.has_shift) n += 4;
  if (o.sack_count) n += kSackBaseSpace + kSackBlockSpace * o.sack_count;
  return n;
}

void write_options(Writer& w, const Options& o) {
  if (o.has_mss) w.u8(kMss), w.u8(4), w.u16(o.mss);
  if (o.sack_permitted) {
    if (!o.has_timestamp) w.u8(kNop), w.u8(kNop);
    w.u8(kSackPermitted), w.u8(2);
  } else if (o.has_timestamp) {
    w.u8(kNop), w.u8(kNop);
  }
  if (o.has_timestamp) w.u8(kTimestamp), w.u8(10), w.u32(o.ts_value), w.u32(o.ts_echo);
  if (o.has_shift) w.u8(kNop), w.u8(kShift), w.u8(3), w.u8(o.shift);
  if (o.sack_count == 0) return;
  w.u8(kNop), w.u8(kNop), w.u8(kSack), w.u8(2 + 8 * uint32_t{o.sack_count});
  for (uint32_t i = 0; i < o.sack_count; ++i) w.u32(o.sack[i].start), w.u32(o.sack[i].end);
}

}  // namespace

uint32_t parse_header(std::span<const std::byte> bytes, uint32_t total, Ports& ports, Segment& out) {
  if (bytes.size() < kHeaderMin || total < kHeaderMin) return 0;
  const std::byte* p = bytes.data();
  const uint32_t size = uint32_t{u8(p + 12)} >> 4 << 2;
  if (size < kHeaderMin || size > bytes.size() || size > total) return 0;
  ports = {u16(p), u16(p + 2)};
  out = Segment{};
  out.seq = u32(p + 4);
  out.ack = u32(p + 8);
  out.flags = u8(p + 13);
  out.window = u16(p + 14);
  out.urgent = u16(p + 18);
  out.size = total - size;
  parse_options(bytes.subspan(kHeaderMin, size - kHeaderMin), out.has(flag::syn), out.options);
  return size;
}

uint32_t header_size(const Segment& segment) { return kHeaderMin + option_space(segment.options); }

uint32_t write_header(std::span<std::byte, kHeaderMax> out, Ports ports, const Segment& segment) {
  Writer w(out.data());
  w.u16(ports.source), w.u16(ports.destination);
  w.u32(segment.seq), w.u32(segment.ack);
  w.u8(header_size(segment) / 4 << 4), w.u8(segment.flags);
  w.u16(segment.window), w.u16(0), w.u16(segment.urgent);
  write_options(w, segment.options);
  return w.size();
}

}  // namespace runsc::net::tcp
