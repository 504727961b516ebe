#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

#include <cerrno>

#include "kvm/arch/hosted/guarded.h"

namespace {

struct FixUp {
  uint64_t access, resume;
};

}  // namespace

extern "C" {
extern const FixUp runsc_guarded_table[];
extern const FixUp runsc_guarded_table_end[];
}

namespace runsc::arch::hosted {

namespace {

struct sigaction previous_bus, previous_segv;

void on_fault(int signal, siginfo_t*, void* context) {
  auto* uc = static_cast<ucontext_t*>(context);
  auto& rip = uc->uc_mcontext.gregs[REG_RIP];
  for (const FixUp* f = runsc_guarded_table; f != runsc_guarded_table_end; ++f) {
    if (static_cast<uint64_t>(rip) == f->access) {
      rip = static_cast<greg_t>(f->resume);
      return;
    }
  }
  // Not ours: the handler from before gets it when the instruction faults again.
  sigaction(signal, signal == SIGBUS ? &previous_bus : &previous_segv, nullptr);
}

}  // namespace

monitor::Expected<void> install_fault_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGBUS, &action, &previous_bus) < 0 || sigaction(SIGSEGV, &action, &previous_segv) < 0)
    return monitor::fail_errno("sigaction for guest memory faults", errno);
  return {};
}

void install_signal_stack() {
  stack_t old{};
  if (sigaltstack(nullptr, &old) == 0 && !(old.ss_flags & SS_DISABLE)) return;
  stack_t fresh{};
  fresh.ss_size = 64 << 10;
  fresh.ss_sp = malloc(fresh.ss_size);  // for the life of the thread, which is the sandbox's
  if (fresh.ss_sp) sigaltstack(&fresh, nullptr);
}

}  // namespace runsc::arch::hosted
