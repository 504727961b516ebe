#include "kernel/base/bpf.h"

#include "kernel/base/vec.h"

namespace runsc {

namespace {

bool known_alu(uint16_t code, bool modulo) {
  switch (code & bpf::operation_mask) {
    case bpf::add:
    case bpf::sub:
    case bpf::mul:
    case bpf::div:
    case bpf::or_:
    case bpf::and_:
    case bpf::lsh:
    case bpf::rsh:
    case bpf::xor_:
      return true;
    case bpf::mod:
      return modulo;
    case bpf::neg:
      return !(code & bpf::x);
    default:
      return false;
  }
}

bool known_jump(uint16_t code) {
  switch (code & bpf::operation_mask) {
    case bpf::ja:
      return !(code & bpf::x);
    case bpf::jeq:
    case bpf::jgt:
    case bpf::jge:
    case bpf::jset:
      return true;
    default:
      return false;
  }
}

bool operands_fit(const BpfInstruction& i, const BpfRules& rules) {
  switch (i.code & bpf::class_mask) {
    case bpf::ld:
    case bpf::ldx:
      switch (i.code & ~bpf::class_mask) {
        case bpf::word | bpf::imm:
        case bpf::word | bpf::len:
          return true;
        case bpf::word | bpf::mem:
          return i.k < bpf::scratch_words;
        default:
          return rules.load_fits(i);
      }
    case bpf::st:
    case bpf::stx:
      return (i.code & ~bpf::class_mask) == 0 && i.k < bpf::scratch_words;
    case bpf::alu:
      if (!known_alu(i.code, rules.modulo) || i.code > 0xff) return false;
      if (i.code & bpf::x) return true;
      if ((i.code & bpf::operation_mask) == bpf::div || (i.code & bpf::operation_mask) == bpf::mod)
        return i.k != 0;
      if ((i.code & bpf::operation_mask) == bpf::lsh || (i.code & bpf::operation_mask) == bpf::rsh)
        return i.k < 32;
      return true;
    case bpf::jmp:
      return known_jump(i.code) && i.code <= 0xff;
    case bpf::ret:
      return i.code == bpf::ret || i.code == (bpf::ret | bpf::a);
    default:
      return i.code == (bpf::misc | bpf::tax) || i.code == (bpf::misc | bpf::txa);
  }
}

// Whether the jumps of the instruction at `at` stay in a program of `size`; each goes forward.
bool jumps_fit(const BpfInstruction& i, size_t at, size_t size) {
  if ((i.code & bpf::class_mask) != bpf::jmp) return true;
  size_t left = size - at - 1;
  if ((i.code & bpf::operation_mask) == bpf::ja) return i.k < left;
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
    uint16_t kind = i.code & bpf::class_mask;
    if (kind == bpf::st || kind == bpf::stx) now |= static_cast<uint16_t>(1u << i.k);
    if ((kind == bpf::ld || kind == bpf::ldx) && (i.code & ~bpf::class_mask) == bpf::mem && !(now >> i.k & 1))
      return Errno::inval;
    if (kind == bpf::jmp) {
      if ((i.code & bpf::operation_mask) == bpf::ja) {
        known[at + 1 + i.k] &= now;
      } else {
        known[at + 1 + i.jump_true] &= now;
        known[at + 1 + i.jump_false] &= now;
      }
      now = kAll;
    }
    if (kind == bpf::ret) now = kAll;
  }
  return {};
}

}  // namespace

bool BpfMachine::compute(const BpfInstruction& i) {
  uint32_t by = i.code & bpf::x ? x : i.k;
  switch (i.code & bpf::operation_mask) {
    case bpf::add:
      a += by;
      break;
    case bpf::sub:
      a -= by;
      break;
    case bpf::mul:
      a *= by;
      break;
    case bpf::div:
      if (by == 0) return false;
      a /= by;
      break;
    case bpf::mod:
      if (by == 0) return false;
      a %= by;
      break;
    case bpf::or_:
      a |= by;
      break;
    case bpf::and_:
      a &= by;
      break;
    case bpf::xor_:
      a ^= by;
      break;
    case bpf::lsh:
      a <<= by & 31;
      break;
    case bpf::rsh:
      a >>= by & 31;
      break;
    default:
      a = -a;
      break;
  }
  return true;
}

Result<void> bpf_check(std::span<const BpfInstruction> program, const BpfRules& rules) {
  if (program.empty() || program.size() > kBpfMaxInstructions) return Errno::inval;
  for (size_t at = 0; at < program.size(); ++at)
    if (!operands_fit(program[at], rules) || !jumps_fit(program[at], at, program.size())) return Errno::inval;
  if ((program.back().code & bpf::class_mask) != bpf::ret) return Errno::inval;
  return check_scratch(program);
}

}  // namespace runsc
