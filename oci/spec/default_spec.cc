#include "oci/spec/default_spec.h"

#include <nlohmann/json.hpp>

#include "oci/spec/names.h"

namespace runsc::oci {
namespace {

using nlohmann::ordered_json;

ordered_json mount(const char* destination, const char* type, const char* source,
                   const std::vector<std::string>& options) {
  ordered_json entry = {{"destination", destination}, {"type", type}, {"source", source}};
  if (!options.empty()) entry["options"] = options;
  return entry;
}

ordered_json default_mounts() {
  ordered_json mounts = ordered_json::array();
  mounts.push_back(mount("/proc", "proc", "proc", {}));
  mounts.push_back(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  mounts.push_back(mount("/dev/pts", "devpts", "devpts",
                         {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
  mounts.push_back(
      mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
  mounts.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  mounts.push_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
  mounts.push_back(
      mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}));
  return mounts;
}

ordered_json default_process(const std::vector<std::string>& args) {
  const std::vector<std::string> capabilities = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  ordered_json process;
  process["terminal"] = true;
  process["user"] = {{"uid", 0}, {"gid", 0}};
  process["args"] = args;
  process["env"] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
  process["cwd"] = "/";
  for (const char* set : {"bounding", "effective", "permitted"}) process["capabilities"][set] = capabilities;
  process["rlimits"] = ordered_json::array({{{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}}});
  process["noNewPrivileges"] = true;
  return process;
}

ordered_json default_linux() {
  ordered_json section;
  section["resources"]["devices"] = ordered_json::array({{{"allow", false}, {"access", "rwm"}}});
  for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"}) {
    section["namespaces"].push_back({{"type", type}});
  }
  section["maskedPaths"] = {
      "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
      "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"};
  section["readonlyPaths"] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  return section;
}

}  // namespace

ordered_json default_spec(const std::vector<std::string>& args) {
  ordered_json spec;
  spec["ociVersion"] = "1.1.0";
  spec["process"] = default_process(args);
  spec["root"] = {{"path", "rootfs"}, {"readonly", true}};
  spec["hostname"] = "runsc";
  spec["mounts"] = default_mounts();
  spec["linux"] = default_linux();
  return spec;
}

std::vector<std::string> capability_names(uint64_t set) {
  std::vector<std::string> names;
  for (int number = 0; capability_name(number) != nullptr; ++number) {
    if ((set >> number & 1) != 0) names.emplace_back(capability_name(number));
  }
  return names;
}

}  // namespace runsc::oci
