#include "net/inet/address.h"

#include <cstring>
#include <string>

// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::net;

namespace {

std::string text_of(const IpAddress& a) {
  char room[64];
  FixedText out(room);
  a.print(out);
  return std::string(out.view());
}

std::span<const std::byte> bytes(const void* p, size_t n) { return {static_cast<const std::byte*>(p), n}; }

}  // namespace

TEST_CASE("IpAddress prints as RFC 5952 wants it") {
  CHECK(text_of(IpAddress::v4(0x7f000001)) == "127.0.0.1");
  CHECK(text_of(kAnyV6) == "::");
  CHECK(text_of(kLoopbackV6) == "::1");
  CHECK(text_of({0x20010db800000000, 1}) == "2001:db8::1");
  CHECK(text_of({0x20010db800010001, 0x0001000100010001}) == "2001:db8:1:1:1:1:1:1");
  CHECK(text_of({0x20010db800000001, 0x0001000100010001}) == "2001:db8:0:1:1:1:1:1");
  CHECK(text_of({0x2001000000000001, 0x0000000000000001}) == "2001:0:0:1::1");
  CHECK(text_of({0xfe80000000000000, 0}) == "fe80::");
}

TEST_CASE("IpAddress knows its kinds") {
  CHECK(IpAddress::v4(0x7fffffff).is_loopback());
  CHECK_FALSE(IpAddress::v4(0x80000000).is_loopback());
  CHECK(kLoopbackV6.is_loopback());
  CHECK(kAnyV4.is_any());
  CHECK(kAnyV6.is_any());
  CHECK(kAnyV4 != kAnyV6);
  CHECK(IpAddress::v4(0xe0000001).is_multicast());
  CHECK(IpAddress{0xff02000000000000, 1}.is_multicast());
  CHECK(IpAddress{0xff02000000000000, 1}.needs_scope());
  CHECK_FALSE(IpAddress{0xff05000000000000, 1}.needs_scope());
  CHECK(IpAddress{0xfe80000000000000, 1}.is_link_local());
  CHECK(IpAddress{0xfebf000000000000, 1}.is_link_local());
  CHECK_FALSE(IpAddress{0xfec0000000000000, 1}.is_link_local());
  CHECK(IpAddress::v4(0x0a000001).matches(IpAddress::v4(0x0affffff), 8));
  CHECK_FALSE(IpAddress::v4(0x0a000001).matches(IpAddress::v4(0x0b000001), 8));
  CHECK(IpAddress::v4(0x0a000001).matches(IpAddress::v4(0), 0));
  CHECK_FALSE(IpAddress::v4(0x0a000001).matches(kAnyV6, 0));
  CHECK(IpAddress{1, 2}.matches({1, 3}, 127));
  CHECK_FALSE(IpAddress{1, 2}.matches({1, 3}, 128));
  CHECK(IpAddress{~0ull, ~0ull}.masked(64) == IpAddress{~0ull, 0});
  CHECK(IpAddress{~0ull, ~0ull}.masked(3) == IpAddress{0xe000000000000000, 0});
}

TEST_CASE("Socket addresses are read with care and written back") {
  uint8_t v4[16] = {2, 0, 0x1f, 0x90, 127, 0, 0, 1};
  SocketAddress a = parse_v4(bytes(v4, 16)).value();
  CHECK(a.address == kLoopbackV4);
  CHECK(a.port == 8080);
  CHECK(parse_v4(bytes(v4, 15)).error() == Errno::inval);
  CHECK(parse_v6(bytes(v4, 16)).error() == Errno::inval);
  Address out;
  put_address(a, family_number::inet, out);
  CHECK(out.size == 16);
  CHECK(memcmp(out.bytes, v4, 16) == 0);
  // The same through an IPv6 socket: mapped.
  put_address(a, family_number::inet6, out);
  CHECK(out.size == 28);
  SocketAddress b = parse_v6(out.span()).value();
  CHECK(b == a);
  CHECK(parse_v6(out.span().first(24)).value() == a);
  CHECK(parse_v6(out.span().first(23)).error() == Errno::inval);
  CHECK(parse_v4(out.span()).error() == Errno::afnosupport);
  CHECK(address_family(bytes(v4, 1)).error() == Errno::inval);
  // A scope is for addresses that need one.
  uint8_t v6[28] = {10, 0, 0, 1};
  v6[8] = 0xfe, v6[9] = 0x80, v6[24] = 3;
  CHECK(parse_v6(bytes(v6, 28)).value().scope == 3);
  v6[8] = 0x20;
  CHECK(parse_v6(bytes(v6, 28)).value().scope == 0);
}
