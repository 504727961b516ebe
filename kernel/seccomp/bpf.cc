#include "kernel/seccomp/bpf.h"

#include "kernel/base/check.h"
#include "kernel/base/vec.h"

namespace runsc::kernel {
namespace {

// linux/bpf_common.h: class, size or operation, mode or source.
constexpr uint16_t kLd = 0x00, kLdx = 0x01, kSt = 0x02, kStx = 0x03, kAlu = 0x04, kJmp = 0x05, kRet = 0x06,
                   kMisc = 0x07, kClass = 0x07;
constexpr uint16_t kWord = 0x00, kImm = 0x00, kAbs = 0x20, kMem = 0x60, kLen = 0x80;
constexpr uint16_t kAdd = 0x00, kSub = 0x10, kMul = 0x20, kDiv = 0x30, kOr = 0x40, kAnd = 0x50, kLsh = 0x60,
                   kRsh = 0x70, kNeg = 0x80, kXor = 0xa0, kOperation = 0xf0;
constexpr uint16_t kJa = 0x00, kJeq = 0x10, kJgt = 0x20, kJge = 0x30, kJset = 0x40;
constexpr uint16_t kX = 0x08, kA = 0x10;
constexpr uint16_t kTax = 0x00, kTxa = 0x80;
constexpr uint32_t kScratchWords = 16;

bool known_alu(uint16_t code) {
  switch (code & kOperation) {
    case kAdd:
    case kSub:
    case kMul:
    case kDiv:
    case kOr:
    case kAnd:
    case kLsh:
    case kRsh:
    case kXor:
      return true;
    case kNeg:
      return !(code & kX);
    default:
      return false;
  }
}

bool known_jump(uint16_t code) {
  switch (code & kOperation) {
    case kJa:
      return !(code & kX);
    case kJeq:
    case kJgt:
    case kJge:
    case kJset:
      return true;
    default:
      return false;
  }
}

bool operands_fit(const BpfInstruction& i) {
  switch (i.code & kClass) {
    case kLd:
      if (i.code == (kLd | kWord | kAbs)) return i.k % 4 == 0 && i.k < sizeof(SeccompData);
      [[fallthrough]];
    case kLdx:
      if ((i.code & ~kClass) == (kWord | kLen) || (i.code & ~kClass) == kImm) return true;
      return (i.code & ~kClass) == kMem && i.k < kScratchWords;
    case kSt:
    case kStx:
      return (i.code & ~kClass) == 0 && i.k < kScratchWords;
    case kAlu:
      if (!known_alu(i.code) || i.code > 0xff) return false;
      if (i.code & kX) return true;
      if ((i.code & kOperation) == kDiv) return i.k != 0;
      if ((i.code & kOperation) == kLsh || (i.code & kOperation) == kRsh) return i.k < 32;
      return true;
    case kJmp:
      return known_jump(i.code) && i.code <= 0xff;
    case kRet:
      return i.code == kRet || i.code == (kRet | kA);
    default:
      return i.code == (kMisc | kTax) || i.code == (kMisc | kTxa);
  }
}

// Whether the jumps of the instruction at `at` stay in a program of `size`; each goes forward.
bool jumps_fit(const BpfInstruction& i, size_t at, size_t size) {
  if ((i.code & kClass) != kJmp) return true;
  size_t left = size - at - 1;
  if ((i.code & kOperation) == kJa) return i.k < left;
  return i.jump_true < left && i.jump_false < left;
}

// Scratch words that are surely written before each instruction: forward jumps only, so one pass tells.
Result<void> check_scratch(std::span<const BpfInstruction> program) {
  constexpr uint16_t kAll = 0xffff;
  Vec<uint16_t> known;
  TRY(known.reserve(program.size()));
  for (size_t at = 0; at < program.size(); ++at) TRY(known.push_back(kAll));
  uint16_t now = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const BpfInstruction& i = program[at];
    now &= known[at];
    uint16_t kind = i.code & kClass;
    if (kind == kSt || kind == kStx) now |= static_cast<uint16_t>(1u << i.k);
    if ((kind == kLd || kind == kLdx) && (i.code & ~kClass) == kMem && !(now >> i.k & 1)) return Errno::inval;
    if (kind == kJmp) {
      if ((i.code & kOperation) == kJa) {
        known[at + 1 + i.k] &= now;
      } else {
        known[at + 1 + i.jump_true] &= now;
        known[at + 1 + i.jump_false] &= now;
      }
      now = kAll;
    }
    if (kind == kRet) now = kAll;
  }
  return {};
}

struct Machine {
  uint32_t a = 0, x = 0;
  uint32_t scratch[kScratchWords] = {};
};

uint32_t load(const BpfInstruction& i, const Machine& m, const SeccompData& data) {
  switch (i.code & ~kClass) {
    case kImm:
      return i.k;
    case kMem:
      return m.scratch[i.k];
    case kWord | kLen:
      return sizeof data;
    default: {
      uint32_t word;
      __builtin_memcpy(&word, reinterpret_cast<const char*>(&data) + i.k, sizeof word);
      return word;
    }
  }
}

// False: a division by zero, which ends the program with 0.
bool compute(const BpfInstruction& i, Machine& m) {
  uint32_t by = i.code & kX ? m.x : i.k;
  switch (i.code & kOperation) {
    case kAdd:
      m.a += by;
      break;
    case kSub:
      m.a -= by;
      break;
    case kMul:
      m.a *= by;
      break;
    case kDiv:
      if (by == 0) return false;
      m.a /= by;
      break;
    case kOr:
      m.a |= by;
      break;
    case kAnd:
      m.a &= by;
      break;
    case kXor:
      m.a ^= by;
      break;
    case kLsh:
      m.a <<= by & 31;
      break;
    case kRsh:
      m.a >>= by & 31;
      break;
    default:
      m.a = -m.a;
      break;
  }
  return true;
}

size_t jump(const BpfInstruction& i, const Machine& m) {
  uint32_t with = i.code & kX ? m.x : i.k;
  bool taken = false;
  switch (i.code & kOperation) {
    case kJa:
      return i.k;
    case kJeq:
      taken = m.a == with;
      break;
    case kJgt:
      taken = m.a > with;
      break;
    case kJge:
      taken = m.a >= with;
      break;
    default:
      taken = m.a & with;
      break;
  }
  return taken ? i.jump_true : i.jump_false;
}

}  // namespace

