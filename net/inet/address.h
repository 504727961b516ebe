// IpAddress: an address of IPv4 (RFC 791) or IPv6 (RFC 4291). One form for both: IPv4 is kept as the
// IPv4-mapped ::ffff:a.b.c.d, which never stands in an IPv6 header that we send or take.
#pragma once

#include <initializer_list>

#include "kernel/base/format.h"
#include "kernel/base/result.h"
#include "net/types.h"

namespace runsc::net {

struct IpAddress {
  uint64_t high = 0, low = 0;  // host order: high is the first eight bytes

  static constexpr uint64_t kMapped = uint64_t{0xffff} << 32;
  constexpr IpAddress() = default;  // ::
  constexpr IpAddress(uint64_t h, uint64_t l) : high(h), low(l) {}
  static constexpr IpAddress v4(uint32_t host_order) { return {0, kMapped | host_order}; }
  static IpAddress from_v4(const void* four_bytes);
  static IpAddress from_v6(const void* sixteen_bytes);
  void put_v4(void* four_bytes) const;
  void put_v6(void* sixteen_bytes) const;

  friend constexpr bool operator==(const IpAddress&, const IpAddress&) = default;
  constexpr bool is_v4() const { return high == 0 && low >> 32 == 0xffff; }
  constexpr uint32_t v4() const { return static_cast<uint32_t>(low); }  // host order
  constexpr unsigned bits() const { return is_v4() ? 32 : 128; }
  // 0.0.0.0 or ::
  constexpr bool is_any() const { return high == 0 && (low == 0 || low == kMapped); }
  constexpr bool is_loopback() const {  // 127/8, ::1
    return high == 0 && (low == 1 || (low >> 24) == (kMapped >> 24 | 127));
  }
  constexpr bool is_multicast() const {  // 224/4, ff00::/8
    return is_v4() ? v4() >> 28 == 0xe : high >> 56 == 0xff;
  }
  constexpr bool is_broadcast() const { return is_v4() && v4() == ~0u; }
  constexpr bool is_link_local() const {  // 169.254/16, fe80::/10
    return is_v4() ? v4() >> 16 == 0xa9fe : high >> 54 == 0xfe80 >> 6;
  }
  // ff01::/16, ff02::/16: the interface belongs to the address.
  constexpr bool is_link_local_multicast() const {
    return !is_v4() && high >> 56 == 0xff && ((high >> 48 & 0xf) == 1 || (high >> 48 & 0xf) == 2);
  }
  constexpr bool needs_scope() const { return !is_v4() && (is_link_local() || is_link_local_multicast()); }
  // The first `length` bits, counted from the first of the family, are the same. Families differ: false.
  bool matches(const IpAddress& prefix, unsigned length) const;
  IpAddress masked(unsigned length) const;
  void print(TextSink& out) const;  // RFC 5952
};
// A number of these words that nobody can foresee who does not know the secret.
uint64_t keyed_hash(std::initializer_list<uint64_t> words, uint64_t secret);
inline constexpr IpAddress kAnyV4 = IpAddress::v4(0), kAnyV6{};
inline constexpr IpAddress kLoopbackV4 = IpAddress::v4(0x7f000001), kLoopbackV6{0, 1};
inline constexpr IpAddress kBroadcastV4 = IpAddress::v4(~0u);
constexpr IpAddress any_address(bool v6) { return v6 ? kAnyV6 : kAnyV4; }

// struct sockaddr_in, struct sockaddr_in6.
struct SocketAddress {
  IpAddress address;
  uint16_t port = 0;       // host order
  uint32_t scope = 0;      // sin6_scope_id: an interface
  uint32_t flow_info = 0;  // sin6_flowinfo, network order as given
  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
};

inline constexpr size_t kSizeV4 = 16, kSizeV6 = 28, kLeastSizeV6 = 24;  // RFC 2133's had no scope

// The sa_family of an address; EINVAL: shorter than that.
Result<int> address_family(std::span<const std::byte> address);
// EINVAL: too short; EAFNOSUPPORT: of another family. An IPv6 one may hold a mapped address.
Result<SocketAddress> parse_v4(std::span<const std::byte> address);
Result<SocketAddress> parse_v6(std::span<const std::byte> address);
// As sockets of `domain` (AF_INET, AF_INET6) show it.
void put_address(const SocketAddress& from, int domain, Address& out);

}  // namespace runsc::net
