#include "net/inet/address.h"

namespace runsc::net {

namespace {

template <class T>
T load_big(const void* p) {
  T v;
  __builtin_memcpy(&v, p, sizeof v);
  if constexpr (sizeof v == 2) return __builtin_bswap16(v);
  if constexpr (sizeof v == 4) return __builtin_bswap32(v);
  if constexpr (sizeof v == 8) return __builtin_bswap64(v);
}

// struct sockaddr_in and sockaddr_in6, ports and addresses in network order.
struct SockaddrV4 {
  uint16_t family, port;
  std::byte address[4];
  std::byte zero[8];
};
struct SockaddrV6 {
  uint16_t family, port;
  uint32_t flow_info;
  std::byte address[16];
  uint32_t scope;
};
static_assert(sizeof(SockaddrV4) == kSizeV4 && sizeof(SockaddrV6) == kSizeV6);

constexpr uint64_t ones(unsigned n) { return n == 0 ? 0 : ~uint64_t{0} << (64 - n); }

}  // namespace

IpAddress IpAddress::from_v4(const void* four_bytes) { return v4(load_big<uint32_t>(four_bytes)); }

IpAddress IpAddress::from_v6(const void* sixteen_bytes) {
  return {load_big<uint64_t>(sixteen_bytes),
          load_big<uint64_t>(static_cast<const std::byte*>(sixteen_bytes) + 8)};
}

void IpAddress::put_v4(void* four_bytes) const {
  const uint32_t v = __builtin_bswap32(v4());
  __builtin_memcpy(four_bytes, &v, sizeof v);
}

void IpAddress::put_v6(void* sixteen_bytes) const {
  const uint64_t v[2] = {__builtin_bswap64(high), __builtin_bswap64(low)};
  __builtin_memcpy(sixteen_bytes, v, sizeof v);
}

IpAddress IpAddress::masked(unsigned length) const {
  if (is_v4()) return v4(length == 0 ? 0 : v4() & (length >= 32 ? ~0u : ~0u << (32 - length)));
  return {high & ones(length > 64 ? 64 : length), length > 64 ? low & ones(length - 64) : 0};
}

bool IpAddress::matches(const IpAddress& prefix, unsigned length) const {
  return is_v4() == prefix.is_v4() && masked(length) == prefix.masked(length);
}

void IpAddress::print(TextSink& out) const {
  if (is_v4()) {
    format(out, "{}.{}.{}.{}", v4() >> 24, v4() >> 16 & 255, v4() >> 8 & 255, v4() & 255);
    return;
  }
  uint16_t group[8];
  for (unsigned i = 0; i < 8; ++i)
    group[i] = static_cast<uint16_t>((i < 4 ? high : low) >> (48 - i % 4 * 16));
  // The longest run of zeros, of two at least, becomes "::".
  unsigned best = 8, best_size = 1;
  for (unsigned i = 0; i < 8;) {
    unsigned n = 0;
    while (i + n < 8 && group[i + n] == 0) ++n;
    if (n > best_size) best = i, best_size = n;
    i += n ? n : 1;
  }
  for (unsigned i = 0; i < 8;) {
    if (i == best) {
      out.write("::");
      i += best_size;
      continue;
    }
    if (i > 0 && i != best + best_size) out.write(":");
    format(out, "{:x}", uint32_t{group[i]});
    ++i;
  }
}

Result<int> address_family(std::span<const std::byte> address) {
  uint16_t family;
  if (address.size() < sizeof family) return Errno::inval;
  __builtin_memcpy(&family, address.data(), sizeof family);
  return int{family};
}

Result<SocketAddress> parse_v4(std::span<const std::byte> address) {
  SockaddrV4 a;
  if (address.size() < sizeof a) return Errno::inval;
  __builtin_memcpy(&a, address.data(), sizeof a);
  if (a.family != family_number::inet) return Errno::afnosupport;
  SocketAddress out;
  out.address = IpAddress::from_v4(a.address);
  out.port = __builtin_bswap16(a.port);
  return out;
}

Result<SocketAddress> parse_v6(std::span<const std::byte> address) {
  SockaddrV6 a{};
  if (address.size() < kLeastSizeV6) return Errno::inval;
  __builtin_memcpy(&a, address.data(), address.size() < sizeof a ? address.size() : sizeof a);
  if (a.family != family_number::inet6) return Errno::afnosupport;
  SocketAddress out;
  out.address = IpAddress::from_v6(a.address);
  out.port = __builtin_bswap16(a.port);
  out.flow_info = a.flow_info;
  out.scope = out.address.needs_scope() ? a.scope : 0;
  return out;
}

void put_address(const SocketAddress& from, int domain, Address& out) {
  if (domain == family_number::inet) {
    SockaddrV4 a{};
    a.family = family_number::inet;
    a.port = __builtin_bswap16(from.port);
    from.address.put_v4(a.address);
    __builtin_memcpy(out.bytes, &a, sizeof a);
    out.size = sizeof a;
    return;
  }
  SockaddrV6 a{};
  a.family = family_number::inet6;
  a.port = __builtin_bswap16(from.port);
  a.flow_info = from.flow_info;
  from.address.put_v6(a.address);
  a.scope = from.scope;
  __builtin_memcpy(out.bytes, &a, sizeof a);
  out.size = sizeof a;
}

uint64_t keyed_hash(std::initializer_list<uint64_t> words, uint64_t secret) {
  uint64_t hash = secret;
  for (const uint64_t word : words) {
    const unsigned __int128 product = static_cast<unsigned __int128>(hash ^ word) * secret;
    hash = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  return hash;
}

}  // namespace runsc::net
