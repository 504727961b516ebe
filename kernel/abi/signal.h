// Signals: numbers and layouts of Linux x86-64 (signal(7), sigaction(2), rt_sigreturn(2)).
#pragma once

#include <cstdint>

namespace runsc::abi {

namespace sig {
inline constexpr int hup = 1, intr = 2, quit = 3, ill = 4, trap = 5, abrt = 6, bus = 7, fpe = 8, kill = 9,
                     usr1 = 10, segv = 11, usr2 = 12, pipe = 13, alrm = 14, term = 15, stkflt = 16, chld = 17,
                     cont = 18, stop = 19, tstp = 20, ttin = 21, ttou = 22, urg = 23, xcpu = 24, xfsz = 25,
                     vtalrm = 26, prof = 27, winch = 28, io = 29, pwr = 30, sys = 31, rtmin = 32, max = 64;
}

// A set of signals: bit n-1 is signal n.
constexpr uint64_t sig_bit(int signal) { return uint64_t{1} << (signal - 1); }

namespace sig_code {
inline constexpr int user = 0, kernel = 0x80, queue = -1, timer = -2, mesgq = -3, asyncio = -4, sigio = -5,
                     tkill = -6;
inline constexpr int ill_illopn = 2, fpe_intdiv = 1, fpe_fltdiv = 3, fpe_fltovf = 4, fpe_fltund = 5,
                     fpe_fltres = 6, fpe_fltinv = 7, segv_maperr = 1, segv_accerr = 2, bus_adraln = 1,
                     bus_adrerr = 2, trap_brkpt = 1, trap_trace = 2, trap_hwbkpt = 4;
inline constexpr int cld_exited = 1, cld_killed = 2, cld_dumped = 3, cld_trapped = 4, cld_stopped = 5,
                     cld_continued = 6;
}  // namespace sig_code

// siginfo_t, 128 bytes; what stands behind `code` depends on the signal.
struct SigInfo {
  int32_t signo = 0, error = 0, code = 0, pad = 0;
  union {
    struct {
      int32_t pid;
      uint32_t uid;
      union {
        int32_t status;
        int32_t sival_low;
        uint64_t value;
      };
      int64_t utime, stime;
    } child;
    struct {
      int32_t pid;
      uint32_t uid;
      uint64_t value;
    } rt;
    struct {
      int32_t timer_id;
      int32_t overrun;
      uint64_t value;
      int32_t private_id;
    } timer;
    struct {
      uint64_t address;
    } fault;
    struct {
      int64_t band;
      int32_t fd;
    } poll;
    struct {
      uint64_t call_address;
      int32_t syscall;
      uint32_t arch;
    } sigsys;
    uint8_t bytes[112];
  };
  SigInfo() : bytes{} {}
  SigInfo(int s, int c) : signo(s), code(c), bytes{} {}
};

struct SigAction {
  uint64_t handler = 0;  // 0 SIG_DFL, 1 SIG_IGN
  uint64_t flags = 0;
  uint64_t restorer = 0;
  uint64_t mask = 0;
};
inline constexpr uint64_t kSigDfl = 0, kSigIgn = 1;
namespace sa {
inline constexpr uint64_t nocldstop = 1, nocldwait = 2, siginfo = 4, unsupported = 0x400,
                          expose_tagbits = 0x800, restorer = 0x04000000, onstack = 0x08000000,
                          restart = 0x10000000, nodefer = 0x40000000, resethand = 0x80000000;
}

struct SigStack {
  uint64_t sp;
  int32_t flags;
  int32_t pad;
  uint64_t size;
};
inline constexpr int kSsOnstack = 1, kSsDisable = 2;
inline constexpr uint32_t kSsAutodisarm = 1u << 31;

// struct sigcontext as in asm/sigcontext.h.
struct SigContext {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
  uint16_t cs, gs, fs, ss;
  uint64_t err, trapno, oldmask, cr2, fpstate;
  uint64_t reserved[8];
};
static_assert(sizeof(SigContext) == 256);

struct UContext {
  uint64_t flags, link;
  SigStack stack;
  SigContext mcontext;
  uint64_t sigmask;
};
inline constexpr uint64_t kUcFpXstate = 1, kUcSigcontextSs = 2, kUcStrictRestoreSs = 4;

// What stands at the stack pointer when a handler starts.
struct RtSigFrame {
  uint64_t return_address;
  UContext uc;
  SigInfo info;
};
static_assert(sizeof(UContext) == 304);

// Software-reserved bytes at offset 464 of the FXSAVE image (struct _fpx_sw_bytes).
struct FpxSwBytes {
  uint32_t magic1, extended_size;
  uint64_t xfeatures;
  uint32_t xstate_size, padding[7];
};
static_assert(sizeof(FpxSwBytes) == 48);
inline constexpr uint32_t kFpXstateMagic1 = 0x46505853, kFpXstateMagic2 = 0x46505845;

}  // namespace runsc::abi
