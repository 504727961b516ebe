#include "net/inet/icmp_limit.h"

#include "tests/unit/fake_arch/fake_arch.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::net;

TEST_CASE("ICMP errors: a few to one host at once, then one in a second") {
  arch::fake::start();
  IcmpLimit limit;
  uint64_t now = 1000 * IcmpLimit::kSecond;
  for (uint32_t i = 0; i < IcmpLimit::kBurst; ++i) CHECK(limit.allow(7, now));
  CHECK_FALSE(limit.allow(7, now));
  CHECK(limit.allow(8, now));
  CHECK_FALSE(limit.allow(7, now + IcmpLimit::kSecond - 1));
  CHECK(limit.allow(7, now + IcmpLimit::kSecond));
  CHECK_FALSE(limit.allow(7, now + IcmpLimit::kSecond));
  now += 100 * IcmpLimit::kSecond;
  for (uint32_t i = 0; i < IcmpLimit::kBurst; ++i) CHECK(limit.allow(7, now));
  CHECK_FALSE(limit.allow(7, now));
}

TEST_CASE("ICMP errors: so many in all") {
  arch::fake::start();
  IcmpLimit limit;
  uint64_t now = 1000 * IcmpLimit::kSecond;
  uint32_t sent = 0;
  for (uint64_t host = 1; host <= 1000; ++host) sent += limit.allow(host * 0x9e3779b97f4a7c15, now);
  CHECK(sent == IcmpLimit::kBurstOfAll);
  now += 10 * IcmpLimit::kGapOfAll;
  sent = 0;
  for (uint64_t host = 2001; host <= 3000; ++host) sent += limit.allow(host * 0x9e3779b97f4a7c15, now);
  CHECK(sent == 10);
}
