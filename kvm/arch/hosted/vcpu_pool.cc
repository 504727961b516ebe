#include "kvm/arch/hosted/vcpu_pool.h"

#include <mutex>

#include "kernel/base/check.h"
#include "kvm/arch/hosted/guest_half.h"
#include "kvm/arch/hosted/machine.h"

namespace runsc::arch::hosted {

namespace {

std::mutex pool_mutex;
Lease* leases[kMaxVcpus];      // guarded by pool_mutex
unsigned lease_count = 0;      // guarded by pool_mutex
unsigned lease_limit = 0;      // guarded by pool_mutex; falls when KVM refuses one
Lease* free_leases = nullptr;  // guarded by pool_mutex

monitor::Expected<Lease*> create_lease() {
  auto lease = std::make_unique<Lease>();
  lease->vcpu = MON_TRY(sandbox.vm->create_vcpu(lease_count % sandbox.info.cpus));
  lease->number = lease_count;
  MON_TRY(init_vcpu(*lease->vcpu, lease->number, sandbox.vm->cpuid()));
  return leases[lease_count++] = lease.release();
}

// The state that ran longest ago gives its vCPU up.
Lease* evict() {
  Lease* victim = nullptr;
  for (unsigned i = 0; i < lease_count; ++i) {
    Lease* l = leases[i];
    if (l->owner->on_cpu) continue;
    if (!victim || l->owner->last_run < victim->owner->last_run) victim = l;
  }
  CHECK(victim, "more tasks run than there are CPUs");
  auto saved = victim->vcpu->get_xsave(vectors_of(*victim->owner));
  CHECK(saved, "KVM_GET_XSAVE failed");
  victim->owner->lease = nullptr;
  victim->owner = nullptr;
  return victim;
}

Lease* find_lease() {
  if (free_leases) {
    Lease* l = free_leases;
    free_leases = l->next_free;
    return l;
  }
  if (lease_count < lease_limit) {
    if (auto l = create_lease()) return *l;
    lease_limit = lease_count;  // KVM or the host's memory has no more
  }
  return evict();
}

}  // namespace

size_t vector_bytes() { return sandbox.vm ? sandbox.vm->kvm().xsave_size() : 4096; }

std::span<std::byte> vectors_of(UserState& state) { return {state.vectors, vector_bytes()}; }

monitor::Expected<void> pool_init(unsigned count) {
  std::scoped_lock lock(pool_mutex);
  lease_limit = std::min(kMaxVcpus, sandbox.vm->kvm().max_vcpus());
  for (unsigned i = 0; i < count; ++i) {
    Lease* l = MON_TRY(create_lease());
    l->next_free = free_leases;
    free_leases = l;
  }
  return {};
}

void pool_limit_for_test(unsigned limit) {
  std::scoped_lock lock(pool_mutex);
  lease_limit = std::min(limit, std::min(kMaxVcpus, sandbox.vm->kvm().max_vcpus()));
}

void pool_acquire(UserState& state) {
  std::scoped_lock lock(pool_mutex);
  state.on_cpu = true;
  if (state.lease) return;
  Lease* l = find_lease();
  auto loaded = l->vcpu->set_xsave(vectors_of(state));
  CHECK(loaded, "KVM_SET_XSAVE refused a state that was checked");
  l->owner = &state;
  state.lease = l;
}

void pool_release(UserState& state) {
  std::scoped_lock lock(pool_mutex);
  state.on_cpu = false;
  state.last_run = tsc();
}

void pool_forget(UserState& state) {
  std::scoped_lock lock(pool_mutex);
  Lease* l = state.lease;
  if (!l) return;
  state.lease = nullptr;
  l->owner = nullptr;
  l->next_free = free_leases;
  free_leases = l;
}

}  // namespace runsc::arch::hosted
