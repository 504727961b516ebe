// Host only. config.json of the OCI runtime specification 1.1 as plain typed values. What is here has been
// checked for type, range and shape, not against the host: files may not exist, features may be missing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace runsc::oci {

struct User {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::optional<uint32_t> umask;
  std::vector<uint32_t> additional_gids;
};

// Bit n is capability number n. A set that config.json does not name is empty, as the specification has it.
struct Capabilities {
  uint64_t bounding = 0;
  uint64_t effective = 0;
  uint64_t inheritable = 0;
  uint64_t permitted = 0;
  uint64_t ambient = 0;
};

struct Rlimit {
  int resource = 0;  // RLIMIT_* of setrlimit(2)
  uint64_t soft = 0;
  uint64_t hard = 0;
};

struct WindowSize {
  uint16_t rows = 0;
  uint16_t columns = 0;
};

// process.scheduler: SCHED_* of sched(7), no deadlines.
struct Scheduler {
  int policy = 0, nice = 0, priority = 0;
};

struct Process {
  bool terminal = false;
  std::optional<WindowSize> console_size;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd;
  Capabilities capabilities;
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::optional<int> oom_score_adj;
  std::optional<Scheduler> scheduler;
  std::optional<uint32_t> io_priority;  // as ioprio_set(2) takes it
  std::string apparmor_profile;
  std::string selinux_label;
};

struct Root {
  std::string path;
  bool readonly = false;
};

struct Mount {
  std::string destination;  // absolute, cleaned of "." and ".."
  std::string type;         // "bind" for every bind mount, however it was spelled
  std::string source;
  bool bind = false;
  bool recursive = false;
  bool copy_up = false;      // of a tmpfs: with what the image has there
  uint64_t flags = 0;        // MS_* of mount(2), without MS_BIND, MS_REC and propagation
  uint64_t propagation = 0;  // MS_PRIVATE, ... with MS_REC
  std::string data;          // options that are no flags, joined by commas
};

enum class NamespaceKind { pid, network, mount, ipc, uts, user, cgroup, time };

struct Namespace {
  NamespaceKind kind = NamespaceKind::pid;
  std::string path;  // empty: a new one
};

struct IdMapping {
  uint32_t container_id = 0;
  uint32_t host_id = 0;
  uint32_t size = 0;
};

struct Device {
  std::string path;
  char type = 'c';  // c, u, b, p
  int64_t major = 0;
  int64_t minor = 0;
  std::optional<uint32_t> file_mode;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
};

struct Resources {
  std::optional<int64_t> memory_limit;
  std::optional<int64_t> memory_reservation;
  std::optional<int64_t> memory_swap;
  std::optional<bool> disable_oom_killer;
  std::optional<uint64_t> cpu_shares;
  std::optional<int64_t> cpu_quota;
  std::optional<uint64_t> cpu_period;
  std::string cpu_set;
  std::string memory_nodes;
  std::optional<int64_t> pids_limit;
  std::map<std::string, std::string> unified;
  // The remaining controllers (devices, blockIO, hugepageLimits, network, rdma) as JSON text, for when
  // cgroups are written.
  std::string raw;
};

struct SeccompArgument {
  uint32_t index = 0;
  uint64_t value = 0;
  uint64_t value_two = 0;
  std::string op;
};

struct SeccompRule {
  std::vector<std::string> names;
  std::string action;
  std::optional<uint32_t> errno_ret;
  std::vector<SeccompArgument> args;
};

// The container's own filter, applied by the sentry; not the jail of the sandbox process.
struct SeccompProfile {
  std::string default_action;
  std::optional<uint32_t> default_errno_ret;
  std::vector<std::string> architectures;
  std::vector<std::string> flags;
  std::vector<SeccompRule> rules;
};

struct Linux {
  std::vector<Namespace> namespaces;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::vector<Device> devices;
  std::string cgroups_path;
  Resources resources;
  std::optional<SeccompProfile> seccomp;
  std::map<std::string, std::string> sysctl;
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  uint64_t rootfs_propagation = 0;      // MS_SHARED...; 0: not said
  std::optional<uint32_t> personality;  // as personality(2) takes it
};

struct Hook {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int> timeout;
};

struct Hooks {
  std::vector<Hook> prestart;
  std::vector<Hook> create_runtime;
  std::vector<Hook> create_container;
  std::vector<Hook> start_container;
  std::vector<Hook> poststart;
  std::vector<Hook> poststop;
};

struct Spec {
  std::string oci_version;
  std::optional<Process> process;
  Root root;
  std::string hostname;
  std::string domainname;
  std::vector<Mount> mounts;
  Hooks hooks;
  std::map<std::string, std::string> annotations;
  Linux linux_;
  // What the specification wants said but not refused (an unknown capability, for instance).
  std::vector<std::string> warnings;
};

}  // namespace runsc::oci
