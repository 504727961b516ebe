// An exception in ring 0: the fix-up of a guarded access, or the end of the sandbox.
#include "kernel/base/check.h"
#include "kernel/base/format.h"
#include "kvm/arch/ring0/boot_protocol.h"
#include "kvm/arch/ring0/per_cpu.h"

namespace {

struct FixUp {
  uint64_t access, resume;
};

// As trap.S pushes it.
struct KernelFrame {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
  uint64_t vector, error;
  uint64_t rip, cs, rflags, rsp, ss;
};

constexpr unsigned kPageFault = 14;

[[noreturn]] void halt() {
  for (;;) asm volatile("hlt");
}

}  // namespace

extern "C" {
extern const FixUp runsc_fixups_begin[];
extern const FixUp runsc_fixups_end[];
}

namespace runsc {

namespace {

struct Position {
  uint64_t rip, rsp, rbp;
};

uint32_t put(char* to, size_t room, std::string_view text) {
  size_t n = text.size() < room ? text.size() : room;
  __builtin_memcpy(to, text.data(), n);
  return static_cast<uint32_t>(n);
}

[[noreturn]] void report(const Position& at, std::string_view file, int line, std::string_view reason) {
  arch::ring0::PerCpu& cpu = arch::ring0::this_cpu();
  if (cpu.panicking) halt();  // the monitor tells what HLT means
  cpu.panicking = true;
  (void)hostcall::call<hostcall::Panic>([&](hostcall::Panic::Request& r) {
    r.rip = at.rip;
    r.rsp = at.rsp;
    r.rbp = at.rbp;
    r.line = static_cast<uint32_t>(line);
    r.file_length = put(r.file, sizeof r.file, file);
    r.reason_length = put(r.reason, sizeof r.reason, reason);
  });
  halt();
}

}  // namespace

void panic(const char* file, int line, const char* reason) {
  const auto frame = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  report({reinterpret_cast<uint64_t>(__builtin_return_address(0)), frame + 16,
          *reinterpret_cast<uint64_t*>(frame)},
         file, line, reason);
}

}  // namespace runsc

extern "C" void runsc_kernel_exception(KernelFrame& f) {
  using namespace runsc;
  if (f.vector == kPageFault || f.vector == arch::ring0::kBusFaultVector) {
    for (const FixUp* e = runsc_fixups_begin; e != runsc_fixups_end; ++e) {
      if (f.rip == e->access) {
        f.rip = e->resume;
        return;
      }
    }
  }
  uint64_t cr2;
  asm volatile("movq %%cr2, %0" : "=r"(cr2));
  char room[256];
  FixedText text(room);
  format(text,
         "exception {} in ring 0, error {:x}, address {:x}; rax {:x} rcx {:x} rdx {:x} rsi {:x} rdi {:x} rbx "
         "{:x}",
         f.vector, f.error, cr2, f.rax, f.rcx, f.rdx, f.rsi, f.rdi, f.rbx);
  report({f.rip, f.rsp, f.rbp}, "", 0, text.view());
}