Result<void> bpf_check(std::span<const BpfInstruction> program) {
  if (program.empty() || program.size() > kBpfMaxInstructions) return Errno::inval;
  for (size_t at = 0; at < program.size(); ++at)
    if (!operands_fit(program[at]) || !jumps_fit(program[at], at, program.size())) return Errno::inval;
  if ((program.back().code & kClass) != kRet) return Errno::inval;
  return check_scratch(program);
}

uint32_t bpf_run(std::span<const BpfInstruction> program, const SeccompData& data) {
  Machine m;
  for (size_t at = 0;; ++at) {
    CHECK(at < program.size(), "a BPF program ran past its end");
    const BpfInstruction& i = program[at];
    switch (i.code & kClass) {
      case kLd:
        m.a = load(i, m, data);
        break;
      case kLdx:
        m.x = load(i, m, data);
        break;
      case kSt:
        m.scratch[i.k] = m.a;
        break;
      case kStx:
        m.scratch[i.k] = m.x;
        break;
      case kAlu:
        if (!compute(i, m)) return 0;
        break;
      case kJmp:
        at += jump(i, m);
        break;
      case kRet:
        return i.code & kA ? m.a : i.k;
      default:
        if (i.code & kTxa)
          m.a = m.x;
        else
          m.x = m.a;
        break;
    }
  }
}

}  // namespace runsc::kernel
