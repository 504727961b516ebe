#include "kernel/control/container_setup.h"

#include "fs/boot_mounts.h"
#include "kernel/control/containers.h"
#include "kernel/network_setup.h"

namespace runsc::kernel {

namespace {

std::unexpected<StartFailure> failed(std::string_view what, Errno e) {
  return StartFailure::of(StartFailure::kFailed, "{}: {}", what, reason(e));
}

// Mounts the container's tree and moves there.
Result<void> enter_mounts(Task& task, hostcall::ContainerReader& reader, uint32_t umask) {
  Namespaces::Parts parts = task.namespaces().parts();
  parts.mounts = TRY(fs::MountNamespace::create());
  Ref<fs::FsContext> context = TRY(fs::boot_mounts(*parts.mounts, reader, umask));
  task.set_namespaces(TRY(Namespaces::create(std::move(parts))));
  task.set_fs(std::move(context));
  return {};
}

}  // namespace

Started<Prepared> set_up_container(Task& task, std::span<const std::byte> bytes) {
  hostcall::ContainerReader reader(bytes);
  auto spec = read_container(reader);
  if (!spec) return failed("container description", spec.error());
  Container& container = *task.group().container;
  container.set_limits(ContainerLimits().with(spec->limits));
  // Of a pod the first container speaks for all.
  if (container.is_first() && spec->limits.which & hostcall::Limits::kSandbox)
    if (auto r = mm::phys_set_cap(spec->limits.sandbox_memory); !r)
      return failed("memory limit of the sandbox", r.error());
  UtsNamespace& uts = task.namespaces().uts();
  if (!spec->hostname.view().empty()) (void)uts.set_hostname(spec->hostname.view());
  if (!spec->domainname.view().empty()) (void)uts.set_domainname(spec->domainname.view());
  if (auto r = set_up_network(task.namespaces().net(), spec->network.view()); !r)
    return failed("network interfaces", r.error());
  if (auto r = enter_mounts(task, reader, spec->process.umask); !r)
    return failed("mounting the container's file systems", r.error());
  auto program = prepare_process(task, spec->process);
  if (!program) return std::unexpected(program.error());
  return Prepared{std::move(*spec), std::move(*program)};
}

}  // namespace runsc::kernel
