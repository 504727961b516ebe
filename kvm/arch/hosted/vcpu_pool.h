// vCPUs as register files: a task in user mode has one while they last. Internal to this folder.
#pragma once

#include <cstdint>
#include <memory>

#include "kernel/base/alloc.h"
#include "kvm/arch/seam.h"
#include "kvm/monitor/vcpu.h"

namespace runsc::arch {

namespace hosted {

struct Lease {
  std::unique_ptr<monitor::Vcpu> vcpu;
  unsigned number = 0;       // of its CpuBlock
  unsigned shown_cpu = ~0u;  // what RDTSCP and RDPID say
  UserState* owner = nullptr;
  Lease* next_free = nullptr;
};

}  // namespace hosted

// Guarded by the pool's lock where the pool touches it: lease, on_cpu, last_run. Everything else belongs to
// the CPU that has the state switched in, or to the only holder of a new state.
class UserState : public HeapObject {
 public:
  ~UserState();
  hosted::Lease* lease = nullptr;
  bool on_cpu = false;
  uint64_t last_run = 0;  // tsc
  kvm_segment ds{}, es{}, fs{}, gs{};
  // Vector state while there is no lease; KvmSystem::xsave_size() bytes.
  std::byte* vectors = nullptr;
};

namespace hosted {

// Before any CPU runs: `count` vCPUs, one for each CPU, so that a CPU always finds one.
monitor::Expected<void> pool_init(unsigned count);
// Gives the state a vCPU with its vector state in it (a free one, a new one, or that of the least recently
// run state) and keeps it from being taken.
void pool_acquire(UserState& state);
// The state may lose its vCPU from now on, keeping its vector state in memory.
void pool_release(UserState& state);
// The state is going away; its vCPU is free.
void pool_forget(UserState& state);

// Tests: no more than `limit` vCPUs from now on; those beyond it that exist stay in use.
void pool_limit_for_test(unsigned limit);

size_t vector_bytes();
std::span<std::byte> vectors_of(UserState& state);

}  // namespace hosted

}  // namespace runsc::arch
