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

namespace {

// Between the store of `state` and user code somebody woke this CPU; or the trap is that somebody did.
[[gnu::noinline]] Trap interrupted(ring0::PerCpu& cpu, Trap trap) {
  cpu.state->store(CpuShared::kernel, std::memory_order_release);
  // Taken before the caller looks at what it was woken for, hence no plain store.
  cpu.wake_pending.exchange(0, std::memory_order_seq_cst);
  return trap;
}

}  // namespace

Trap run_user(UserState&, UserSpace& space, UserRegs& regs) {
  if (regs.rip >= kUserEnd) [[unlikely]]
    return trap_of_bad_rip(regs.rip);
  regs.rflags = sanitize_flags(regs.rflags);
  ring0::PerCpu& cpu = ring0::this_cpu();
  // A full fence: whoever wakes us or changes translations stores first and looks at `state` then; we say
  // that we leave and look then. One of the two sees the other.
  cpu.state->exchange(CpuShared::user, std::memory_order_seq_cst);
  if (cpu.wake_pending.load(std::memory_order_relaxed) != 0) [[unlikely]]
    return interrupted(cpu, {TrapKind::interrupt, 0, 0, 0});
  ring0::tlb_catch_up(cpu, space);
  const RawTrap raw = runsc_enter_user(&regs);
  if (static_cast<uint8_t>(raw.low) == static_cast<uint8_t>(TrapKind::interrupt)) [[unlikely]]
    return interrupted(cpu, std::bit_cast<Trap>(raw));
  // Release: what follows in the kernel must not be seen before it.
  cpu.state->store(CpuShared::kernel, std::memory_order_release);
  return std::bit_cast<Trap>(raw);
}

}  // namespace runsc::arch
