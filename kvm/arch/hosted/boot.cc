#include "kvm/arch/hosted/boot.h"

#include <sys/mman.h>

#include <cerrno>
#include <mutex>

#include "kernel/base/check.h"
#include "kernel/main.h"
#include "kvm/arch/hosted/guarded.h"
#include "kvm/arch/hosted/guest_half.h"
#include "kvm/arch/hosted/machine.h"
#include "kvm/arch/hosted/vcpu_pool.h"

namespace runsc::arch::hosted {

monitor::Expected<void> boot(const Machine& machine) {
  hostcall::BootInfo& info = machine.info;
  monitor::GuestMemory& memory = machine.vm.memory();
  if (info.cpus == 0 || info.cpus > hostcall::kMaxCpus) return monitor::fail("bad number of CPUs");
  direct_map_base = memory.host_base();
  info.free_start = build_guest_half(memory, info.free_start);
  if (info.free_start > info.ram_ready) return monitor::fail("not enough memory to start the sentry");
  sandbox.vm = &machine.vm;
  sandbox.info = info;
  sandbox.serve = machine.serve;
  sandbox.context = machine.context;
  // SAFETY: the monitor laid both out in RAM.
  sandbox.shared = reinterpret_cast<hostcall::Shared*>(memory.at(info.shared_phys));
  sandbox.frames = reinterpret_cast<hostcall::Frame*>(memory.at(info.frames_phys));
  MON_TRY(monitor::Vcpu::install_kick_handler());
  MON_TRY(install_fault_handler());
  return pool_init(info.cpus);
}

void enter_cpu(unsigned cpu) {
  install_signal_stack();
  bind_thread(cpu);
  if (cpu == 0) kernel::kernel_main(sandbox.info);
  kernel::kernel_cpu_main(cpu);
}

}  // namespace runsc::arch::hosted
