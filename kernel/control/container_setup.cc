#include "kernel/control/container_setup.h"

#include "fs/boot_mounts.h"
#include "kernel/control/containers.h"
#include "kernel/control/sysctls.h"
#include "kernel/network_setup.h"

namespace runsc::kernel {

namespace {

std::unexpected<StartFailure> failed(std::string_view what, Errno e) {
  return StartFailure::of(StartFailure::kFailed, "{}: {}", what, reason(e));
}

// Mounts the container's tree and moves there.
Started<void> enter_mounts(Task& task, hostcall::ContainerReader& reader, uint32_t umask) {
  Namespaces::Parts parts = task.namespaces().parts();
  auto mounts = fs::MountNamespace::create();
  if (!mounts) return failed("mounts", mounts.error());
  parts.mounts = std::move(*mounts);
  auto context = fs::boot_mounts(*parts.mounts, reader, umask);
  if (!context) {
    const fs::BootMountFailure& f = context.error();
    return StartFailure::of(StartFailure::kFailed, "{} \"{}\": {}", f.what, f.path, reason(f.error));
  }
  auto namespaces = Namespaces::create(std::move(parts));
  if (!namespaces) return failed("mounts", namespaces.error());
  task.set_namespaces(std::move(*namespaces));
  task.set_fs(std::move(*context));
  return {};
}

Result<void> set_filter(Container& container, const Vec<BpfInstruction>& program) {
  if (program.empty()) return {};
  TRY(bpf_check(program.span()));
  Vec<BpfInstruction> copy;
  for (const BpfInstruction& one : program) TRY(copy.push_back(one));
  container.seccomp.set(SeccompMode::filter, TRY(SeccompFilter::create(std::move(copy))));
  return {};
}

Started<void> set_sysctls(Task& task, const Vec<ContainerSpec::Sysctl>& sysctls) {
  if (sysctls.empty()) return {};
  for (const ContainerSpec::Sysctl& s : sysctls)
    if (auto r = set_sysctl(task, s.name.view(), s.value.view()); !r)
      return StartFailure::of(StartFailure::kFailed, "write sysctl {} = {}: {}", s.name.view(),
                              s.value.view(),
                              r.error() == Errno::noent ? "it is not known here" : reason(r.error()));
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
  if (auto r = enter_mounts(task, reader, spec->process.umask); !r) return std::unexpected(r.error());
  if (auto r = set_sysctls(task, spec->sysctls); !r) return std::unexpected(r.error());
  if (auto r = set_filter(container, spec->process.filter); !r) return failed("seccomp filter", r.error());
  auto program = prepare_process(task, spec->process);
  if (!program) return std::unexpected(program.error());
  return Prepared{std::move(*spec), std::move(*program)};
}

}  // namespace runsc::kernel
