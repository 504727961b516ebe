#include "oci/sandbox/container_bytes.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "kvm/hostcall/container_spec.h"
#include "oci/sandbox/seccomp_program.h"

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

// What the sentry has a driver for; any other device is the host's.
constexpr std::pair<int64_t, int64_t> kDevices[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8},
                                                    {1, 9}, {5, 0}, {5, 1}, {5, 2}};

bool is_available(const Device& device) {
  if (device.type == 'p') return true;
  const bool character = device.type == 'c' || device.type == 'u';
  return character && std::find(std::begin(kDevices), std::end(kDevices),
                                std::pair(device.major, device.minor)) != std::end(kDevices);
}

// There if the container has a terminal, by the OCI specification.
constexpr const char* kConsole = "/dev/console";
Device console() {
  Device device;
  device.path = kConsole;
  device.major = 5;
  device.minor = 1;
  device.file_mode = 0600;
  return device;
}

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
    const Namespace& ns = section.namespaces[i];
    const std::string field = "config.json: linux.namespaces[" + std::to_string(i) + "]";
    if (ns.kind == NamespaceKind::user) return fail(field + ": user namespaces are not supported");
    const bool own =
        ns.kind == NamespaceKind::mount || ns.kind == NamespaceKind::cgroup || ns.kind == NamespaceKind::time;
    if (own && !ns.path.empty())
      spec.warnings.push_back(field + ".path: is not joined, the sandbox has one of its own");
  }
  for (size_t i = 0; i < section.devices.size(); ++i) {
    const Device& device = section.devices[i];
    if (!is_available(device))
      return fail("config.json: linux.devices[" + std::to_string(i) + "].path: device " + device.path +
                  " is not available in the sandbox");
  }
  for (const Mount& mount : spec.mounts)
    if ((mount.propagation & MS_SHARED) != 0)
      spec.warnings.push_back("config.json: mounts: " + mount.destination +
                              ": what is mounted in the sandbox does not reach the host");
  if (section.resources.disable_oom_killer.value_or(false))
    spec.warnings.emplace_back("config.json: linux.resources.memory.disableOOMKiller is not applied");
  if (section.seccomp) OCI_TRY(seccomp_program(*section.seccomp));
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

hostcall::ProcessAttributes attributes_of(const Process& process,
                                          const std::optional<uint32_t>& personality) {
  using Attributes = hostcall::ProcessAttributes;
  Attributes attributes;
  if (process.oom_score_adj) {
    attributes.which |= Attributes::kOomScore;
    attributes.oom_score_adj = static_cast<uint32_t>(*process.oom_score_adj);
  }
  if (personality) {
    attributes.which |= Attributes::kPersonality;
    attributes.personality = *personality;
  }
  if (process.io_priority) {
    attributes.which |= Attributes::kIoPriority;
    attributes.io_priority = *process.io_priority;
  }
  if (process.scheduler) {
    attributes.which |= Attributes::kScheduler;
    attributes.policy = static_cast<uint32_t>(process.scheduler->policy);
    attributes.nice = static_cast<uint32_t>(process.scheduler->nice);
    attributes.rt_priority = static_cast<uint32_t>(process.scheduler->priority);
  }
  return attributes;
}

// Places of what is donated for a process: the streams from `stdio` on, then what it has from 3 on.
struct ProcessPlaces {
  uint32_t stdio, preserved;
};

// `of` is null for one that joins: the container has a filter and a personality already.
void write_process(Writer& writer, const Process& process, const WindowSize& terminal, ProcessPlaces places,
                   const Linux* of) {
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
  for (uint32_t i = 0; i < 3; ++i) writer.u32(places.stdio + (process.terminal ? 0 : i));
  writer.u32(places.preserved);
  for (uint32_t i = 0; i < places.preserved; ++i) writer.u32(places.stdio + (process.terminal ? 1 : 3) + i);
  writer.attributes(attributes_of(process, of != nullptr ? of->personality : std::nullopt));
  std::string filter;
  // plan_container() has found it good.
  if (of != nullptr && of->seccomp)
    if (const auto program = seccomp_program(*of->seccomp))
      filter.assign(reinterpret_cast<const char*>(program->data()), program->size() * sizeof(sock_filter));
  writer.string(filter);
}

void write_mount(Writer& writer, const std::string& destination, MountKind kind, uint32_t place,
                 const Mount& mount) {
  writer.string(destination);
  writer.u32(static_cast<uint32_t>(kind));
  writer.u32(place);
  writer.u64(mount.flags);
  writer.u64(mount.propagation);
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

void write_devices(Writer& writer, const Spec& spec) {
  using Node = hostcall::DeviceNode;
  std::vector<Device> devices = spec.linux_.devices;
  if (spec.process->terminal && std::none_of(devices.begin(), devices.end(),
                                             [](const Device& device) { return device.path == kConsole; }))
    devices.push_back(console());
  writer.u32(static_cast<uint32_t>(devices.size()));
  for (const Device& device : devices) {
    Node node;
    node.type = device.type == 'p' ? S_IFIFO : S_IFCHR;
    node.major = static_cast<uint32_t>(device.major);
    node.minor = static_cast<uint32_t>(device.minor);
    node.which =
        (device.file_mode ? Node::kMode : 0) | (device.uid ? Node::kUid : 0) | (device.gid ? Node::kGid : 0);
    node.mode = device.file_mode.value_or(0);
    node.uid = device.uid.value_or(0);
    node.gid = device.gid.value_or(0);
    writer.string(device.path);
    writer.device_node(node);
  }
}

// "net.core.somaxconn" is "net/core/somaxconn"; sysctl.d(5) has the rule for names with a slash.
std::string sysctl_path(std::string name) {
  const size_t first = name.find_first_of("./");
  if (first == std::string::npos || name[first] == '/') return name;
  for (char& c : name) c = c == '.' ? '/' : c == '/' ? '.' : c;
  return name;
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
  write_process(writer, *spec.process, form.terminal,
                {static_cast<uint32_t>(plan.sources.size()), form.preserved}, &spec.linux_);
  writer.u32(static_cast<uint32_t>(spec.linux_.sysctl.size()));
  for (const auto& [name, value] : spec.linux_.sysctl) {
    writer.string(sysctl_path(name));
    writer.string(value);
  }
  writer.string(form.network);
  writer.u32(0);  // place of the root
  writer.u32(spec.root.readonly ? 1 : 0);
  writer.u32(1);  // writes stay in memory
  write_mounts(writer, spec);
  writer.u64(spec.linux_.rootfs_propagation);
  write_devices(writer, spec);
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
  std::vector<uint32_t> handles(plan.sources.size() + kStreams + form.preserved);
  std::iota(handles.begin(), handles.end(), 0U);
  return with_handles(handles, container_description(spec, plan, form));
}

std::string joining_process_bytes(const Process& process, const WindowSize& terminal,
                                  std::span<const uint32_t> stdio) {
  std::string bytes;
  Writer writer(bytes);
  const size_t streams = process.terminal ? 1 : 3;
  write_process(writer, process, terminal, {0, static_cast<uint32_t>(stdio.size() - streams)}, nullptr);
  return with_handles(stdio, bytes);
}

}  // namespace runsc::oci
