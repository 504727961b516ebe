#include "oci/sandbox/signals.h"

#include <initializer_list>

namespace runsc::oci {

sigset_t catchable_signals() {
  sigset_t set;
  sigfillset(&set);
  for (const int signo : {SIGKILL, SIGSTOP}) sigdelset(&set, signo);
  return set;
}

sigset_t forwarded_signals() {
  sigset_t set = catchable_signals();
  for (const int signo : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT, SIGCHLD, SIGPIPE})
    sigdelset(&set, signo);
  // The monitor has one of the first few for its own (Vcpu::kick_signal()).
  constexpr int kOfTheMonitor = 8;
  for (int signo = SIGRTMIN; signo < SIGRTMIN + kOfTheMonitor; ++signo) sigdelset(&set, signo);
  return set;
}

}  // namespace runsc::oci
