// Classic BPF: what its users have in common. They differ in what a program can load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/base/check.h"
#include "kernel/base/result.h"

namespace runsc {

// struct sock_filter (linux/filter.h).
struct BpfInstruction {
  uint16_t code;
  uint8_t jump_true, jump_false;
  uint32_t k;
};
static_assert(sizeof(BpfInstruction) == 8);

inline constexpr size_t kBpfMaxInstructions = 4096;

// linux/bpf_common.h: class, size or operation, mode or source.
namespace bpf {
inline constexpr uint16_t ld = 0x00, ldx = 0x01, st = 0x02, stx = 0x03, alu = 0x04, jmp = 0x05, ret = 0x06,
                          misc = 0x07, class_mask = 0x07;
inline constexpr uint16_t word = 0x00, half = 0x08, byte = 0x10, size_mask = 0x18;
inline constexpr uint16_t imm = 0x00, abs = 0x20, ind = 0x40, mem = 0x60, len = 0x80, msh = 0xa0,
                          mode_mask = 0xe0;
inline constexpr uint16_t add = 0x00, sub = 0x10, mul = 0x20, div = 0x30, or_ = 0x40, and_ = 0x50, lsh = 0x60,
                          rsh = 0x70, neg = 0x80, mod = 0x90, xor_ = 0xa0, operation_mask = 0xf0;
inline constexpr uint16_t ja = 0x00, jeq = 0x10, jgt = 0x20, jge = 0x30, jset = 0x40;
inline constexpr uint16_t x = 0x08, a = 0x10, tax = 0x00, txa = 0x80;
inline constexpr uint32_t scratch_words = 16;
}  // namespace bpf

// What a kind of program may do beside what all may.
struct BpfRules {
  // Of a load that is neither of a constant, of a scratch word nor of the length.
  bool (*load_fits)(const BpfInstruction& instruction);
  bool modulo;
};

// EINVAL: too long or empty, an instruction that the rules do not allow, a jump past the end, a way that does
// not end in a return, a scratch word that is read before it is written, a division by the constant 0, a
// shift by more than 31. ENOMEM.
Result<void> bpf_check(std::span<const BpfInstruction> program, const BpfRules& rules);

// The registers of a program, and the instructions that touch nothing else.
struct BpfMachine {
  uint32_t a = 0, x = 0;
  uint32_t scratch[bpf::scratch_words] = {};

  // False: a division by zero, which ends the program with 0.
  bool compute(const BpfInstruction& i);
  // How many instructions to skip.
  size_t jump(const BpfInstruction& i) const;
};

inline size_t BpfMachine::jump(const BpfInstruction& i) const {
  uint32_t with = i.code & bpf::x ? x : i.k;
  bool taken = false;
  switch (i.code & bpf::operation_mask) {
    case bpf::ja:
      return i.k;
    case bpf::jeq:
      taken = a == with;
      break;
    case bpf::jgt:
      taken = a > with;
      break;
    case bpf::jge:
      taken = a >= with;
      break;
    default:
      taken = a & with;
      break;
  }
  return taken ? i.jump_true : i.jump_false;
}

// The program must have passed bpf_check(). Ends after at most as many steps as it has instructions. The data
// is asked for `length()` and `load(instruction, a, x, value)`, which is false where there is nothing: the
// program then ends with 0.
template <class Data>
uint32_t bpf_run(std::span<const BpfInstruction> program, const Data& data) {
  BpfMachine m;
  const auto load = [&](const BpfInstruction& i, uint32_t& value) {
    switch (i.code & ~bpf::class_mask) {
      case bpf::word | bpf::imm:
        return value = i.k, true;
      case bpf::word | bpf::mem:
        return value = m.scratch[i.k], true;
      case bpf::word | bpf::len:
        return value = data.length(), true;
      default:
        return data.load(i, m.a, m.x, value);
    }
  };
  for (size_t at = 0;; ++at) {
    CHECK(at < program.size(), "a BPF program ran past its end");
    const BpfInstruction& i = program[at];
    switch (i.code & bpf::class_mask) {
      case bpf::ld:
        if (!load(i, m.a)) return 0;
        break;
      case bpf::ldx:
        if (!load(i, m.x)) return 0;
        break;
      case bpf::st:
        m.scratch[i.k] = m.a;
        break;
      case bpf::stx:
        m.scratch[i.k] = m.x;
        break;
      case bpf::alu:
        if (!m.compute(i)) return 0;
        break;
      case bpf::jmp:
        at += m.jump(i);
        break;
      case bpf::ret:
        return i.code & bpf::a ? m.a : i.k;
      default:
        if (i.code & bpf::txa)
          m.a = m.x;
        else
          m.x = m.a;
        break;
    }
  }
}

}  // namespace runsc
