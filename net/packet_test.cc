#include "net/packet.h"

#include <cstring>
#include <string>

#include "net/inet/backlog.h"
#include "tests/unit/fake_arch/fake_arch.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::net;

namespace {

std::string bytes_of(const Packet& packet) {
  std::string text(packet.size(), '?');
  packet.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

void put_text(Packet& packet, std::string_view text) {
  std::byte* at = packet.put(static_cast<uint32_t>(text.size()));
  REQUIRE(at);
  memcpy(at, text.data(), text.size());
}

Slice slice_of(std::string_view text) {
  Slice s = std::move(Slice::allocate(text.size()).value());
  memcpy(s.data(), text.data(), text.size());
  s.cut(static_cast<uint32_t>(text.size()));
  return s;
}

}  // namespace

TEST_CASE("Packet: headers in front, slices behind, all of it pulled and trimmed") {
  arch::fake::start();
  PacketPtr p = Packet::create(16);
  put_text(*p, "linear");
  REQUIRE(p->add_slice(slice_of("first")));
  REQUIRE(p->add_slice(slice_of("second")));
  memcpy(p->push(4), "head", 4);
  CHECK(bytes_of(*p) == "headlinearfirstsecond");
  CHECK(p->put(1) == nullptr);
  PacketPtr copy = p->clone();
  REQUIRE(copy);
  CHECK(bytes_of(*copy) == "headlinearfirstsecond");
  CHECK(p->pull(4));
  CHECK(p->pull(8));
  CHECK(bytes_of(*p) == "rstsecond");
  p->trim(4);
  CHECK(bytes_of(*p) == "rsts");
  CHECK(p->slices().size() == 2);
  CHECK_FALSE(p->pull(5));
  CHECK(p->pull(4));
  CHECK(p->size() == 0);
  CHECK(p->slices().empty());
  // The other one has kept its bytes, in the same pages.
  CHECK(bytes_of(*copy) == "headlinearfirstsecond");
  copy->trim(0);
  CHECK(copy->size() == 0);
}

TEST_CASE("Packet: header() brings bytes of slices together") {
  arch::fake::start();
  PacketPtr p = Packet::create(6);
  put_text(*p, "ab");
  REQUIRE(p->add_slice(slice_of("cd")));
  REQUIRE(p->add_slice(slice_of("efgh")));
  std::span<std::byte> head = p->header(5);
  REQUIRE(head.size() == 5);
  CHECK(memcmp(head.data(), "abcde", 5) == 0);
  CHECK(bytes_of(*p) == "abcdefgh");
  CHECK(p->header(7).empty());  // no room
  CHECK(p->header(9).empty());  // no bytes
}

TEST_CASE("Slices of one block join again; others are limited in number") {
  arch::fake::start();
  Slice whole = slice_of("abcdefghij");
  PacketPtr p = Packet::create();
  REQUIRE(p->add_slice(whole.part(0, 3)));
  REQUIRE(p->add_slice(whole.part(3, 4)));
  CHECK(p->slices().size() == 1);
  REQUIRE(p->add_slice(whole.part(8, 1)));
  CHECK(p->slices().size() == 2);
  CHECK(bytes_of(*p) == "abcdefgi");
  for (size_t i = 2; i < Packet::kMaxSlices; ++i) REQUIRE(p->add_slice(slice_of("x")));
  Slice more = slice_of("y");
  CHECK_FALSE(p->add_slice(std::move(more)));
  CHECK(more.size() == 1);
}

TEST_CASE("Packet: append takes any range of another") {
  arch::fake::start();
  PacketPtr p = Packet::create(4);
  put_text(*p, "0123");
  REQUIRE(p->add_slice(slice_of("4567")));
  REQUIRE(p->add_slice(slice_of("89")));
  for (size_t from = 0; from <= 10; ++from)
    for (size_t n = 0; from + n <= 10; ++n) {
      PacketPtr q = Packet::create(2);
      REQUIRE(q->append(*p, from, n));
      CHECK(bytes_of(*q) == std::string("0123456789").substr(from, n));
    }
}

TEST_CASE("PacketQueue takes from both ends and the middle") {
  arch::fake::start();
  PacketQueue q;
  for (const char* text : {"a", "b", "c"}) {
    PacketPtr p = Packet::create(1);
    put_text(*p, text);
    q.push_back(std::move(p));
  }
  Packet* first = q.front();
  CHECK(bytes_of(*q.take(first, *q.next(*first))) == "b");
  CHECK(q.count() == 2);
  CHECK(bytes_of(*q.pop_front()) == "a");
  PacketPtr p = Packet::create(1);
  put_text(*p, "d");
  q.push_back(std::move(p));
  CHECK(bytes_of(*q.pop_front()) == "c");
  CHECK(bytes_of(*q.pop_front()) == "d");
  CHECK(q.empty());
  CHECK_FALSE(q.pop_front());
}

TEST_CASE("The checksum of RFC 1071, however the bytes are cut") {
  const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc,
                           0xde, 0xf0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb};
  const auto all = std::as_bytes(std::span(bytes));
  // 0001 + f203 + f4f5 + f6f7 = ddf2 (with the carries), as the RFC has it.
  CHECK(__builtin_bswap16(static_cast<uint16_t>(~checksum_of(all.first(8)))) == 0xddf2);
  const uint16_t whole = checksum_of(all);
  for (size_t a = 0; a <= all.size(); ++a)
    for (size_t b = a; b <= all.size(); ++b) {
      ChecksumSum sum;
      sum.add(all.first(a));
      sum.add(all.subspan(a, b - a));
      sum.add(all.subspan(b));
      CHECK(sum.checksum() == whole);
    }
}

TEST_CASE("Packet: blocks that a little of keeps are counted, while nobody else has them") {
  arch::fake::start();
  PacketPtr p = Packet::create(0);
  Slice block = std::move(Slice::allocate(mm::kPageSize).value());
  CHECK(block.room() == 0);
  block.cut(10);
  CHECK(block.alone());
  CHECK(block.room() == mm::kPageSize - 10);
  {
    Slice other = block.part(0, 5);
    CHECK_FALSE(block.alone());
    CHECK(block.room() == 0);
  }
  REQUIRE(p->add_slice(std::move(block)));
  CHECK(p->idle_memory() == mm::kPageSize - 10);
  {
    PacketPtr copy = p->clone();
    REQUIRE(copy);
    CHECK(p->idle_memory() == 0);
  }
  PacketPtr full = Packet::create(0);
  REQUIRE(full->add_slice(std::move(Slice::allocate(mm::kPageSize).value())));
  CHECK(full->idle_memory() == 0);
}

TEST_CASE("Backlog: what comes of a packet is paid for by whom it was made for, not by who works on it") {
  arch::fake::start();
  AccountId& here = arch::cpu_local().account;
  Backlog backlog;
  here = 5;
  REQUIRE(backlog.push(Packet::create(16), 1));
  here = 6;
  REQUIRE(backlog.push(Packet::create(16), 1));
  here = 7;
  std::string seen;
  CHECK(backlog.drain(10, [&](PacketPtr packet) {
    Slice slice = std::move(Slice::allocate_atomic(100).value());
    seen += std::to_string(here) + (packet->payer() == here ? " " : "? ");
  }));
  CHECK(seen == "5 6 ");
  CHECK(here == 7);
  here = kNoAccount;
}
