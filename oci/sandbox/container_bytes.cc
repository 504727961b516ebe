#include "oci/sandbox/container_bytes.h"

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "kvm/hostcall/container_spec.h"

namespace runsc::oci {
namespace {

using hostcall::MountKind;
using Writer = hostcall::ContainerWriter<std::string>;

constexpr uint32_t kDefaultUmask = 022;
using hostcall::kNoPlace;
constexpr uint32_t kNoLimit = UINT32_MAX;

struct KindName {
  std::string_view type;
  MountKind kind;
};

constexpr KindName kKinds[] = {
    {"tmpfs", MountKind::tmpfs},   {"ramfs", MountKind::tmpfs},       {"proc", MountKind::proc},
    {"sysfs", MountKind::sysfs},   {"devtmpfs", MountKind::devtmpfs}, {"devpts", MountKind::devpts},
    {"mqueue", MountKind::mqueue}, {"cgroup", MountKind::cgroup},     {"cgroup2", MountKind::cgroup},
};

// Devices that every container has, by the OCI specification; any other is the host's.
constexpr std::string_view kDefaultDevices[] = {
    "/dev/null",    "/dev/zero", "/dev/full",    "/dev/random",
    "/dev/urandom", "/dev/tty",  "/dev/console", "/dev/ptmx",
};

std::optional<MountKind> kind_of(const Mount& mount) {
  if (mount.bind) return MountKind::bind;
  // config.json says tmpfs and leaves the devices in it to the runtime.
  if (mount.destination == "/dev" && mount.type == "tmpfs") return MountKind::devtmpfs;
  for (const KindName& name : kKinds) {
    if (name.type == mount.type) return name.kind;
  }
  return std::nullopt;
}

bool has_mount_at(const Spec& spec, std::string_view destination) {
  return std::any_of(spec.mounts.begin(), spec.mounts.end(),
                     [&](const Mount& mount) { return mount.destination == destination; });
}

Expected<void> check_mounts(const Spec& spec) {
  for (size_t i = 0; i < spec.mounts.size(); ++i) {
    const std::string field = "config.json: mounts[" + std::to_string(i) + "]";
    const Mount& mount = spec.mounts[i];
    if (mount.destination == "/") return fail(field + ".destination: must not be /");
    if (!kind_of(mount)) return fail(field + ".type: file system " + mount.type + " is not supported");
  }
  return {};
}

Expected<void> check_features(Spec& spec) {
  const Linux& section = spec.linux_;
  for (size_t i = 0; i < section.namespaces.size(); ++i) {
    if (section.namespaces[i].kind == NamespaceKind::user) {
      return fail("config.json: linux.namespaces[" + std::to_string(i) +
                  "]: user namespaces are not supported");
    }
  }
  for (size_t i = 0; i < section.devices.size(); ++i) {
    const std::string& path = section.devices[i].path;
    if (std::find(std::begin(kDefaultDevices), std::end(kDefaultDevices), path) ==
        std::end(kDefaultDevices)) {
      return fail("config.json: linux.devices[" + std::to_string(i) + "].path: device " + path +
                  " is not available in the sandbox");
    }
  }
  for (const Mount& mount : spec.mounts)
    if ((mount.propagation & MS_SHARED) != 0)
      spec.warnings.push_back("config.json: mounts: " + mount.destination +
                              ": what is mounted in the sandbox does not reach the host");
  if (section.resources.disable_oom_killer.value_or(false))
    spec.warnings.emplace_back("config.json: linux.resources.memory.disableOOMKiller is not applied");
  if (section.seccomp)
    spec.warnings.emplace_back("config.json: linux.seccomp is not applied inside the sandbox");
  if (!section.sysctl.empty())
    spec.warnings.emplace_back("config.json: linux.sysctl is not applied inside the sandbox");
  if (!spec.process->apparmor_profile.empty() || !spec.process->selinux_label.empty()) {
    spec.warnings.emplace_back("config.json: AppArmor and SELinux labels do not apply inside the sandbox");
  }
  return {};
}

std::string host_name(const Spec& spec) {
  if (!spec.hostname.empty()) return spec.hostname;
  // A new UTS namespace starts with the name of the one around it.
  char name[65] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "runsc";
}

void write_credentials(Writer& writer, const Process& process) {
  writer.u32(process.user.uid);
  writer.u32(process.user.gid);
  writer.u32(static_cast<uint32_t>(process.user.additional_gids.size()));
  for (const uint32_t gid : process.user.additional_gids) writer.u32(gid);
  writer.u32(process.user.umask.value_or(kDefaultUmask));
  const Capabilities& capabilities = process.capabilities;
  for (const uint64_t set : {capabilities.effective, capabilities.permitted, capabilities.inheritable,
                             capabilities.bounding, capabilities.ambient}) {
    writer.u64(set);
  }
  writer.u32(process.no_new_privileges ? 1 : 0);
}

// The streams' places begin at `stdio`.
void write_process(Writer& writer, const Process& process, const WindowSize& terminal, uint32_t stdio) {
  writer.strings(process.args);
  writer.strings(process.env);
  writer.string(process.cwd);
  write_credentials(writer, process);
  writer.u32(static_cast<uint32_t>(process.rlimits.size()));
  for (const Rlimit& limit : process.rlimits) {
    writer.u32(static_cast<uint32_t>(limit.resource));
    writer.u64(limit.soft);
    writer.u64(limit.hard);
  }
  writer.u32(process.terminal ? 1 : 0);
  writer.u32(terminal.rows);
  writer.u32(terminal.columns);
  for (uint32_t i = 0; i < 3; ++i) writer.u32(stdio + (process.terminal ? 0 : i));
}

void write_mount(Writer& writer, const std::string& destination, MountKind kind, uint32_t place,
                 const Mount& mount) {
  writer.string(destination);
  writer.u32(static_cast<uint32_t>(kind));
  writer.u32(place);
  writer.u64(mount.flags);
  writer.string(mount.data);
}

void write_mounts(Writer& writer, const Spec& spec) {
  // The devices that the specification promises need a place even where config.json mounts none.
  const bool add_dev = !has_mount_at(spec, "/dev");
  writer.u32(static_cast<uint32_t>(spec.mounts.size()) + (add_dev ? 1 : 0));
  if (add_dev) write_mount(writer, "/dev", MountKind::devtmpfs, kNoPlace, Mount{});
  uint32_t next_place = 1;
  for (const Mount& mount : spec.mounts) {
    write_mount(writer, mount.destination, *kind_of(mount), mount.bind ? next_place++ : kNoPlace, mount);
  }
}

}  // namespace

Expected<ContainerPlan> plan_container(Spec& spec) {
  if (!spec.process) return fail("config.json: process: is required");
  OCI_TRY_VOID(check_mounts(spec));
  OCI_TRY_VOID(check_features(spec));
  ContainerPlan plan;
  // Written to in memory only, so read-only on the host whatever root.readonly says.
  plan.sources.push_back({spec.root.path, "config.json: root.path", true, true, true});
  for (size_t i = 0; i < spec.mounts.size(); ++i) {
    const Mount& mount = spec.mounts[i];
    if (!mount.bind) continue;
    const bool read_only = (mount.flags & 1 /* MS_RDONLY */) != 0;
    plan.sources.push_back({mount.source, "config.json: mounts[" + std::to_string(i) + "].source",
                            mount.recursive, read_only, false});
  }
  return plan;
}

namespace {

hostcall::Limits limits_of(const Resources& resources, std::optional<uint64_t> sandbox_memory) {
  using hostcall::Limits;
  Limits limits;
  if (resources.memory_limit && *resources.memory_limit != 0) {
    limits.which |= Limits::kMemory;
    if (*resources.memory_limit > 0) limits.memory = static_cast<uint64_t>(*resources.memory_limit);
  }
  if (resources.pids_limit) {
    limits.which |= Limits::kTasks;
    const int64_t tasks = *resources.pids_limit;
    if (tasks > 0 && tasks < kNoLimit) limits.tasks = static_cast<uint32_t>(tasks);
  }
  if (resources.cpu_quota) {
    limits.which |= Limits::kCpuQuota;
    limits.cpu_quota_us = static_cast<uint64_t>(std::max<int64_t>(*resources.cpu_quota, 0));
  }
  if (resources.cpu_period) {
    limits.which |= Limits::kCpuPeriod;
    limits.cpu_period_us = *resources.cpu_period;
  }
  if (resources.cpu_shares) {
    limits.which |= Limits::kCpuShares;
    limits.cpu_shares = *resources.cpu_shares;
  }
  if (sandbox_memory) {
    limits.which |= Limits::kSandbox;
    limits.sandbox_memory = *sandbox_memory;
  }
  return limits;
}

}  // namespace

std::string limits_bytes(const Resources& resources, std::optional<uint64_t> sandbox_memory) {
  std::string bytes;
  Writer(bytes).limits(limits_of(resources, sandbox_memory));
  return bytes;
}

std::string container_description(const Spec& spec, const ContainerPlan& plan, const StartForm& form) {
  std::string bytes;
  Writer writer(bytes);
  writer.string(form.keep_host_name ? std::string() : host_name(spec));
  writer.string(form.keep_host_name ? std::string() : spec.domainname);
  writer.u32(form.wait_for_start ? 1 : 0);
  writer.limits(limits_of(spec.linux_.resources, form.sandbox_memory));
  write_process(writer, *spec.process, form.terminal, static_cast<uint32_t>(plan.sources.size()));
  writer.string(form.network);
  writer.u32(0);  // place of the root
  writer.u32(spec.root.readonly ? 1 : 0);
  writer.u32(1);  // writes stay in memory
  write_mounts(writer, spec);
  writer.strings(spec.linux_.masked_paths);
  writer.strings(spec.linux_.readonly_paths);
  return bytes;
}

std::string with_handles(std::span<const uint32_t> handles, std::string_view description) {
  std::string bytes;
  Writer writer(bytes);
  writer.u32(hostcall::kContainerVersion);
  writer.u32(static_cast<uint32_t>(handles.size()));
  for (const uint32_t handle : handles) writer.u32(handle);
  bytes.append(description);
  return bytes;
}

std::string container_bytes(const Spec& spec, const ContainerPlan& plan, const StartForm& form) {
  constexpr size_t kStreams = 3;
  std::vector<uint32_t> handles(plan.sources.size() + kStreams);
  std::iota(handles.begin(), handles.end(), 0U);
  return with_handles(handles, container_description(spec, plan, form));
}

std::string joining_process_bytes(const Process& process, const WindowSize& terminal,
                                  std::span<const uint32_t> stdio) {
  std::string bytes;
  Writer writer(bytes);
  write_process(writer, process, terminal, 0);
  return with_handles(stdio, bytes);
}

}  // namespace runsc::oci
