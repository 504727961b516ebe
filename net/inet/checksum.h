// The Internet checksum (RFC 1071).
#pragma once

#include "net/inet/address.h"

namespace runsc::net {

// A sum over bytes that is not folded yet. Pieces are added in order; each but the last has an even length,
// or `odd` says that a piece starts at an odd place.
class ChecksumSum {
 public:
  void add(std::span<const std::byte> bytes);  // goes on at the parity where the last piece ended
  void add16(uint16_t host_order) { sum_ += __builtin_bswap16(host_order); }
  void add32(uint32_t host_order) {
    add16(static_cast<uint16_t>(host_order >> 16));
    add16(static_cast<uint16_t>(host_order));
  }
  // RFC 768, 793, 8200 section 8.1.
  void add_pseudo_header(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                         uint32_t length);
  // The one's complement sum as it stands in memory (native order); its inverse is the checksum.
  uint16_t folded() const;
  uint16_t checksum() const { return static_cast<uint16_t>(~folded()); }

 private:
  uint64_t sum_ = 0;  // of 16-bit words as they stand in memory
  bool odd_ = false;
};

// Over whole headers: what is to be stored (native order of the bytes in memory), 0 over a right one.
uint16_t checksum_of(std::span<const std::byte> bytes);

}  // namespace runsc::net
