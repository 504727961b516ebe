// Signal frames as Linux lays them out on x86-64: struct rt_sigframe, above it the XSAVE image in 64-byte
// alignment with its software-reserved words.
#include "kernel/signal/frame.h"

#include "kernel/base/log.h"
#include "kernel/base/vec.h"
#include "kernel/signal/signal.h"
#include "kvm/arch/seam.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace abi;

bool on_alt_stack(const Task& task, uint64_t sp) {
  const SigStack& alt = task.signals.alt_stack;
  return !(alt.flags & kSsDisable) && sp > alt.sp && sp - alt.sp <= alt.size;
}

FrameLayout frame_layout(uint64_t stack_top, uint64_t xsave_size) {
  FrameLayout l;
  l.fpstate = (stack_top - (xsave_size + sizeof(kFpXstateMagic2))) & ~uint64_t{63};
  // rsp % 16 == 8 at the handler's first instruction, as after a call.
  l.frame = ((l.fpstate - sizeof(RtSigFrame)) & ~uint64_t{15}) - 8;
  return l;
}

namespace {

constexpr uint64_t kRedZone = 128;
constexpr uint16_t kUserCs = 0x33, kUserSs = 0x2b;
constexpr uint64_t kFlagDirection = 0x400, kFlagTrap = 0x100, kFlagResume = 0x10000;
// What sigreturn may change of RFLAGS: AC OF DF TF SF ZF AF PF CF RF.
constexpr uint64_t kRestorableFlags = 0x50dd5;

void fill_context(const arch::UserRegs& r, SigContext& c) {
  c.r8 = r.r8, c.r9 = r.r9, c.r10 = r.r10, c.r11 = r.r11;
  c.r12 = r.r12, c.r13 = r.r13, c.r14 = r.r14, c.r15 = r.r15;
  c.rdi = r.rdi, c.rsi = r.rsi, c.rbp = r.rbp, c.rbx = r.rbx;
  c.rdx = r.rdx, c.rax = r.rax, c.rcx = r.rcx, c.rsp = r.rsp;
  c.rip = r.rip, c.eflags = r.rflags;
  c.cs = kUserCs, c.ss = kUserSs;
}

void read_context(const SigContext& c, arch::UserRegs& r) {
  r.r8 = c.r8, r.r9 = c.r9, r.r10 = c.r10, r.r11 = c.r11;
  r.r12 = c.r12, r.r13 = c.r13, r.r14 = c.r14, r.r15 = c.r15;
  r.rdi = c.rdi, r.rsi = c.rsi, r.rbp = c.rbp, r.rbx = c.rbx;
  r.rdx = c.rdx, r.rax = c.rax, r.rcx = c.rcx, r.rsp = c.rsp;
  r.rip = c.rip;
  r.rflags = (r.rflags & ~kRestorableFlags) | (c.eflags & kRestorableFlags);
  r.orig_rax = ~uint64_t{0};
}

uint64_t stack_top(Task& task, const SigAction& action) {
  uint64_t sp = task.regs().rsp - kRedZone;
  const SigStack& alt = task.signals.alt_stack;
  if (action.flags & sa::onstack && !(alt.flags & kSsDisable) && !on_alt_stack(task, task.regs().rsp))
    return alt.sp + alt.size;
  return sp;
}

Result<void> push_xstate(Task& task, uint64_t address) {
  const hostcall::BootInfo& boot = arch::boot_info();
  Vec<std::byte> image;
  TRY(image.resize(boot.xsave_size + sizeof(kFpXstateMagic2)));
  arch::xstate_save(task.user_state(), image.span().first(boot.xsave_size));
  fill_xstate_marks(image.span(), boot.xcr0, boot.xsave_size);
  return mm::copy_out_bytes(task.mm(), address, image.data(), image.size());
}

// Handlers start with the vector state of a new program.
Result<void> reset_xstate(Task& task) {
  Vec<std::byte> image;
  TRY(image.resize(arch::boot_info().xsave_size));
  constexpr uint16_t kFcw = 0x37f;
  constexpr uint32_t kMxcsr = 0x1f80;
  __builtin_memcpy(image.data(), &kFcw, sizeof kFcw);
  __builtin_memcpy(image.data() + 24, &kMxcsr, sizeof kMxcsr);
  return arch::xstate_load(task.user_state(), image.span());
}

SigStack stack_for_frame(Task& task) {
  SigStack s = task.signals.alt_stack;
  s.pad = 0;
  if (!(s.flags & kSsDisable))
    s.flags = static_cast<int32_t>((static_cast<uint32_t>(s.flags) & kSsAutodisarm) |
                                   (on_alt_stack(task, task.regs().rsp) ? kSsOnstack : 0));
  return s;
}

}  // namespace

