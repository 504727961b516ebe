#include "net/inet/reassembly.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/unit/fake_arch/fake_arch.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::net;

namespace {

constexpr FragmentKey kKey{kLoopbackV4, kLoopbackV4, 7, 1, 17};

std::string pattern(size_t n) {
  std::string text(n, '\0');
  for (size_t i = 0; i < n; ++i) text[i] = static_cast<char>(i * 31 + i / 256);
  return text;
}

Reassembly::Outcome add(Reassembly& r, const std::string& payload, size_t from, size_t size, bool more,
                        const FragmentKey& key = kKey, uint64_t now = 0) {
  const std::string bytes = "HEAD" + payload.substr(from, size);
  PacketPtr p = Packet::create(static_cast<uint32_t>(bytes.size()));
  memcpy(p->put(static_cast<uint32_t>(bytes.size())), bytes.data(), bytes.size());
  return r.add(key, {static_cast<uint32_t>(from), 4, more}, std::move(p), now);
}

using Verdict = Reassembly::Verdict;

}  // namespace

TEST_CASE("Fragments come together in any order") {
  arch::fake::start();
  const std::string payload = pattern(65000);
  // Every order of four; and many small ones, more than a packet has slices.
  std::vector<size_t> order = {0, 1, 2, 3};
  do {
    Reassembly r;
    for (size_t i = 0; i < 4; ++i) {
      const size_t n = order[i];
      auto out = add(r, payload, n * 16, n == 3 ? 5 : 16, n != 3);
      CHECK((out.verdict == Verdict::complete) == (i == 3));
      if (i < 3) continue;
      std::string got(out.packet->size(), '?');
      out.packet->read(0, std::as_writable_bytes(std::span(got)));
      CHECK(got == "HEAD" + payload.substr(0, 53));
    }
    CHECK(r.count() == 0);
    CHECK(r.memory() == 0);
  } while (std::next_permutation(order.begin(), order.end()));
  Reassembly r;
  for (size_t at = 0; at < payload.size(); at += 1000) {
    auto out = add(r, payload, at, 1000, at + 1000 < payload.size());
    if (at + 1000 < payload.size()) {
      CHECK(out.verdict == Verdict::waits);
      continue;
    }
    REQUIRE(out.verdict == Verdict::complete);
    std::string got(out.packet->size(), '?');
    out.packet->read(0, std::as_writable_bytes(std::span(got)));
    CHECK(got == "HEAD" + payload);
  }
}

TEST_CASE("The headers of a datagram are its first fragment's, whichever came last") {
  arch::fake::start();
  auto part = [](std::string headers, uint32_t offset, std::string payload, bool more, uint8_t ttl,
                 Reassembly& r) {
    const std::string bytes = headers + payload;
    PacketPtr p = Packet::create(static_cast<uint32_t>(bytes.size()));
    memcpy(p->put(static_cast<uint32_t>(bytes.size())), bytes.data(), bytes.size());
    p->info.ttl = ttl;
    return r.add(kKey, {offset, static_cast<uint32_t>(headers.size()), more}, std::move(p), 0);
  };
  for (const bool first_is_last : {false, true}) {
    for (const bool first_is_longer : {false, true}) {
      const std::string headers = first_is_longer ? std::string(60, 'h') : "short",
                        other = first_is_longer ? "tiny" : std::string(60, 'o');
      Reassembly r;
      Reassembly::Outcome out;
      if (first_is_last) {
        CHECK(part(other, 8, "rest", false, 2, r).verdict == Verdict::waits);
        out = part(headers, 0, "eight888", true, 1, r);
      } else {
        CHECK(part(headers, 0, "eight888", true, 1, r).verdict == Verdict::waits);
        out = part(other, 8, "rest", false, 2, r);
      }
      REQUIRE(out.verdict == Verdict::complete);
      CHECK(out.header == headers.size());
      CHECK(out.packet->info.ttl == 1);
      std::string got(out.packet->size(), '?');
      out.packet->read(0, std::as_writable_bytes(std::span(got)));
      CHECK(got == headers + "eight888rest");
      // There is room for the transport's header in the same piece.
      CHECK(out.packet->header(out.header + 12).size() == out.header + 12);
    }
  }
}

TEST_CASE("Overlaps end a datagram, repetitions do not") {
  arch::fake::start();
  const std::string payload = pattern(100);
  Reassembly r;
  CHECK(add(r, payload, 0, 16, true).verdict == Verdict::waits);
  CHECK(add(r, payload, 0, 16, true).verdict == Verdict::waits);
  CHECK(add(r, payload, 8, 16, true).verdict == Verdict::dropped);
  CHECK(r.count() == 0);
  CHECK(add(r, payload, 16, 8, false).verdict == Verdict::waits);
  CHECK(add(r, payload, 32, 8, true).verdict == Verdict::dropped);  // behind the end
  CHECK(add(r, payload, 32, 8, true).verdict == Verdict::waits);
  CHECK(add(r, payload, 16, 8, false).verdict == Verdict::dropped);  // an end in front of what came
}

TEST_CASE("Fragments that cannot be are dropped") {
  arch::fake::start();
  const std::string payload = pattern(70000);
  Reassembly r;
  CHECK(add(r, payload, 0, 0, true).verdict == Verdict::dropped);
  CHECK(add(r, payload, 0, 15, true).verdict == Verdict::dropped);
  CHECK(add(r, payload, 65528, 16, false).verdict == Verdict::dropped);
  PacketPtr p = Packet::create(2);
  p->put(2);
  CHECK(r.add(kKey, {0, 4, true}, std::move(p), 0).verdict == Verdict::dropped);
  CHECK(r.count() == 0);
}

TEST_CASE("Memory and time have limits") {
  arch::fake::start();
  const std::string payload = pattern(65000);
  Reassembly r;
  FragmentKey key = kKey;
  for (uint32_t i = 0; i < 3000; ++i) {
    key.id = i;
    add(r, payload, 8, 8000, true, key, 100);
    CHECK(r.memory() <= Reassembly::kMemoryMax);
  }
  CHECK(r.count() > 0);
  CHECK(r.count() <= 1024);
  PacketQueue told;
  uint32_t count = 0;
  CHECK(r.next_deadline() == 100 + Reassembly::kLife4);
  r.expire(99 + Reassembly::kLife4, told, count);
  CHECK(count == 0);
  r.expire(100 + Reassembly::kLife4, told, count);
  CHECK(count > 0);
  CHECK(told.empty());  // the first fragment never came
  CHECK(r.memory() == 0);
  CHECK(r.next_deadline() == ~uint64_t{0});
  add(r, payload, 0, 8, true, kKey, 0);
  r.expire(~uint64_t{0}, told, count);
  CHECK(told.count() == 1);
}
