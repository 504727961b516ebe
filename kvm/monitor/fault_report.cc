#include "kvm/monitor/fault_report.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

extern "C" const char __ehdr_start;  // the linker's: where the file begins in memory

namespace runsc::monitor {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
constexpr int kMostFrames = 64;
int report_fd = -1;
std::atomic<bool> reporting{false};

// Only what is async-signal-safe, and backtrace(), which is once its library is loaded (install_fault_report
// does that).
class SafeText {
 public:
  SafeText& text(const char* s) {
    while (*s != 0 && size_ < sizeof buffer_) buffer_[size_++] = *s++;
    return *this;
  }
  SafeText& hex(std::uint64_t v) {
    text("0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
      if (size_ < sizeof buffer_) buffer_[size_++] = "0123456789abcdef"[v >> shift & 15];
    }
    return *this;
  }
  void write_to(int fd) const {
    if (fd >= 0) (void)!::write(fd, buffer_, size_);
  }

 private:
  char buffer_[1024];
  std::size_t size_ = 0;
};

// As backtrace_symbols_fd(3), which writes by a call that the jail does not know.
void write_frames(void* const* frames, int count, int fd) {
  for (int i = 0; i < count; ++i) {
    const auto at = reinterpret_cast<std::uintptr_t>(frames[i]);
    SafeText line;
    Dl_info where{};
    if (::dladdr(frames[i], &where) != 0 && where.dli_fname != nullptr) {
      const void* base = where.dli_sname != nullptr ? where.dli_saddr : where.dli_fbase;
      line.text(where.dli_fname).text("(").text(where.dli_sname != nullptr ? where.dli_sname : "");
      line.text("+").hex(at - reinterpret_cast<std::uintptr_t>(base)).text(") ");
    }
    line.text("[").hex(at).text("]\n").write_to(fd);
  }
}

void on_fault(int signo, siginfo_t* info, void* context) {
  // The signal kills the process when it comes again, here or to any thread.
  ::signal(signo, SIG_DFL);
  if (reporting.exchange(true)) return;
  const greg_t* r = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  auto reg = [&](int n) { return static_cast<std::uint64_t>(r[n]); };
  SafeText report;
  report.text("sandbox crash: the sentry got ").text(sigabbrev_np(signo)).text(" at address ");
  report.hex(reinterpret_cast<std::uint64_t>(info->si_addr)).text("\n  rip ").hex(reg(REG_RIP));
  report.text(" rsp ")
      .hex(reg(REG_RSP))
      .text(" rbp ")
      .hex(reg(REG_RBP))
      .text(" rax ")
      .hex(reg(REG_RAX))
      .text(" rbx ")
      .hex(reg(REG_RBX));
  report.text("\n  rcx ").hex(reg(REG_RCX)).text(" rdx ").hex(reg(REG_RDX)).text(" rsi ").hex(reg(REG_RSI));
  report.text(" rdi ").hex(reg(REG_RDI));
  // Released programs have no names in the backtrace: the place in the file is the address less this one.
  report.text("\n  program at ").hex(reinterpret_cast<std::uintptr_t>(&__ehdr_start)).text("\nbacktrace:\n");
  void* frames[kMostFrames];
  const int count = ::backtrace(frames, kMostFrames);
  for (int fd : {STDERR_FILENO, report_fd}) {
    report.write_to(fd);
    write_frames(frames, count, fd);
  }
}

}  // namespace

Expected<void> install_fault_report(int log_fd) {
  report_fd = log_fd;
  void* frames[1];
  ::backtrace(frames, 1);  // loads libgcc, which a handler must not
  for (int signo : kSignals) {
    struct sigaction old {};
    if (::sigaction(signo, nullptr, &old) < 0) return fail_errno("sigaction", errno);
    if ((old.sa_flags & SA_SIGINFO) != 0 || old.sa_handler != SIG_DFL) continue;
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    if (::sigaction(signo, &action, nullptr) < 0) return fail_errno("sigaction", errno);
  }
  return {};
}

}  // namespace runsc::monitor
