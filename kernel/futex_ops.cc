// The little language of FUTEX_WAKE_OP.
#include "kernel/futex.h"

namespace runsc::kernel {

Result<WakeOp> decode_wake_op(uint32_t e) {
  auto sign_extend = [](uint32_t v) { return static_cast<int32_t>(v << 20) >> 20; };
  WakeOp op{e >> 28 & 7, e >> 24 & 15, sign_extend(e >> 12 & 0xfff), sign_extend(e & 0xfff)};
  constexpr uint32_t kShift = 8;
  if (e >> 28 & kShift) op.operand = static_cast<int32_t>(1u << (static_cast<uint32_t>(op.operand) & 31));
  if (op.operation > 4 || op.comparison > 5) return Errno::nosys;
  return op;
}

uint32_t apply_wake_op(const WakeOp& op, uint32_t old) {
  uint32_t arg = static_cast<uint32_t>(op.operand);
  switch (op.operation) {
    case 0:
      return arg;
    case 1:
      return old + arg;
    case 2:
      return old | arg;
    case 3:
      return old & ~arg;
    default:
      return old ^ arg;
  }
}

bool compare_wake_op(const WakeOp& op, uint32_t old) {
  int32_t v = static_cast<int32_t>(old);
  switch (op.comparison) {
    case 0:
      return v == op.compare_with;
    case 1:
      return v != op.compare_with;
    case 2:
      return v < op.compare_with;
    case 3:
      return v <= op.compare_with;
    case 4:
      return v > op.compare_with;
    default:
      return v >= op.compare_with;
  }
}

}  // namespace runsc::kernel
