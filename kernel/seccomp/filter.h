// The system call filters of a task (seccomp(2)): a chain that only grows, shared with children.
#pragma once

#include <atomic>

#include "kernel/base/ref.h"
#include "kernel/base/vec.h"
#include "kernel/seccomp/bpf.h"

namespace runsc::kernel {

// SECCOMP_RET_*: what a program answers; the upper half is the action, the lower its data.
namespace seccomp_action {
inline constexpr uint32_t kill_process = 0x80000000, kill_thread = 0, trap = 0x00030000, error = 0x00050000,
                          notify = 0x7fc00000, trace = 0x7ff00000, log = 0x7ffc0000, allow = 0x7fff0000,
                          mask = 0xffff0000;
}  // namespace seccomp_action

class SeccompFilter final : public RefCounted<SeccompFilter> {
 public:
  // A checked program, alone. ENOMEM.
  static Result<Ref<SeccompFilter>> create(Vec<BpfInstruction> program);
  // Once, before anybody else has it: puts it in front of `older` (may be null). ENOMEM: the chain would be
  // longer than 32768 instructions.
  Result<void> put_before(Ref<SeccompFilter> older);

  // The answer of the chain: of all programs' answers the one with the strictest action, of equals the
  // newest's.
  uint32_t run(const SeccompData& data) const;
  // True if `older` is this filter or behind it; null is behind every one.
  bool descends_from(const SeccompFilter* older) const;
  unsigned count() const { return count_; }
  // RefCounted's hook: chains end without recursion.
  void last_ref();

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit SeccompFilter(Vec<BpfInstruction> program) : program_(std::move(program)) {}

  const Vec<BpfInstruction> program_;
  Ref<SeccompFilter> older_;
  unsigned count_ = 1;     // programs in the chain
  size_t chain_size_ = 0;  // instructions, plus four for each program
};

}  // namespace runsc::kernel
