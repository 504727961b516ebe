#include <cstring>

#include "kernel/base/check.h"
#include "kvm/arch/common/xstate.h"
#include "kvm/arch/hosted/guest_half.h"
#include "kvm/arch/hosted/machine.h"
#include "kvm/arch/hosted/vcpu_pool.h"

namespace runsc::arch {

namespace {

kvm_segment null_data_segment() {
  kvm_segment s{};
  s.limit = 0xffffffff;
  s.type = 3;
  s.present = 1;
  s.dpl = 3;
  s.db = 1;
  s.s = 1;
  s.g = 1;
  return s;
}

void reset_segments(UserState& state) { state.ds = state.es = state.fs = state.gs = null_data_segment(); }

// The vector state of a state that may have a vCPU, into its memory.
void refresh_vectors(UserState& state) {
  if (!state.lease) return;
  auto saved = state.lease->vcpu->get_xsave(hosted::vectors_of(state));
  CHECK(saved, "KVM_GET_XSAVE failed");
}

// And back. False: KVM refuses it.
bool push_vectors(UserState& state) {
  return !state.lease || state.lease->vcpu->set_xsave(hosted::vectors_of(state)).has_value();
}

}  // namespace

UserState::~UserState() { kfree(vectors, hosted::vector_bytes()); }

Result<UserState*> user_state_create() {
  Unique<UserState> state = make<UserState>();
  if (!state) return Errno::nomem;
  state->vectors = static_cast<std::byte*>(kalloc(hosted::vector_bytes()));
  if (!state->vectors) return Errno::nomem;
  xstate_reset(hosted::vectors_of(*state));
  reset_segments(*state);
  return state.release();
}

void user_state_destroy(UserState* state) {
  if (!state) return;
  hosted::pool_forget(*state);
  delete state;
}

Result<void> user_state_copy(UserState& to, UserState& from) {
  refresh_vectors(from);
  std::memcpy(to.vectors, from.vectors, hosted::vector_bytes());
  to.ds = from.ds, to.es = from.es, to.fs = from.fs, to.gs = from.gs;
  CHECK(push_vectors(to), "KVM_SET_XSAVE refused a state that KVM gave");
  return {};
}

void user_state_reset(UserState& state) {
  xstate_reset(hosted::vectors_of(state));
  reset_segments(state);
  CHECK(push_vectors(state), "KVM_SET_XSAVE refused the reset state");
}

uint64_t fs_base(UserState& state) { return state.fs.base; }
uint64_t gs_base(UserState& state) { return state.gs.base; }
void set_fs_base(UserState& state, uint64_t base) { state.fs.base = base; }
void set_gs_base(UserState& state, uint64_t base) { state.gs.base = base; }

void xstate_save(UserState& state, std::span<std::byte> out) {
  refresh_vectors(state);
  size_t n = std::min(out.size(), hosted::vector_bytes());
  std::memcpy(out.data(), state.vectors, n);
}

Result<void> xstate_load(UserState& state, std::span<const std::byte> in) {
  const hostcall::BootInfo& info = boot_info();
  TRY(xstate_validate(in, info.xcr0, info.xsave_size));
  std::span<std::byte> mine = hosted::vectors_of(state);
  refresh_vectors(state);  // for the case that KVM refuses the new one
  std::byte before[kXsaveMinSize];
  std::memcpy(before, mine.data(), sizeof before);
  std::memcpy(mine.data(), in.data(), std::min<size_t>(info.xsave_size, mine.size()));
  if (!push_vectors(state)) {
    xstate_reset(mine);
    std::memcpy(mine.data(), before, sizeof before);
    return Errno::inval;
  }
  return {};
}

void user_switch(UserState* prev, UserState* next, UserSpace*) {
  if (prev == next) return;
  if (prev) hosted::pool_release(*prev);
  if (next) hosted::pool_acquire(*next);
}

}  // namespace runsc::arch
