// Headers as they stand in packets: IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768), ICMP (RFC 792, 4443).
#pragma once

#include "net/inet/address.h"

namespace runsc::net {

// Numbers in network order, at any address.
struct Be16 {
  uint8_t b[2];
  constexpr operator uint16_t() const { return static_cast<uint16_t>(b[0] << 8 | b[1]); }
  constexpr Be16& operator=(uint16_t v) {
    b[0] = static_cast<uint8_t>(v >> 8);
    b[1] = static_cast<uint8_t>(v);
    return *this;
  }
};
struct Be32 {
  uint8_t b[4];
  constexpr operator uint32_t() const {
    return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
  }
  constexpr Be32& operator=(uint32_t v) {
    for (unsigned i = 0; i < 4; ++i) b[i] = static_cast<uint8_t>(v >> (24 - 8 * i));
    return *this;
  }
};
// A checksum, in the order in which checksum_of() gives it.
struct Sum16 {
  uint8_t b[2];
  uint16_t raw() const {
    uint16_t v;
    __builtin_memcpy(&v, b, sizeof v);
    return v;
  }
  void set_raw(uint16_t v) { __builtin_memcpy(b, &v, sizeof v); }
};

struct Ipv4Header {
  uint8_t version_size;  // size in 4-byte words
  uint8_t tos;
  Be16 length, id, fragment;
  uint8_t ttl, protocol;
  Sum16 checksum;
  uint8_t source[4], destination[4];

  static constexpr uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000, kOffsetMask = 0x1fff;
  uint32_t size() const { return (version_size & 15) * 4u; }
  uint32_t offset() const { return (fragment & kOffsetMask) * 8u; }
  bool is_fragment() const { return fragment & (kMoreFragments | kOffsetMask); }
};
struct Ipv6Header {
  Be32 version_class_flow;
  Be16 length;  // of what follows
  uint8_t next, hop_limit;
  uint8_t source[16], destination[16];
};
struct Ipv6Extension {
  uint8_t next, size;  // in 8-byte words beyond the first
};
struct Ipv6Fragment {
  uint8_t next, reserved;
  Be16 offset_more;
  Be32 id;
  static constexpr uint16_t kMore = 1, kOffsetMask = 0xfff8;
};
struct UdpHeader {
  Be16 source, destination, length;
  Sum16 checksum;
};
struct IcmpHeader {
  uint8_t type, code;
  Sum16 checksum;
  union {
    struct {
      Be16 id, sequence;
    } echo;
    Be32 info;
  };
};
static_assert(sizeof(Ipv4Header) == 20 && sizeof(Ipv6Header) == 40 && sizeof(UdpHeader) == 8 &&
              sizeof(IcmpHeader) == 8 && sizeof(Ipv6Fragment) == 8 && alignof(Ipv6Header) == 1);

namespace icmp_type {
inline constexpr uint8_t echo_reply = 0, unreachable = 3, source_quench = 4, redirect = 5, echo = 8,
                         time_exceeded = 11, parameter = 12, timestamp = 13, timestamp_reply = 14;
}
namespace icmp6_type {
inline constexpr uint8_t unreachable = 1, too_big = 2, time_exceeded = 3, parameter = 4, echo = 128,
                         echo_reply = 129, mld_query = 130, mld_report = 131, mld_done = 132,
                         router_solicit = 133, router_advert = 134, neighbour_solicit = 135,
                         neighbour_advert = 136, redirect = 137, mld2_report = 143;
}

// A header at the front of some bytes. They must be there.
template <class T>
T& header_at(std::byte* bytes) {
  static_assert(alignof(T) == 1);
  // SAFETY: T is made of bytes, which live wherever bytes are.
  return *reinterpret_cast<T*>(bytes);
}
template <class T>
const T& header_at(const std::byte* bytes) {
  static_assert(alignof(T) == 1);
  return *reinterpret_cast<const T*>(bytes);
}

}  // namespace runsc::net
