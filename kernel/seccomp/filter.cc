#include "kernel/seccomp/filter.h"

namespace runsc::kernel {

namespace {

constexpr size_t kMaxChain = 32768, kPenalty = 4;

// Linux compares actions as signed numbers: KILL_PROCESS is the smallest.
int32_t strictness(uint32_t answer) { return static_cast<int32_t>(answer & seccomp_action::mask); }

}  // namespace

Result<Ref<SeccompFilter>> SeccompFilter::create(Vec<BpfInstruction> program) {
  Ref<SeccompFilter> filter = make_ref<SeccompFilter>(std::move(program));
  if (!filter) return Errno::nomem;
  filter->chain_size_ = filter->program_.size() + kPenalty;
  return filter;
}

Result<void> SeccompFilter::put_before(Ref<SeccompFilter> older) {
  if (!older) return {};
  if (chain_size_ + older->chain_size_ > kMaxChain) return Errno::nomem;
  chain_size_ += older->chain_size_;
  count_ += older->count_;
  older_ = std::move(older);
  return {};
}

uint32_t SeccompFilter::run(const SeccompData& data) const {
  uint32_t answer = seccomp_action::allow;
  for (const SeccompFilter* f = this; f; f = f->older_.get()) {
    uint32_t one = bpf_run(f->program_.span(), data);
    if (strictness(one) < strictness(answer)) answer = one;
  }
  return answer;
}

bool SeccompFilter::descends_from(const SeccompFilter* older) const {
  if (!older) return true;
  for (const SeccompFilter* f = this; f; f = f->older_.get())
    if (f == older) return true;
  return false;
}

void SeccompFilter::last_ref() {
  SeccompFilter* older = older_.leak();
  delete this;
  if (older) older->unref();
}

}  // namespace runsc::kernel
