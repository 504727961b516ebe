#include "kernel/seccomp/bpf.h"

namespace runsc::kernel {
namespace {

struct Fields {
  const SeccompData& data;

  static uint32_t length() { return sizeof data; }
  bool load(const BpfInstruction& i, uint32_t, uint32_t, uint32_t& value) const {
    __builtin_memcpy(&value, reinterpret_cast<const char*>(&data) + i.k, sizeof value);
    return true;
  }
};

constexpr BpfRules kRules{.load_fits =
                              [](const BpfInstruction& i) {
                                return i.code == (bpf::ld | bpf::word | bpf::abs) && i.k % 4 == 0 &&
                                       i.k < sizeof(SeccompData);
                              },
                          .modulo = false};

}  // namespace

Result<void> bpf_check(std::span<const BpfInstruction> program) { return runsc::bpf_check(program, kRules); }

uint32_t bpf_run(std::span<const BpfInstruction> program, const SeccompData& data) {
  return runsc::bpf_run(program, Fields{data});
}

}  // namespace runsc::kernel