void fill_xstate_marks(std::span<std::byte> image, uint64_t xcr0, uint32_t xsave_size) {
  FpxSwBytes sw{};
  sw.magic1 = kFpXstateMagic1;
  sw.extended_size = xsave_size + static_cast<uint32_t>(sizeof kFpXstateMagic2);
  sw.xfeatures = xcr0;
  sw.xstate_size = xsave_size;
  __builtin_memcpy(image.data() + kSwBytesOffset, &sw, sizeof sw);
  __builtin_memcpy(image.data() + xsave_size, &kFpXstateMagic2, sizeof kFpXstateMagic2);
}

Result<void> push_signal_frame(Task& task, const SigAction& action, const SigInfo& info, uint64_t mask) {
  arch::UserRegs& regs = task.regs();
  if (!(action.flags & sa::restorer)) return Errno::fault;  // x86-64 has no other way back
  uint64_t top = stack_top(task, action);
  FrameLayout layout = frame_layout(top, arch::boot_info().xsave_size);
  if (top >= arch::kUserEnd || layout.frame >= top) return Errno::fault;
  // A handler on the alternate stack must not run over its lower end.
  if (on_alt_stack(task, top) && !on_alt_stack(task, layout.frame)) return Errno::fault;
  TRY(push_xstate(task, layout.fpstate));

  RtSigFrame frame{};
  frame.return_address = action.restorer;
  frame.uc.flags = kUcFpXstate | kUcSigcontextSs | kUcStrictRestoreSs;
  frame.uc.stack = stack_for_frame(task);
  frame.uc.sigmask = mask;
  fill_context(regs, frame.uc.mcontext);
  frame.uc.mcontext.oldmask = mask;
  frame.uc.mcontext.fpstate = layout.fpstate;
  frame.uc.mcontext.trapno = task.last_fault.trap;
  frame.uc.mcontext.err = task.last_fault.error;
  frame.uc.mcontext.cr2 = task.last_fault.address;
  frame.info = info;
  TRY(mm::copy_out_bytes(task.mm(), layout.frame, &frame, sizeof frame));

  if (static_cast<uint32_t>(task.signals.alt_stack.flags) & kSsAutodisarm)
    task.signals.alt_stack = {0, kSsDisable, 0, 0};
  regs.rsp = layout.frame;
  regs.rip = action.handler;
  regs.rdi = static_cast<uint64_t>(info.signo);
  regs.rsi = layout.frame + offsetof(RtSigFrame, info);
  regs.rdx = layout.frame + offsetof(RtSigFrame, uc);
  regs.rax = 0;
  regs.orig_rax = ~uint64_t{0};
  regs.rflags &= ~(kFlagDirection | kFlagTrap | kFlagResume);
  return reset_xstate(task);
}

