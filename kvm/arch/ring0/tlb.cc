// Shoot-down without interrupts in ring 0.
//
// A CPU may use user translations only while its `state` is user or kCopying. On the way into either it
// stores the state (a full fence), then compares the space's generation with the one that its TLB is up to
// date with, and flushes if they differ. A shooter has stored its PTEs, adds one to the generation (a full
// fence), then looks at the states. So either the CPU sees the new generation, or the shooter sees that the
// CPU is out; then it waits until the CPU has left that state or caught up. User code is pulled out by a
// kick; a copy ends by itself, by its fix-up if it faults. A CPU in state kernel is never waited for: two
// shooters cannot block each other.
#include "kernel/base/check.h"
#include "kvm/arch/ring0/kick.h"
#include "kvm/arch/ring0/per_cpu.h"

namespace runsc::arch {

namespace {

using hostcall::CpuShared;
using ring0::PerCpu;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMaxSinglePages = 33;  // beyond that a flush of everything is cheaper

uint64_t pages_of(TlbBatch& batch) {
  uint64_t pages = 0;
  for (const TlbBatch::Span& s : batch.spans()) pages += (s.high - s.low) / kPage;
  return pages;
}

void flush_locally(PerCpu& cpu, UserSpace& space, TlbBatch& batch, uint64_t generation) {
  // Only if nobody else's changes lie between may single pages do.
  const bool next = cpu.tlb_seen.load(std::memory_order_relaxed) + 1 == generation;
  if (next && !batch.everything() && pages_of(batch) <= kMaxSinglePages) {
    for (const TlbBatch::Span& s : batch.spans())
      for (uint64_t at = s.low; at < s.high; at += kPage) asm volatile("invlpg (%0)" ::"r"(at) : "memory");
  } else {
    ring0::write_cr3(space.root_phys);
  }
  cpu.tlb_seen.store(generation, std::memory_order_release);
}

// Whether `id` may use what the generation outdated.
bool lags(UserSpace& space, unsigned id, uint64_t generation) {
  if (!(space.active_cpus.load(std::memory_order_seq_cst) >> id & 1)) return false;
  PerCpu& cpu = ring0::cpu(id);
  uint32_t state = cpu.state->load(std::memory_order_seq_cst);
  if (state != CpuShared::user && state != ring0::kCopying) return false;
  return cpu.tlb_seen.load(std::memory_order_seq_cst) < generation;
}

}  // namespace

void tlb_shootdown(UserSpace& space, TlbBatch& batch) {
  if (batch.empty()) return;
  PerCpu& me = ring0::this_cpu();
  const uint64_t generation = space.tlb_generation.fetch_add(1, std::memory_order_seq_cst) + 1;
  if (me.space == &space) flush_locally(me, space, batch, generation);
  uint64_t others = space.active_cpus.load(std::memory_order_seq_cst) & ~(uint64_t{1} << me.local.id);
  uint64_t waiting = 0;
  for (uint64_t left = others; left != 0; left &= left - 1) {
    auto id = static_cast<unsigned>(__builtin_ctzll(left));
    if (lags(space, id, generation)) waiting |= uint64_t{1} << id;
  }
  if (waiting != 0) ring0::kick_cpus(waiting);
  for (; waiting != 0; waiting &= waiting - 1) {
    auto id = static_cast<unsigned>(__builtin_ctzll(waiting));
    while (lags(space, id, generation)) asm volatile("pause");
  }
  batch.clear();
}

void flush_retired_tables() {}

void user_space_retire(UserSpace& space) {
  PerCpu& me = ring0::this_cpu();
  if (me.space == &space) {
    ring0::write_cr3(ring0::boot_root);
    me.space = nullptr;
    space.active_cpus.fetch_and(~(uint64_t{1} << me.local.id), std::memory_order_seq_cst);
  }
  CHECK(space.active_cpus.load(std::memory_order_seq_cst) == 0, "a user space retired that a CPU runs on");
}

}  // namespace runsc::arch
