#include "kernel/futex.h"

#include <catch2/catch.hpp>

#include "kernel/chacha20.h"

using namespace runsc;
using namespace runsc::kernel;

TEST_CASE("futex: FUTEX_WAKE_OP operations") {
  auto op = [](uint32_t operation, uint32_t compare, uint32_t operand, uint32_t with) {
    return decode_wake_op(operation << 28 | compare << 24 | (operand & 0xfff) << 12 | (with & 0xfff));
  };
  auto add = op(1, 0, static_cast<uint32_t>(-1), 5);
  REQUIRE(add);
  CHECK(apply_wake_op(*add, 5) == 4);
  CHECK(compare_wake_op(*add, 5));
  CHECK_FALSE(compare_wake_op(*add, 4));
  auto shifted = op(8 | 2, 4, 31, 0);  // or with 1 << 31
  REQUIRE(shifted);
  CHECK(apply_wake_op(*shifted, 1) == 0x80000001);
  CHECK_FALSE(compare_wake_op(*shifted, 0x80000000));  // signed comparison
  CHECK(op(5, 0, 0, 0).error() == Errno::nosys);
  CHECK(op(0, 6, 0, 0).error() == Errno::nosys);
}

TEST_CASE("random: ChaCha20 block of RFC 8439, section 2.3.2") {
  uint32_t key[8], out[16];
  for (uint32_t i = 0; i < 8; ++i)
    key[i] = (4 * i) | (4 * i + 1) << 8 | (4 * i + 2) << 16 | (4 * i + 3) << 24;
  const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
  chacha20_block(key, 1, nonce, out);
  CHECK(out[0] == 0xe4e7f110);
  CHECK(out[1] == 0x15593bd1);
  CHECK(out[15] == 0x4e3c50a2);
}
