// Hosted mode from the monitor's side: how it brings the sentry up on host threads.
#pragma once

#include "kvm/hostcall/boot_info.h"
#include "kvm/hostcall/frame.h"
#include "kvm/monitor/error.h"
#include "kvm/monitor/vm.h"

namespace runsc::arch::hosted {

// Serves the hostcall in the frame of `cpu`. Called on that CPU's thread, on the stack of the task that calls
// (kStackSize in stack.cc): may block, must not switch tasks. Exit and Panic do not return.
using Service = void (*)(void* context, unsigned cpu, hostcall::Frame& frame);

struct Machine {
  monitor::Vm& vm;
  hostcall::BootInfo& info;  // complete but for free_start, which boot() advances past what it takes
  Service serve;
  void* context;
};

// Once per process, before any CPU: builds the guest's upper half in RAM from info.free_start on, makes
// info.cpus vCPUs, installs the signal handlers (kicks; SIGBUS and SIGSEGV of guarded copies, others go on to
// the handlers installed before). `machine`'s members outlive the sandbox. Before the jail or after it.
monitor::Expected<void> boot(const Machine& machine);

// Makes the calling thread CPU `cpu`: kernel_main on CPU 0, kernel_cpu_main on others.
[[noreturn]] void enter_cpu(unsigned cpu);

// Ends cpu_idle() of the CPU or pulls it out of user code: after events_pending was set, when
// timer_deadline_tsc has passed, for CpuWake. Any thread, async-signal-safe.
void kick(unsigned cpu);

}  // namespace runsc::arch::hosted