namespace {

Result<void> pop_xstate(Task& task, uint64_t address) {
  if (address == 0) {
    return reset_xstate(task);
  }
  const hostcall::BootInfo& boot = arch::boot_info();
  Vec<std::byte> image;
  TRY(image.resize(boot.xsave_size));
  constexpr size_t kFxsaveSize = 512;
  TRY(mm::copy_in_bytes(task.mm(), image.data(), address, kFxsaveSize));
  FpxSwBytes sw;
  __builtin_memcpy(&sw, image.data() + kSwBytesOffset, sizeof sw);
  size_t size = extended_state_size(sw, boot.xsave_size);
  if (size > kFxsaveSize) {
    uint32_t magic2 = 0;
    TRY(mm::copy_in_bytes(task.mm(), &magic2, address + size, sizeof magic2));
    if (magic2 != kFpXstateMagic2) size = kFxsaveSize;
  }
  if (size > kFxsaveSize) {
    TRY(mm::copy_in_bytes(task.mm(), image.data() + kFxsaveSize, address + kFxsaveSize, size - kFxsaveSize));
    mask_xstate_header(image.span(), sw.xfeatures & boot.xcr0);
  } else {
    mask_xstate_header(image.span(), ~uint64_t{0});
    uint64_t legacy = 3;  // x87 and SSE only
    __builtin_memcpy(image.data() + kFxsaveSize, &legacy, sizeof legacy);
  }
  return arch::xstate_load(task.user_state(), image.span());
}

}  // namespace

size_t extended_state_size(const FpxSwBytes& sw, uint32_t xsave_size) {
  constexpr uint32_t kLegacy = 512, kHeader = 64;
  if (sw.magic1 != kFpXstateMagic1 || sw.xstate_size < kLegacy + kHeader || sw.xstate_size > xsave_size ||
      sw.xstate_size > sw.extended_size)
    return kLegacy;
  return sw.xstate_size;
}

int fpe_code(std::span<const std::byte> image, bool x87) {
  uint16_t control = 0, status = 0;
  uint32_t mxcsr = 0;
  __builtin_memcpy(&control, image.data(), sizeof control);
  __builtin_memcpy(&status, image.data() + 2, sizeof status);
  __builtin_memcpy(&mxcsr, image.data() + 24, sizeof mxcsr);
  // Raised and not masked; the bits are in the same order in all of them (SDM, volume 1, 8.1.3 and 10.2.3).
  uint32_t raised = x87 ? status & ~uint32_t{control} : mxcsr & ~(mxcsr >> 7);
  constexpr uint32_t kInvalid = 1, kDenormal = 2, kDivide = 4, kOverflow = 8, kUnderflow = 16,
                     kPrecision = 32;
  if (raised & kInvalid) return sig_code::fpe_fltinv;
  if (raised & kDivide) return sig_code::fpe_fltdiv;
  if (raised & kOverflow) return sig_code::fpe_fltovf;
  if (raised & (kDenormal | kUnderflow)) return sig_code::fpe_fltund;
  if (raised & kPrecision) return sig_code::fpe_fltres;
  return 0;
}

int current_fpe_code(Task& task, bool x87) {
  Vec<std::byte> image;
  if (!image.resize(arch::boot_info().xsave_size)) return 0;
  arch::xstate_save(task.user_state(), image.span());
  return fpe_code(image.span(), x87);
}

void mask_xstate_header(std::span<std::byte> image, uint64_t features) {
  uint64_t bits;
  __builtin_memcpy(&bits, image.data() + 512, sizeof bits);
  bits &= features;
  __builtin_memcpy(image.data() + 512, &bits, sizeof bits);
}

Result<void> pop_signal_frame(Task& task) {
  arch::UserRegs& regs = task.regs();
  // The handler's ret took the return address: the frame began 8 below.
  uint64_t at = regs.rsp - sizeof(uint64_t);
  auto uc = TRY(mm::copy_in(task.mm(), UserPtr<UContext>(at + offsetof(RtSigFrame, uc))));
  TRY(pop_xstate(task, uc.mcontext.fpstate));
  read_context(uc.mcontext, regs);
  set_blocked(task, uc.sigmask);
  // As sigaltstack(2) would, without its errors.
  uint32_t flags = static_cast<uint32_t>(uc.stack.flags);
  if (!on_alt_stack(task, regs.rsp)) {
    if (flags & kSsDisable)
      task.signals.alt_stack = {0, kSsDisable, 0, 0};
    else if (uc.stack.size >= 2048)
      task.signals.alt_stack = {uc.stack.sp, static_cast<int32_t>(flags & kSsAutodisarm), 0, uc.stack.size};
  }
  return {};
}

}  // namespace runsc::kernel
