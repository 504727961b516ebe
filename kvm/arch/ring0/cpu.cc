#include "kernel/base/check.h"
#include "kvm/arch/ring0/kick.h"
#include "kvm/arch/ring0/per_cpu.h"
#include "kvm/hostcall/wire_ring.h"

namespace runsc {

LockStack& current_lock_stack() { return arch::ring0::this_cpu().locks; }

void spin_relax(uint32_t) { asm volatile("pause"); }

namespace hostcall {

Frame& cpu_frame() { return *arch::ring0::this_cpu().frame; }

void ring(Frame&) {
  // The monitor reads and writes the frame, and any memory that it names.
  asm volatile("outb %%al, %0" ::"N"(static_cast<uint8_t>(kDoorbellPort)) : "memory");
}

void ring_wires(uint32_t wires) {
  // The monitor's thread looks at rings in memory.
  for (; wires != 0; wires &= wires - 1)
    asm volatile("outl %%eax, %0" ::"N"(static_cast<uint8_t>(kWirePort)), "a"(__builtin_ctz(wires))
                 : "memory");
}

}  // namespace hostcall

namespace arch {

using hostcall::CpuShared;
using ring0::PerCpu;

Result<void> direct_map_extend(uint64_t) { return {}; }  // the boot page table maps all that RAM may become

namespace ring0 {

void kick_cpus(uint64_t mask) {
  hostcall::Frame& frame = hostcall::cpu_frame();
  const uint32_t number = frame.number;
  const int32_t error = frame.error;
  auto& request = *reinterpret_cast<hostcall::CpuWake::Request*>(frame.body);
  const hostcall::CpuWake::Request before = request;
  request.cpu_mask = mask;
  frame.number = static_cast<uint32_t>(hostcall::Number::cpu_wake);
  hostcall::ring(frame);
  frame.number = number;
  frame.error = error;
  request = before;
}

}  // namespace ring0

void cpu_wake(unsigned id) {
  PerCpu& target = ring0::cpu(id);
  // Sequentially consistent against run_user and cpu_idle, which store `state` and then look at
  // `wake_pending`: either they see the wake, or we see that they are out of the kernel.
  target.wake_pending.store(1, std::memory_order_seq_cst);
  uint32_t state = target.state->load(std::memory_order_seq_cst);
  if (state == CpuShared::user || state == CpuShared::idle) ring0::kick_cpus(uint64_t{1} << id);
}

void cpu_idle(uint64_t deadline_tsc) {
  PerCpu& cpu = ring0::this_cpu();
  cpu.state->exchange(CpuShared::idle, std::memory_order_seq_cst);
  if (cpu.wake_pending.load(std::memory_order_seq_cst) == 0) {
    (void)hostcall::call<hostcall::CpuIdle>([&](auto& request) { request.deadline_tsc = deadline_tsc; });
  }
  cpu.state->store(CpuShared::kernel, std::memory_order_relaxed);
  // Taken before the caller looks for what it was woken for.
  cpu.wake_pending.exchange(0, std::memory_order_seq_cst);
}

}  // namespace arch

}  // namespace runsc
