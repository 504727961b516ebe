#include "kernel/main.h"

#include "fs/boot_mounts.h"
#include "kernel/base/check.h"
#include "kernel/base/log.h"
#include "kernel/boot_init.h"
#include "kernel/filesystems.h"
#include "kernel/futex.h"
#include "kernel/klog.h"
#include "kernel/leases.h"
#include "kernel/oom.h"
#include "kernel/pid.h"
#include "kernel/random.h"
#include "kernel/sched/scheduler.h"
#include "kernel/stdio/host_stream.h"
#include "kernel/syscalls/strace.h"
#include "kernel/syscalls/tables.h"
#include "kernel/time/clock.h"
#include "kernel/vdso/vdso.h"
#include "mm/phys.h"
#include "net/socket.h"

namespace runsc::kernel {

namespace {

constinit std::atomic<bool> g_ready{false};

template <class... Args>
void boot_line(std::string_view fmt, const Args&... args) {
  char room[160];
  FixedText text(room);
  format(text, fmt, args...);
  klog_line(text.view());
}

void describe_machine(const hostcall::BootInfo& boot) {
  boot_line("Memory: {} MiB limit, {} MiB at hand", boot.ram_limit >> 20, boot.ram_ready >> 20);
  boot_line("smp: {} CPU{}", boot.cpus, boot.cpus == 1 ? "" : "s");
  boot_line("tsc: {}.{:03} MHz, anchored to the host's clocks", boot.tsc_hz / 1'000'000,
            boot.tsc_hz / 1000 % 1000);
  boot_line("fpu: XSAVE area of {} bytes, features 0x{:x}", boot.xsave_size, boot.xcr0);
}

}  // namespace

void kernel_main(const hostcall::BootInfo& boot) {
  // The first line of the log is at 0.
  clock_init(boot);
  klog_line("Starting gVisor...");
  log_set_level(static_cast<LogLevel>(boot.log_level));
  if (boot.strace) strace_enable();
  mm::phys_init(boot);
  random_init(boot.random_seed);
  describe_machine(boot);
  pid_init();
  futex_init();
  syscall_table_init();
  register_filesystems();
  Result<void> net = net::net_init();
  CHECK(net.has_value(), "no memory for sockets");
  sched_init(boot.cpus);
  oom_init();
  lease_hooks_init();
  host_fifo_init();
  Result<void> vdso = vdso_init();
  CHECK(vdso.has_value(), "no memory for the vDSO");
  Result<void> init = start_init_task(boot);
  CHECK(init.has_value(), "no memory for the first task");
  // Release: the other CPUs see everything above.
  g_ready.store(true, std::memory_order_release);
  for (unsigned cpu = 1; cpu < boot.cpus; ++cpu) arch::cpu_wake(cpu);
  sched_run_cpu();
}

void kernel_cpu_main(unsigned) {
  while (!g_ready.load(std::memory_order_acquire)) arch::cpu_idle(~uint64_t{0});
  sched_run_cpu();
}

}  // namespace runsc::kernel
