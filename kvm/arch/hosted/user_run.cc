#include "kernel/base/check.h"
#include "kvm/arch/common/user_regs.h"
#include "kvm/arch/hosted/guest_half.h"
#include "kvm/arch/hosted/machine.h"
#include "kvm/arch/hosted/vcpu_pool.h"
#include "kvm/monitor/crash_report.h"

namespace runsc::arch {

namespace {

using hosted::CpuBlock;
using hosted::Lease;

constexpr uint32_t kMsrTscAux = 0xc0000103;
constexpr unsigned kNmi = 2, kInvalidOpcode = 6, kPageFault = 14;

void load_registers(Lease& lease, const UserState& state, const UserSpace& space, const UserRegs& r) {
  kvm_run& run = lease.vcpu->run_page();
  kvm_regs& k = run.s.regs.regs;
  k.rax = r.rax, k.rbx = r.rbx, k.rcx = r.rcx, k.rdx = r.rdx, k.rsi = r.rsi, k.rdi = r.rdi, k.rsp = r.rsp,
  k.rbp = r.rbp;
  k.r8 = r.r8, k.r9 = r.r9, k.r10 = r.r10, k.r11 = r.r11, k.r12 = r.r12, k.r13 = r.r13, k.r14 = r.r14,
  k.r15 = r.r15;
  k.rip = r.rip;
  k.rflags = r.rflags;
  kvm_sregs& s = run.s.regs.sregs;  // the rest stands there since the last exit
  auto user = [](kvm_segment& g, uint16_t selector, uint8_t type, bool code) {
    g = {};
    g.selector = selector;
    g.limit = 0xffffffff;
    g.type = type;
    g.present = 1;
    g.dpl = 3;
    g.db = !code;
    g.s = 1;
    g.l = code;
    g.g = 1;
  };
  user(s.cs, hosted::kUserCs, 11, true);
  user(s.ss, hosted::kUserSs, 3, false);
  s.ds = state.ds, s.es = state.es, s.fs = state.fs, s.gs = state.gs;
  s.cr3 = space.root_phys;
  run.kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
}

// Everything but RIP, RFLAGS and RSP, which stand in different places by the way of the trap.
void store_registers(const Lease& lease, UserState& state, UserRegs& r) {
  const kvm_run& run = lease.vcpu->run_page();
  const kvm_regs& k = run.s.regs.regs;
  r.rax = k.rax, r.rbx = k.rbx, r.rcx = k.rcx, r.rdx = k.rdx, r.rsi = k.rsi, r.rdi = k.rdi, r.rbp = k.rbp;
  r.r8 = k.r8, r.r9 = k.r9, r.r10 = k.r10, r.r11 = k.r11, r.r12 = k.r12, r.r13 = k.r13, r.r14 = k.r14,
  r.r15 = k.r15;
  r.orig_rax = ~uint64_t{0};
  const kvm_sregs& s = run.s.regs.sregs;
  state.ds = s.ds, state.es = s.es, state.fs = s.fs, state.gs = s.gs;
}

Trap syscall_trap(UserRegs& r, uint64_t rsp) {
  r.rip = r.rcx;
  r.rflags = r.r11;
  r.rsp = rsp;
  r.orig_rax = r.rax;
  return {TrapKind::syscall, 0, 0, 0};
}

bool in_ring3(const Lease& lease) { return (lease.vcpu->run_page().s.regs.sregs.cs.selector & 3) == 3; }

// The vCPU stands in user code (or at the system call entry without having left ring 3).
bool at_syscall_entry(const Lease& lease) {
  return lease.vcpu->run_page().s.regs.regs.rip == hosted::kSyscallEntry;
}

void take_position(const Lease& lease, UserRegs& r) {
  const kvm_regs& k = lease.vcpu->run_page().s.regs.regs;
  r.rip = k.rip;
  r.rflags = k.rflags;
  r.rsp = k.rsp;
}

bool exception_is_queued(const Lease& lease) {
  kvm_vcpu_events events{};
  // KVM_GET_VCPU_EVENTS does not fail on a vCPU that exists.
  if (ioctl(lease.vcpu->fd(), KVM_GET_VCPU_EVENTS, &events) < 0) return false;
  return events.exception.injected || events.exception.pending;
}

// What a run of the vCPU has come to.
enum class Outcome : uint8_t { run_on, trap };

Outcome after_interruption(const Lease& lease, UserState& state, UserRegs& r, Trap& trap) {
  // On the way through ring 0 to a stub, or about to go there: the trap comes first, the interruption is
  // remembered by the CPU's wake word.
  if (!in_ring3(lease) || exception_is_queued(lease)) return Outcome::run_on;
  store_registers(lease, state, r);
  if (at_syscall_entry(lease)) {
    trap = syscall_trap(r, lease.vcpu->run_page().s.regs.regs.rsp);
    return Outcome::trap;
  }
  take_position(lease, r);
  trap = {TrapKind::interrupt, 0, 0, 0};
  return Outcome::trap;
}

Outcome after_exit(const Lease& lease, UserState& state, UserRegs& r, Trap& trap) {
  const kvm_run& run = lease.vcpu->run_page();
  switch (run.exit_reason) {
    case KVM_EXIT_IO:
      break;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
      return Outcome::run_on;
    default:
      // MMIO: user code reached memory without a slot. Shutdown: a triple fault. Nothing that user code can
      // do leads here.
      panic(__FILE__, __LINE__, monitor::describe_exit(run).c_str());
  }
  const unsigned stub = run.io.port - hosted::kTrapPort;
  store_registers(lease, state, r);
  if (stub == hosted::kSyscallStub) {
    trap = syscall_trap(r, run.s.regs.regs.rsp);
    return Outcome::trap;
  }
  CHECK(stub < hosted::kVectors, "a port that no stub writes");
  const CpuBlock& frame = hosted::cpu_block(lease.number);
  CHECK((frame.cs & 3) == 3, "an exception in the stubs of hosted mode");
  r.rip = frame.rip;
  r.rflags = frame.rflags;
  r.rsp = frame.rsp;
  if (stub == kPageFault) {
    if (frame.rip == hosted::kSyscallEntry) {
      trap = syscall_trap(r, frame.rsp);
      return Outcome::trap;
    }
    trap = {TrapKind::page_fault, kPageFault, static_cast<uint32_t>(frame.error), run.s.regs.sregs.cr2};
    return Outcome::trap;
  }
  uint32_t error = has_error_code(stub) ? static_cast<uint32_t>(frame.error) : 0;
  trap = {stub == kNmi ? TrapKind::interrupt : TrapKind::exception, static_cast<uint8_t>(stub), error, 0};
  return Outcome::trap;
}

void show_cpu(Lease& lease, unsigned cpu) {
  if (lease.shown_cpu == cpu) return;
  lease.shown_cpu = cpu;
  if (!(boot_info().cpu_features & hostcall::kFeatureRdtscp)) return;
  kvm_msr_entry e{};
  e.index = kMsrTscAux;
  e.data = cpu;
  (void)lease.vcpu->set_msrs({&e, 1});  // a hint to user code; nothing depends on it
}

// A KVM without hardware behind it takes INT n of user code for an invalid instruction.
void mend_software_interrupt(UserSpace& space, UserRegs& r, Trap& trap) {
  constexpr uint8_t kInt = 0xcd;
  uint8_t code[2];
  if (copy_from_user(space, code, r.rip, sizeof code) == sizeof code && code[0] == kInt)
    trap = trap_of_int(code[1], r.rip);
}

}  // namespace

Trap run_user(UserState& state, UserSpace& space, UserRegs& r) {
  if (r.rip >= kUserEnd) return trap_of_bad_rip(r.rip);
  r.rflags = sanitize_flags(r.rflags);
  CHECK(state.lease, "run_user without user_switch");
  Lease& lease = *state.lease;
  hosted::Cpu& cpu = hosted::this_cpu();
  auto& shown_state = hosted::sandbox.shared->cpu[cpu.local.id].state;
  show_cpu(lease, cpu.local.id);
  load_registers(lease, state, space, r);
  lease.vcpu->clear_kick();
  // Sequentially consistent against kick(): it sets `wake`, then looks for `running`.
  cpu.running.store(lease.vcpu.get(), std::memory_order_seq_cst);
  shown_state.store(hostcall::CpuShared::user, std::memory_order_seq_cst);
  Trap trap{TrapKind::interrupt, 0, 0, 0};
  if (cpu.wake.exchange(0, std::memory_order_seq_cst) == 0) {
    for (;;) {
      auto result = lease.vcpu->run();
      CHECK(result, "KVM_RUN failed");
      Outcome outcome = Outcome::run_on;
      switch (*result) {
        case monitor::Vcpu::RunResult::exited:
          outcome = after_exit(lease, state, r, trap);
          break;
        case monitor::Vcpu::RunResult::interrupted:
          lease.vcpu->clear_kick();
          outcome = after_interruption(lease, state, r, trap);
          break;
        case monitor::Vcpu::RunResult::memory_fault:
          CHECK(in_ring3(lease), "the stubs of hosted mode are out of memory");
          store_registers(lease, state, r);
          take_position(lease, r);
          trap = {TrapKind::bus_error, 0, 0, 0};
          outcome = Outcome::trap;
          break;
      }
      if (outcome == Outcome::trap) break;
    }
  }
  cpu.running.store(nullptr, std::memory_order_relaxed);
  shown_state.store(hostcall::CpuShared::kernel, std::memory_order_relaxed);
  // Taken before the caller looks at what it was kicked for, hence no plain store.
  if (trap.kind == TrapKind::interrupt) cpu.wake.exchange(0, std::memory_order_seq_cst);
  if (trap.kind == TrapKind::exception && trap.vector == kInvalidOpcode)
    mend_software_interrupt(space, r, trap);
  return trap;
}

}  // namespace runsc::arch
