#include "kernel/boot_init.h"

#include "fs/boot_mounts.h"
#include "kernel/base/check.h"
#include "kernel/base/log.h"
#include "kernel/container.h"
#include "kernel/control/control.h"
#include "kernel/control/spawn.h"
#include "kernel/exit.h"
#include "kernel/klog.h"
#include "kernel/signal/signal.h"
#include "kernel/thread_group.h"
#include "kvm/hostcall/client.h"

namespace runsc::kernel {

namespace {

using hostcall::ContainerReader;

// A container that cannot start: the reason goes to whoever started it.
[[noreturn]] void fail_start(const StartFailure& failure) {
  start_failed(failure);
  (void)hostcall::call<hostcall::Exit>([&](auto& r) { r.wait_status = failure.status << 8; });
  PANIC("the host let a failed sandbox go on");
}

[[noreturn]] void fail_start(std::string_view what, Errno e) {
  fail_start(StartFailure::of(StartFailure::kFailed, "{}: {}", what, reason(e)).error());
}

struct InitBoot {
  std::span<const std::byte> blob;
};
constinit InitBoot g_boot;

// Runs as pid 1, in kernel mode until it executes.
void boot_container(void*) {
  Task& task = Task::current();
  ContainerReader reader(g_boot.blob);
  auto container = read_container(reader);
  if (!container) fail_start("container description", container.error());
  const ProcessSpec& spec = container->process;
  UtsNamespace& uts = task.namespaces().uts();
  (void)uts.set_hostname(container->hostname.view());
  if (!container->domainname.empty()) (void)uts.set_domainname(container->domainname.view());
  auto context = fs::boot_mounts(task.namespaces().mounts(), reader, spec.umask);
  if (!context) fail_start("mounting the container's file systems", context.error());
  task.set_fs(std::move(*context));
  if (auto r = control_init(); !r) fail_start("control", r.error());
  auto program = prepare_process(task, spec);
  if (!program) fail_start(program.error());
  klog_line("Ready!");
  if (container->wait_for_start && !wait_for_start(task))
    exit_group(task, task.group().exit_code ? task.group().exit_code : death_status(abi::sig::kill));
  auto executed = execute_process(task, spec, std::move(*program));
  if (!executed) fail_start(executed.error());
  start_succeeded();
}

}  // namespace

Result<void> start_init_task(const hostcall::BootInfo& boot) {
  g_boot.blob = {static_cast<const std::byte*>(arch::phys_to_virt(boot.container_phys)), boot.container_size};
  return spawn_process(hostcall::kInitProcess, TRY(Namespaces::create()), {}, boot_container, nullptr);
}

}  // namespace runsc::kernel
