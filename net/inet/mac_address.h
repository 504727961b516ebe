// MacAddress: the 48-bit address of a station or group on an Ethernet (IEEE 802), and those of IP's groups.
#pragma once

#include "net/inet/address.h"

namespace runsc::net {

struct MacAddress {
  uint8_t b[6] = {};
  friend constexpr bool operator==(const MacAddress&, const MacAddress&) = default;
  constexpr bool is_group() const { return b[0] & 1; }  // broadcast too
  constexpr bool is_broadcast() const { return *this == MacAddress{{255, 255, 255, 255, 255, 255}}; }
  constexpr bool is_zero() const { return *this == MacAddress{}; }
  constexpr bool is_station() const { return !is_group() && !is_zero(); }

  static MacAddress from(const void* six_bytes) {
    MacAddress m;
    __builtin_memcpy(m.b, six_bytes, sizeof m.b);
    return m;
  }
  // RFC 1112, 6.4; RFC 2464, 7.
  static constexpr MacAddress of_group(const IpAddress& group) {
    const auto low = static_cast<uint32_t>(group.low);
    const auto byte = [&](unsigned shift) { return static_cast<uint8_t>(low >> shift); };
    if (group.is_v4()) return {{1, 0, 0x5e, static_cast<uint8_t>(byte(16) & 0x7f), byte(8), byte(0)}};
    return {{0x33, 0x33, byte(24), byte(16), byte(8), byte(0)}};
  }
};
inline constexpr MacAddress kBroadcastMac{{255, 255, 255, 255, 255, 255}};

}  // namespace runsc::net
