#include "kernel/boot_init.h"

#include "kernel/base/check.h"
#include "kernel/base/log.h"
#include "kernel/control/container_setup.h"
#include "kernel/control/control.h"
#include "kernel/control/spawn.h"
#include "kernel/exit.h"
#include "kernel/klog.h"
#include "kernel/signal/signal.h"
#include "kernel/thread_group.h"
#include "kvm/hostcall/client.h"

namespace runsc::kernel {

namespace {

// A container that cannot start: the reason goes to whoever started it.
[[noreturn]] void fail_start(const StartFailure& failure) {
  start_failed(*Task::current().group().container, failure);
  (void)hostcall::call<hostcall::Exit>([&](auto& r) { r.wait_status = failure.status << 8; });
  PANIC("the host let a failed sandbox go on");
}

struct InitBoot {
  std::span<const std::byte> blob;
};
constinit InitBoot g_boot;

// Runs as pid 1, in kernel mode until it executes.
void boot_container(void*) {
  Task& task = Task::current();
  auto prepared = set_up_container(task, g_boot.blob);
  if (!prepared) fail_start(prepared.error());
  if (auto r = control_init(); !r)
    fail_start(StartFailure::of(StartFailure::kFailed, "control: {}", reason(r.error())).error());
  klog_line("Ready!");
  if (prepared->spec.wait_for_start) {
    (void)hostcall::call<hostcall::ContainerReady>([](auto&) {});
    if (!wait_for_start(task))
      exit_group(task, task.group().exit_code ? task.group().exit_code : death_status(abi::sig::kill));
  }
  auto executed = execute_process(task, prepared->spec.process, std::move(prepared->program));
  if (!executed) fail_start(executed.error());
  start_succeeded(*task.group().container);
}

}  // namespace

Result<void> start_init_task(const hostcall::BootInfo& boot) {
  g_boot.blob = {static_cast<const std::byte*>(arch::phys_to_virt(boot.container_phys)), boot.container_size};
  return spawn_process(hostcall::kInitProcess, TRY(Container::create(hostcall::kFirstContainer)),
                       TRY(Namespaces::create()), {}, boot_container, nullptr);
}

}  // namespace runsc::kernel
