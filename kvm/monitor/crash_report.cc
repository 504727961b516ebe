#include "kvm/monitor/crash_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "kvm/monitor/guest_walk.h"

namespace runsc::monitor {
namespace {

constexpr int kMostFrames = 48;

const char* exit_name(std::uint32_t reason) {
  switch (reason) {
    case KVM_EXIT_UNKNOWN:
      return "unknown hardware exit";
    case KVM_EXIT_EXCEPTION:
      return "exception";
    case KVM_EXIT_IO:
      return "port access";
    case KVM_EXIT_HLT:
      return "halt";
    case KVM_EXIT_MMIO:
      return "access to guest-physical memory that has no slot";
    case KVM_EXIT_SHUTDOWN:
      return "triple fault (shutdown)";
    case KVM_EXIT_FAIL_ENTRY:
      return "hardware refuses to enter the guest";
    case KVM_EXIT_INTR:
      return "interrupted";
    case KVM_EXIT_INTERNAL_ERROR:
      return "KVM internal error";
    case KVM_EXIT_SYSTEM_EVENT:
      return "system event";
    default:
      return "exit";
  }
}

const char* internal_error_name(std::uint32_t suberror) {
  switch (suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
      return "an instruction that KVM cannot emulate";
    case KVM_INTERNAL_ERROR_SIMUL_EX:
      return "simultaneous exceptions";
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
      return "an event could not be delivered";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
      return "an unexpected hardware exit";
    default:
      return "suberror";
  }
}

const char* exception_name(unsigned vector) {
  constexpr const char* kNames[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",
                                    "#TS", "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM"};
  return vector < std::size(kNames) ? kNames[vector] : "";
}

void add_registers(std::string& out, const kvm_regs& r, const kvm_sregs& s) {
  auto line = std::back_inserter(out);
  fmt::format_to(line, "  rip {:016x}  rsp {:016x}  rbp {:016x}  rflags {:08x}\n", r.rip, r.rsp, r.rbp,
                 r.rflags);
  fmt::format_to(line, "  rax {:016x}  rbx {:016x}  rcx {:016x}  rdx {:016x}\n", r.rax, r.rbx, r.rcx, r.rdx);
  fmt::format_to(line, "  rsi {:016x}  rdi {:016x}  r8  {:016x}  r9  {:016x}\n", r.rsi, r.rdi, r.r8, r.r9);
  fmt::format_to(line, "  r10 {:016x}  r11 {:016x}  r12 {:016x}  r13 {:016x}\n", r.r10, r.r11, r.r12, r.r13);
  fmt::format_to(line, "  r14 {:016x}  r15 {:016x}\n", r.r14, r.r15);
  fmt::format_to(line, "  cr0 {:08x}  cr2 {:016x}  cr3 {:016x}  cr4 {:08x}  efer {:x}\n", s.cr0, s.cr2, s.cr3,
                 s.cr4, s.efer);
  fmt::format_to(line, "  cs {:x}  ss {:x}  fs base {:016x}  gs base {:016x}  cpl {}\n", s.cs.selector,
                 s.ss.selector, s.fs.base, s.gs.base, s.ss.dpl);
  fmt::format_to(line, "  gdt {:016x}/{:x}  idt {:016x}/{:x}  tss {:016x}\n", s.gdt.base, s.gdt.limit,
                 s.idt.base, s.idt.limit, s.tr.base);
}

void add_exception(std::string& out, const Vcpu& vcpu) {
  kvm_vcpu_events events{};
  if (::ioctl(vcpu.fd(), KVM_GET_VCPU_EVENTS, &events) < 0) return;
  if (events.exception.injected == 0 && events.exception.pending == 0) return;
  fmt::format_to(std::back_inserter(out), "  exception under way: {} {} error {:x}\n", events.exception.nr,
                 exception_name(events.exception.nr), events.exception.error_code);
}

}  // namespace

std::string describe_exit(const kvm_run& run) {
  std::string text = fmt::format("{} (KVM exit {})", exit_name(run.exit_reason), run.exit_reason);
  auto more = std::back_inserter(text);
  switch (run.exit_reason) {
    case KVM_EXIT_IO:
      fmt::format_to(more, ": {} port {:#x}, {} bytes", run.io.direction == KVM_EXIT_IO_OUT ? "out" : "in",
                     run.io.port, run.io.size);
      break;
    case KVM_EXIT_MMIO:
      fmt::format_to(more, ": {} {:#x}, {} bytes", run.mmio.is_write != 0 ? "write" : "read",
                     run.mmio.phys_addr, run.mmio.len);
      break;
    case KVM_EXIT_FAIL_ENTRY:
      fmt::format_to(more, ": reason {:#x}", run.fail_entry.hardware_entry_failure_reason);
      break;
    case KVM_EXIT_EXCEPTION:
      fmt::format_to(more, ": {} error {:#x}", exception_name(run.ex.exception), run.ex.error_code);
      break;
    case KVM_EXIT_INTERNAL_ERROR: {
      fmt::format_to(more, ": {} ({})", internal_error_name(run.internal.suberror), run.internal.suberror);
      std::uint32_t count = std::min<std::uint32_t>(run.internal.ndata, std::size(run.internal.data));
      for (std::uint32_t i = 0; i < count; ++i) fmt::format_to(more, " {:#x}", run.internal.data[i]);
      break;
    }
    default:
      break;
  }
  return text;
}

std::string backtrace(const GuestMemory& memory, std::uint64_t cr3, std::uint64_t rip, std::uint64_t rbp,
                      const SymbolTable* symbols) {
  std::string out;
  auto line = [&](int frame, std::uint64_t address) {
    // A return address may stand behind a call that ends its function: look up the byte before it.
    std::uint64_t shown = frame == 0 ? address : address - 1;
    fmt::format_to(std::back_inserter(out), "  #{:<2} {}\n", frame,
                   symbols != nullptr ? symbols->describe(shown) : fmt::format("{:#018x}", shown));
  };
  line(0, rip);
  for (int frame = 1; frame < kMostFrames; ++frame) {
    auto next = read_guest_word(memory, cr3, rbp);
    auto address = read_guest_word(memory, cr3, rbp + 8);
    if (!next || !address || *address == 0) break;
    line(frame, *address);
    // Stacks grow down, so callers' frames lie higher; anything else is the end or damage.
    if (*next <= rbp) break;
    rbp = *next;
  }
  return out;
}

std::string crash_report(const Vcpu& vcpu, const GuestMemory& memory, const SymbolTable* symbols,
                         const std::string& reason) {
  std::string out = fmt::format("sandbox crash on vCPU {}: {}\n", vcpu.id(), reason);
  auto regs = vcpu.regs();
  auto sregs = vcpu.sregs();
  if (!regs || !sregs) return out + "  (no registers to be had)\n";
  add_registers(out, *regs, *sregs);
  add_exception(out, vcpu);
  out += "backtrace:\n";
  out += backtrace(memory, sregs->cr3, regs->rip, regs->rbp, symbols);
  return out;
}

}  // namespace runsc::monitor
