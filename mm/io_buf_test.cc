#include "mm/io_buf.h"

#include <string>

#include "mm/address_space.h"
#include "mm/flags.h"
#include "tests/unit/fake_arch/fake_arch.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::mm;
namespace fake = runsc::arch::fake;

namespace {
constexpr uint64_t kBase = 0x10000000;

struct Space {
  Space() {
    fake::start();
    space = AddressSpace::create().value();
    REQUIRE(space->mmap(
        {kBase, 2 * kPageSize, Prot::read | Prot::write, kMapPrivate | kMapFixed, {}, 0, Prot::all}, {}));
  }
  Ref<AddressSpace> space;
};
}  // namespace

TEST_CASE("IoBuf walks over segments, empty ones too") {
  Space s;
  IoSegment segments[] = {{kBase + 1, 3}, {kBase, 0}, {kBase + kPageSize - 2, 4}, {kBase + 100, 0}};
  IoBuf out(*s.space, segments);
  CHECK(out.remaining() == 7);
  CHECK(out.put("abcdefghij", 2).value() == 2);
  CHECK(out.put("cdefghij", 8).value() == 5);
  CHECK(out.remaining() == 0);
  CHECK(out.put("x", 1).value() == 0);
  CHECK(out.done() == 7);

  IoBuf in(*s.space, segments);
  char text[16] = {};
  CHECK(in.peek(text, 5).value() == 5);
  CHECK(in.done() == 0);
  CHECK(in.get(text, 4).value() == 4);
  CHECK(std::string(text, 4) == "abcd");
  in.rewind(2);
  CHECK(in.remaining() == 5);
  CHECK(in.get(text, 16).value() == 5);
  CHECK(std::string(text, 5) == "cdefg");
  in.rewind(7);
  CHECK(in.get(text, 7).value() == 7);
  CHECK(std::string(text, 7) == "abcdefg");
}

TEST_CASE("IoBuf stops at the first bad page, and says EFAULT only for nothing") {
  Space s;
  IoSegment segments[] = {{kBase + 2 * kPageSize - 4, 10}, {kBase, 4}};
  IoBuf buf(*s.space, segments);
  CHECK(buf.put("0123456789", 10).value() == 4);
  CHECK(buf.put("x", 1).error() == Errno::fault);
  CHECK(buf.put_zeros(3).error() == Errno::fault);
  CHECK(buf.done() == 4);
  CHECK(buf.put("", 0).value() == 0);
}

TEST_CASE("IoBuf over kernel bytes") {
  std::byte room[8] = {};
  IoBuf buf = IoBuf::kernel(room);
  CHECK_FALSE(buf.is_user());
  CHECK(buf.put("abc", 3).value() == 3);
  CHECK(buf.put_zeros(100).value() == 5);
  CHECK(buf.remaining() == 0);
  CHECK(room[2] == std::byte{'c'});
}
