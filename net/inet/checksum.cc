#include "net/inet/checksum.h"

namespace runsc::net {

void ChecksumSum::add(std::span<const std::byte> bytes) {
  const std::byte* p = bytes.data();
  size_t n = bytes.size();
  if (n == 0) return;
  if (odd_) {
    sum_ += static_cast<uint64_t>(*p) << 8;
    odd_ = false;
    ++p, --n;
  }
  // 32 bits at a time: the carries pile up in the upper half, which folded() brings back. A packet is too
  // short to let that overflow.
  uint64_t a = 0, b = 0;
  for (; n >= 16; n -= 16, p += 16) {
    uint32_t w[4];
    __builtin_memcpy(w, p, sizeof w);
    a += uint64_t{w[0]} + w[1];
    b += uint64_t{w[2]} + w[3];
  }
  for (; n >= 2; n -= 2, p += 2) {
    uint16_t w;
    __builtin_memcpy(&w, p, sizeof w);
    a += w;
  }
  if (n) {
    a += static_cast<uint64_t>(*p);
    odd_ = true;
  }
  a += b;
  sum_ += (a & 0xffffffff) + (a >> 32);
}

void ChecksumSum::add_pseudo_header(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                                    uint32_t length) {
  auto add_address = [&](const IpAddress& a) {
    if (!a.is_v4()) {
      add32(static_cast<uint32_t>(a.high >> 32));
      add32(static_cast<uint32_t>(a.high));
      add32(static_cast<uint32_t>(a.low >> 32));
    }
    add32(static_cast<uint32_t>(a.low));
  };
  add_address(source);
  add_address(destination);
  add32(length);
  add16(protocol);
}

uint16_t ChecksumSum::folded() const {
  uint64_t s = sum_;
  while (s >> 16) s = (s & 0xffff) + (s >> 16);
  return static_cast<uint16_t>(s);
}

uint16_t checksum_of(std::span<const std::byte> bytes) {
  ChecksumSum sum;
  sum.add(bytes);
  return sum.checksum();
}

}  // namespace runsc::net
