// Cookies that come back, and those that others make up.
#include "net/tcp/isn.h"
// Last: CHECK is the test's.
#undef CHECK
#undef DCHECK
#include <catch2/catch.hpp>

using namespace runsc::net;
using namespace runsc::net::tcp;

TEST_CASE("tcp: SipHash-2-4 of its authors' test vector", "[tcp]") {
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const uint64_t words[] = {0x0706050403020100};
  CHECK(siphash(key, words) == 0x93f5f5799a932462);
  CHECK(siphash(key, {}) == 0x726fdb47dd0e0e31);
}

TEST_CASE("tcp: SYN cookies", "[tcp]") {
  constexpr uint64_t kMinute = 60'000'000;
  const PortKey key{kLoopbackV4, kLoopbackV4, 80, 4242, 1};
  PortKey other = key;
  other.remote_port = 4243;
  const uint64_t now = 1234 * kMinute + 7;
  const Cookie c = make_cookie(key, 1000, 1460, now);
  CHECK(c.mss == 1460);
  CHECK(check_cookie(key, 1000, c.sequence, now) == 1460);
  CHECK(check_cookie(key, 1000, c.sequence, now + kMinute) == 1460);
  CHECK(check_cookie(key, 1000, c.sequence, now + 2 * kMinute) == 0);
  CHECK(check_cookie(key, 1001, c.sequence, now) == 0);
  CHECK(check_cookie(other, 1000, c.sequence, now) == 0);
  uint32_t lucky = 0;
  for (uint32_t i = 0; i < 100000; ++i)
    lucky += check_cookie(key, 1000, c.sequence + 1000 + i * 77777, now) != 0;
  CHECK(lucky < 5);
  CHECK(make_cookie(key, 1, 100, now).mss == 536);
  tcp::Options o;
  read_cookie_timestamp(cookie_timestamp(123456, true, 7, true), o);
  CHECK(o.has_shift);
  CHECK(o.shift == 7);
  CHECK(o.sack_permitted);
  read_cookie_timestamp(cookie_timestamp(123456, false, 0, false), o);
  CHECK_FALSE(o.has_shift);
  CHECK_FALSE(o.sack_permitted);
  CHECK(distance(cookie_timestamp(123456, true, 14, true), 123456) >= 0);
}

TEST_CASE("tcp: initial numbers differ by connection and grow with time", "[tcp]") {
  const PortKey a{kLoopbackV6, kLoopbackV6, 80, 4242, 1};
  PortKey b = a;
  b.remote_port = 4243;
  CHECK(initial_sequence(a, 4000) - initial_sequence(a, 0) == 1000);
  CHECK(initial_sequence(a, 0) != initial_sequence(b, 0));
  CHECK(timestamp_offset(a) == timestamp_offset(b));
}
