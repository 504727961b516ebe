// Hosted mode: a fault of the sentry's own code (SIGSEGV, SIGBUS, SIGILL, SIGFPE) ends the sandbox with a
// report.
#pragma once

#include "kvm/monitor/error.h"

namespace runsc::monitor {

// Installs the handlers for the process, where nobody has any (a sanitizer keeps its own). They write the
// signal, the address, the registers and a backtrace to stderr and to `log_fd` (-1: not), then let the signal
// kill the process. Before arch::hosted::boot(), whose own handlers pass on what they do not know.
Expected<void> install_fault_report(int log_fd);

}  // namespace runsc::monitor
