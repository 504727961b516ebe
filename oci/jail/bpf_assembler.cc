#include "oci/jail/bpf_assembler.h"

#include <linux/seccomp.h>

namespace runsc::oci {
namespace {

constexpr size_t kLongestJump = 255;

constexpr uint32_t argument_offset(unsigned index) {
  return static_cast<uint32_t>(offsetof(seccomp_data, args) + index * sizeof(uint64_t));
}

}  // namespace

void BpfAssembler::emit(uint16_t code, uint32_t k) { program_.push_back(sock_filter{code, 0, 0, k}); }

BpfAssembler::Label BpfAssembler::new_label() {
  labels_.emplace_back();
  return Label{labels_.size() - 1};
}

void BpfAssembler::bind(Label label) { labels_[label.id] = program_.size(); }

void BpfAssembler::load_architecture() { emit(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)); }

void BpfAssembler::load_number() { emit(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)); }

// x86 is little endian: the low word comes first.
void BpfAssembler::load_argument_low(unsigned index) {
  emit(BPF_LD | BPF_W | BPF_ABS, argument_offset(index));
}

void BpfAssembler::load_argument_high(unsigned index) {
  emit(BPF_LD | BPF_W | BPF_ABS, argument_offset(index) + sizeof(uint32_t));
}

void BpfAssembler::and_with(uint32_t mask) { emit(BPF_ALU | BPF_AND | BPF_K, mask); }

void BpfAssembler::compare(uint32_t value, Label target, bool when_equal) {
  jumps_.push_back({program_.size(), target.id, when_equal});
  emit(BPF_JMP | BPF_JEQ | BPF_K, value);
}

void BpfAssembler::jump_if_equal(uint32_t value, Label target) { compare(value, target, true); }

void BpfAssembler::jump_if_not_equal(uint32_t value, Label target) { compare(value, target, false); }

void BpfAssembler::give_back(uint32_t action) { emit(BPF_RET | BPF_K, action); }

std::optional<std::vector<sock_filter>> BpfAssembler::finish() {
  if (program_.empty() || program_.size() > BPF_MAXINSNS) return std::nullopt;
  for (const Jump& jump : jumps_) {
    const std::optional<size_t> target = labels_[jump.label];
    if (!target || *target <= jump.at || *target >= program_.size()) return std::nullopt;
    const size_t distance = *target - jump.at - 1;
    if (distance > kLongestJump) return std::nullopt;
    auto& field = jump.when_equal ? program_[jump.at].jt : program_[jump.at].jf;
    field = static_cast<uint8_t>(distance);
  }
  return program_;
}

}  // namespace runsc::oci
