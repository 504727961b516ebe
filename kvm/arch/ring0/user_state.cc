#include "kernel/base/alloc.h"
#include "kernel/base/check.h"
#include "kvm/arch/common/xstate.h"
#include "kvm/arch/ring0/per_cpu.h"

namespace runsc::arch {

namespace {

constexpr uint32_t kMsrFsBase = 0xc0000100, kMsrKernelGsBase = 0xc0000102;

bool has(uint32_t feature) { return runsc_cpu_features & feature; }

}  // namespace

// While a state is switched in, its vector state and bases are in the CPU that runs it, and only that CPU
// touches it.
class UserState : public HeapObject {
 public:
  ~UserState() { kfree(vectors, boot_info().xsave_size); }
  bool switched_in() const { return on_cpu; }

  uint64_t fs = 0, gs = 0;
  std::byte* vectors = nullptr;  // XSAVE area, 64-byte aligned
  bool on_cpu = false;
  unsigned last_cpu = ~0u;  // whose registers may still hold it (PerCpu::vectors_of agrees)
};

namespace {

void save_vectors(UserState& s) {
  if (has(hostcall::kFeatureXsaveopt))
    asm volatile("xsaveopt64 (%0)" ::"r"(s.vectors), "a"(~0u), "d"(~0u) : "memory");
  else
    asm volatile("xsave64 (%0)" ::"r"(s.vectors), "a"(~0u), "d"(~0u) : "memory");
}

void load_vectors(const UserState& s) {
  asm volatile("xrstor64 (%0)" ::"r"(s.vectors), "a"(~0u), "d"(~0u) : "memory");
}

// User code's GS base is the inactive one while ring 0 runs.
void save_bases(UserState& s) {
  if (has(hostcall::kFeatureFsgsbase)) {
    asm volatile("rdfsbase %0" : "=r"(s.fs));
    asm volatile("swapgs; rdgsbase %0; swapgs" : "=r"(s.gs)::"memory");
  } else {
    s.fs = ring0::read_msr(kMsrFsBase);
    s.gs = ring0::read_msr(kMsrKernelGsBase);
  }
}

void load_bases(const UserState& s) {
  // Loading a null selector may or may not clear the base, so first the selectors. GS is ours: its selector
  // is loaded in the user's half of SWAPGS.
  uint16_t ds, es, fs, gs;
  asm volatile("movw %%ds, %0; movw %%es, %1; movw %%fs, %2; movw %%gs, %3"
               : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
  if ((ds | es | fs | gs) != 0) [[unlikely]] {
    asm volatile("movw %w0, %%ds; movw %w0, %%es; movw %w0, %%fs; swapgs; movw %w0, %%gs; swapgs" ::"r"(0)
                 : "memory");
  }
  if (has(hostcall::kFeatureFsgsbase)) {
    asm volatile("wrfsbase %0" ::"r"(s.fs));
    asm volatile("swapgs; wrgsbase %0; swapgs" ::"r"(s.gs) : "memory");
  } else {
    ring0::write_msr(kMsrFsBase, s.fs);
    ring0::write_msr(kMsrKernelGsBase, s.gs);
  }
}

void reset(UserState& s) {
  xstate_reset({s.vectors, boot_info().xsave_size});
  s.fs = s.gs = 0;
}

// What is in memory is the truth from now on.
void reload(UserState& s) {
  s.last_cpu = ~0u;
  if (!s.switched_in()) return;
  load_vectors(s);
  load_bases(s);
}

}  // namespace

Result<UserState*> user_state_create() {
  Unique<UserState> s = make<UserState>();
  if (!s) return Errno::nomem;
  s->vectors = static_cast<std::byte*>(kalloc(boot_info().xsave_size));
  if (!s->vectors) return Errno::nomem;
  reset(*s);
  return s.release();
}

void user_state_destroy(UserState* state) {
  if (!state) return;
  // Its address may be another state's next: no CPU may take that one's registers for loaded.
  if (state->last_cpu < cpu_count()) {
    UserState* expected = state;
    (void)__atomic_compare_exchange_n(&ring0::cpu(state->last_cpu).vectors_of, &expected, nullptr, false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  }
  delete state;
}

Result<void> user_state_copy(UserState& to, UserState& from) {
  if (from.switched_in()) {
    save_vectors(from);
    save_bases(from);
  }
  __builtin_memcpy(to.vectors, from.vectors, boot_info().xsave_size);
  to.fs = from.fs;
  to.gs = from.gs;
  reload(to);
  return {};
}

void user_state_reset(UserState& state) {
  reset(state);
  reload(state);
}

uint64_t fs_base(UserState& state) {
  if (state.switched_in()) save_bases(state);
  return state.fs;
}

uint64_t gs_base(UserState& state) {
  if (state.switched_in()) save_bases(state);
  return state.gs;
}

void set_fs_base(UserState& state, uint64_t base) {
  if (state.switched_in()) save_bases(state);
  state.fs = base;
  if (state.switched_in()) load_bases(state);
}

void set_gs_base(UserState& state, uint64_t base) {
  if (state.switched_in()) save_bases(state);
  state.gs = base;
  if (state.switched_in()) load_bases(state);
}

void xstate_save(UserState& state, std::span<std::byte> out) {
  // XSAVE, unlike XSAVEOPT, writes components in their initial configuration too.
  if (state.switched_in()) asm volatile("xsave64 (%0)" ::"r"(state.vectors), "a"(~0u), "d"(~0u) : "memory");
  const size_t size = boot_info().xsave_size;
  __builtin_memcpy(out.data(), state.vectors, out.size() < size ? out.size() : size);
}

Result<void> xstate_load(UserState& state, std::span<const std::byte> in) {
  const hostcall::BootInfo& info = boot_info();
  TRY(xstate_validate(in, info.xcr0, info.xsave_size));
  __builtin_memcpy(state.vectors, in.data(), info.xsave_size);
  state.last_cpu = ~0u;
  if (state.switched_in()) load_vectors(state);
  return {};
}

namespace {

void switch_space(ring0::PerCpu& cpu, UserSpace* next) {
  UserSpace* previous = cpu.space;
  if (previous == next) return;
  const uint64_t mine = uint64_t{1} << cpu.local.id;
  if (next) {
    // First the bit (a full fence), then the generation: a shooter that does not see the bit has made its
    // changes visible before CR3 is loaded.
    next->active_cpus.fetch_or(mine, std::memory_order_seq_cst);
    cpu.tlb_seen.store(next->tlb_generation.load(std::memory_order_seq_cst), std::memory_order_relaxed);
  }
  ring0::write_cr3(next ? next->root_phys : ring0::boot_root);
  cpu.space = next;
  if (previous) previous->active_cpus.fetch_and(~mine, std::memory_order_release);
}

}  // namespace

void user_switch(UserState* prev, UserState* next, UserSpace* next_space) {
  ring0::PerCpu& cpu = ring0::this_cpu();
  if (prev != next) {
    if (prev) {
      save_vectors(*prev);
      save_bases(*prev);
      prev->on_cpu = false;
    }
    if (next) {
      if (cpu.vectors_of != next || next->last_cpu != cpu.local.id) load_vectors(*next);
      load_bases(*next);
      next->on_cpu = true;
      next->last_cpu = cpu.local.id;
      cpu.vectors_of = next;
    }
  }
  switch_space(cpu, next_space);
}

}  // namespace runsc::arch
