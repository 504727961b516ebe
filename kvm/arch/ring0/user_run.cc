#include <bit>

#include "kvm/arch/common/user_regs.h"
#include "kvm/arch/ring0/per_cpu.h"

namespace {

// A Trap as two registers, which the compiler would take apart and put together again.
struct RawTrap {
  uint64_t low, high;
};
static_assert(sizeof(RawTrap) == sizeof(runsc::arch::Trap));

}  // namespace

extern "C" RawTrap runsc_enter_user(runsc::arch::UserRegs* regs);

namespace runsc::arch {

using hostcall::CpuShared;

// run_user() itself is in trap.S. What it does not do at once is done here: registers that a system call did
// not leave as they are, a wake-up that waits, translations to catch up with.
extern "C" Trap runsc_run_user_slow(UserState&, UserSpace& space, UserRegs& regs) {
  ring0::PerCpu& cpu = ring0::this_cpu();
  if (regs.rip >= kUserEnd) [[unlikely]] {
    cpu.state->store(CpuShared::kernel, std::memory_order_release);
    return trap_of_bad_rip(regs.rip);
  }
  regs.rflags = sanitize_flags(regs.rflags);
  // A full fence: whoever wakes us or changes translations stores first and looks at `state` then; we say
  // that we leave and look then. One of the two sees the other.
  cpu.state->exchange(CpuShared::user, std::memory_order_seq_cst);
  if (cpu.wake_pending.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    cpu.state->store(CpuShared::kernel, std::memory_order_release);
    // Taken before the caller looks at what it was woken for, hence no plain store.
    cpu.wake_pending.exchange(0, std::memory_order_seq_cst);
    return {TrapKind::interrupt, 0, 0, 0};
  }
  ring0::tlb_catch_up(cpu, space);
  return std::bit_cast<Trap>(runsc_enter_user(&regs));
}

}  // namespace runsc::arch
