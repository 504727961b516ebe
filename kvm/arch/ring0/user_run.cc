#include "kvm/arch/common/user_regs.h"
#include "kvm/arch/ring0/per_cpu.h"

extern "C" runsc::arch::Trap runsc_enter_user(runsc::arch::UserRegs* regs);

namespace runsc::arch {

using hostcall::CpuShared;

Trap run_user(UserState&, UserSpace& space, UserRegs& regs) {
  if (regs.rip >= kUserEnd) [[unlikely]]
    return trap_of_bad_rip(regs.rip);
  regs.rflags = sanitize_flags(regs.rflags);
  ring0::PerCpu& cpu = ring0::this_cpu();
  // A full fence: whoever wakes us or changes translations stores first and looks at `state` then; we say
  // that we leave and look then. One of the two sees the other.
  cpu.state->exchange(CpuShared::user, std::memory_order_seq_cst);
  Trap trap{TrapKind::interrupt, 0, 0, 0};
  if (cpu.wake_pending.load(std::memory_order_relaxed) == 0) [[likely]] {
    ring0::tlb_catch_up(cpu, space);
    trap = runsc_enter_user(&regs);
  }
  // Release: what follows in the kernel must not be seen before it.
  cpu.state->store(CpuShared::kernel, std::memory_order_release);
  if (trap.kind == TrapKind::interrupt) [[unlikely]]
    cpu.wake_pending.exchange(0, std::memory_order_seq_cst);
  return trap;
}

}  // namespace runsc::arch
