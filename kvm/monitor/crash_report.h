// What is printed when a sandbox dies by its own fault: a panic of the sentry, a triple fault, an exit that
// KVM cannot serve.
#pragma once

#include <cstdint>
#include <string>

#include "kvm/monitor/elf_image.h"
#include "kvm/monitor/guest_memory.h"
#include "kvm/monitor/vcpu.h"

namespace runsc::monitor {

// The exit reason in words, with what KVM says about it.
std::string describe_exit(const kvm_run& run);

// Several lines: `reason`, the vCPU's registers, CR2 and CR3, the exception under way, and a backtrace along
// the frame pointers. The vCPU must not be running. `symbols` may be null (hosted mode has no sentry image in
// the guest).
std::string crash_report(const Vcpu& vcpu, const GuestMemory& memory, const SymbolTable* symbols,
                         const std::string& reason);

// The backtrace alone, one line a frame.
std::string backtrace(const GuestMemory& memory, std::uint64_t cr3, std::uint64_t rip, std::uint64_t rbp,
                      const SymbolTable* symbols);

}  // namespace runsc::monitor
