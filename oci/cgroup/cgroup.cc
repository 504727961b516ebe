#include "oci/cgroup/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <sstream>

#include "oci/cgroup/hierarchies.h"
#include "oci/host/file_io.h"

namespace runsc::oci {
namespace {

Expected<void> put(const std::string& file, const std::string& value) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail_errno(file);
  if (::write(fd.get(), value.data(), value.size()) < 0)
    return fail_errno("writing " + value + " to " + file);
  return {};
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string get(const std::string& file) {
  constexpr size_t kMost = 65536;
  std::string text = read_file(file, kMost).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

uint64_t number(const std::string& text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// A new cpuset holds nothing, and then no process may enter.
Expected<void> inherit_cpuset(const std::string& parent, const std::string& path) {
  for (const char* name : {"/cpuset.cpus", "/cpuset.mems"}) {
    if (exists(path + name) && get(path + name).empty()) OCI_TRY_VOID(put(path + name, get(parent + name)));
  }
  return {};
}

// A controller works in the children of a v2 cgroup only once the parent says so. One with processes in it
// must not: its children could hold none then. The root alone may (it has no type).
void enable_controllers(const std::string& parent) {
  if (exists(parent + "/cgroup.type") && !get(parent + "/cgroup.procs").empty()) return;
  std::istringstream names(get(parent + "/cgroup.controllers"));
  // One that cannot be given (processes in the parent) is missed by who needs it, with an error of its own.
  for (std::string name; names >> name;) (void)put(parent + "/cgroup.subtree_control", "+" + name);
}

// `path` lies beneath the mount point of a hierarchy.
Expected<void> make_directory(const std::string& mount_point, bool unified, const std::string& path) {
  std::string at = mount_point;
  std::istringstream parts(path.substr(at.size()));
  for (std::string part; std::getline(parts, part, '/');) {
    if (part.empty()) continue;
    const std::string child = at + "/" + part;
    if (unified) enable_controllers(at);
    if (::mkdir(child.c_str(), 0755) != 0 && errno != EEXIST)
      return fail(with_errno("cannot make the cgroup " + child, errno) + " (see --ignore-cgroups)");
    OCI_TRY_VOID(inherit_cpuset(at, child));
    at = child;
  }
  return {};
}

std::string limit_text(int64_t value, int64_t extra, const char* none) {
  if (value < 0) return none;
  return std::to_string(value > INT64_MAX - extra ? value : value + extra);
}

Expected<void> put_if(const std::string& file, const std::optional<std::string>& value) {
  return value && exists(file) ? put(file, *value) : Expected<void>();
}

template <typename T>
std::optional<std::string> text(const std::optional<T>& value) {
  if (!value) return std::nullopt;
  return std::to_string(*value);
}

std::optional<std::string> text(const std::string& value) {
  return value.empty() ? std::nullopt : std::optional(value);
}

Expected<void> apply_v1(const std::string& path, const Resources& r) {
  if (r.memory_limit) {
    const std::string limit = limit_text(*r.memory_limit, sandbox_overhead(*r.memory_limit), "-1");
    OCI_TRY_VOID(put_if(path + "/memory.limit_in_bytes", limit));
  }
  OCI_TRY_VOID(put_if(path + "/memory.soft_limit_in_bytes", text(r.memory_reservation)));
  if (r.memory_swap)
    OCI_TRY_VOID(put_if(path + "/memory.memsw.limit_in_bytes",
                        limit_text(*r.memory_swap, sandbox_overhead(*r.memory_swap), "-1")));
  OCI_TRY_VOID(
      put_if(path + "/cpu.shares", r.cpu_shares.value_or(0) != 0 ? text(r.cpu_shares) : std::nullopt));
  OCI_TRY_VOID(
      put_if(path + "/cpu.cfs_period_us", r.cpu_period.value_or(0) != 0 ? text(r.cpu_period) : std::nullopt));
  return put_if(path + "/cpu.cfs_quota_us", r.cpu_quota.value_or(0) != 0 ? text(r.cpu_quota) : std::nullopt);
}

// Kubernetes' mapping of 2..262144 shares to a weight of 1..10000.
uint64_t weight_of(uint64_t shares) {
  constexpr uint64_t kLeast = 2, kMost = 262144;
  return 1 + (std::clamp(shares, kLeast, kMost) - kLeast) * 9999 / (kMost - kLeast);
}

// A limit that nobody would keep is an error, not a wish.
Expected<void> require(const std::string& path, const char* file, bool wanted) {
  if (!wanted || exists(path + file)) return {};
  return fail("the host has no cgroup controller for " + path + file + " (see --ignore-cgroups)");
}

Expected<void> apply_v2(const std::string& path, const Resources& r) {
  OCI_TRY_VOID(require(path, "/memory.max", r.memory_limit.value_or(-1) > 0));
  OCI_TRY_VOID(require(path, "/cpu.max", r.cpu_quota.value_or(-1) > 0));
  OCI_TRY_VOID(require(path, "/pids.max", r.pids_limit.value_or(-1) > 0));
  if (r.memory_limit)
    OCI_TRY_VOID(
        put_if(path + "/memory.max", limit_text(*r.memory_limit, sandbox_overhead(*r.memory_limit), "max")));
  if (r.memory_reservation)
    OCI_TRY_VOID(put_if(path + "/memory.low", limit_text(*r.memory_reservation, 0, "max")));
  if (r.memory_swap && r.memory_limit && *r.memory_swap >= *r.memory_limit)
    OCI_TRY_VOID(put_if(path + "/memory.swap.max", std::to_string(*r.memory_swap - *r.memory_limit)));
  if (r.cpu_shares.value_or(0) != 0)
    OCI_TRY_VOID(put_if(path + "/cpu.weight", std::to_string(weight_of(*r.cpu_shares))));
  if (r.cpu_quota.value_or(0) != 0 || r.cpu_period.value_or(0) != 0) {
    constexpr uint64_t kDefaultPeriod = 100'000;
    const uint64_t period = r.cpu_period.value_or(0) != 0 ? *r.cpu_period : kDefaultPeriod;
    const std::string quota = r.cpu_quota.value_or(0) > 0 ? std::to_string(*r.cpu_quota) : "max";
    OCI_TRY_VOID(put_if(path + "/cpu.max", quota + " " + std::to_string(period)));
  }
  for (const auto& [name, value] : r.unified) {
    if (name.find('/') != std::string::npos)
      return fail("config.json: linux.resources.unified: " + name + " is no file name");
    OCI_TRY_VOID(put(path + "/" + name, value));
  }
  return {};
}

// Until one of them has ended, or for a moment. `pids`: a line each.
void wait_for_one(const std::string& pids) {
  std::istringstream lines(pids);
  std::vector<UniqueFd> processes;
  std::vector<pollfd> waits;
  for (pid_t pid = 0; lines >> pid;) {
    processes.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    waits.push_back({processes.back().get(), POLLIN, 0});
  }
  // The last one may be gone from the list before it lets go of the cgroup.
  constexpr int kPatienceMs = 250, kMomentMs = 10;
  ::poll(waits.data(), waits.size(), waits.empty() ? kMomentMs : kPatienceMs);
}

// "=" at the front marks what was there before.
std::string plain(const std::string& path) { return path.starts_with('=') ? path.substr(1) : path; }

bool is_unified(const std::string& path) { return exists(path + "/cgroup.controllers"); }

}  // namespace

std::string cgroup_path(const std::string& configured) {
  const size_t first = configured.find(':');
  const size_t second = first == std::string::npos ? first : configured.find(':', first + 1);
  if (second == std::string::npos) return configured;
  std::string slice = configured.substr(0, first);
  const std::string prefix = configured.substr(first + 1, second - first - 1);
  const std::string name = configured.substr(second + 1);
  if (slice.empty()) slice = "system.slice";
  // a-b-c.slice lies in a-b.slice, which lies in a.slice.
  std::string path;
  constexpr std::string_view kSuffix = ".slice";
  if (slice != "-.slice" && slice.ends_with(kSuffix)) {
    const std::string stem = slice.substr(0, slice.size() - kSuffix.size());
    for (size_t dash = stem.find('-'); dash != std::string::npos; dash = stem.find('-', dash + 1))
      path += "/" + stem.substr(0, dash) + std::string(kSuffix);
    path += "/" + slice;
  }
  const std::string unit =
      name.ends_with(kSuffix) ? name : (prefix.empty() ? name : prefix + "-" + name) + ".scope";
  return path + "/" + unit;
}

Expected<CgroupSet> CgroupSet::plan(const Linux& section, const std::string& id) {
  const Resources& r = section.resources;
  const bool limits = r.memory_limit || r.cpu_shares || r.cpu_quota || r.pids_limit || !r.cpu_set.empty() ||
                      !r.unified.empty();
  if (section.cgroups_path.empty() && !limits) return CgroupSet();
  const std::string path = section.cgroups_path.empty() ? id : cgroup_path(section.cgroups_path);
  if (("/" + path + "/").find("/../") != std::string::npos)
    return fail("config.json: linux.cgroupsPath: must not lead upwards");
  CgroupSet set;
  for (const Hierarchy& hierarchy : OCI_TRY(find_hierarchies())) {
    // In v2 beside this process's own cgroup, not in it: a cgroup has processes or children that are limited.
    std::string base = hierarchy.unified ? hierarchy.own.substr(0, hierarchy.own.rfind('/')) : hierarchy.own;
    if (base == "/" || path.starts_with('/')) base.clear();
    const std::string full = hierarchy.mount_point + base + (path.starts_with('/') ? "" : "/") + path;
    set.paths_.push_back((exists(full) ? "=" : "") + full);
  }
  return set;
}

Expected<void> CgroupSet::make(const Resources& resources) const {
  const std::vector<Hierarchy> hierarchies =
      paths_.empty() ? std::vector<Hierarchy>() : OCI_TRY(find_hierarchies());
  for (const std::string& marked : paths_) {
    const std::string path = plain(marked);
    const auto in = std::find_if(hierarchies.begin(), hierarchies.end(),
                                 [&](const Hierarchy& h) { return path.starts_with(h.mount_point + "/"); });
    if (in != hierarchies.end()) OCI_TRY_VOID(make_directory(in->mount_point, in->unified, path));
  }
  return apply(resources);
}

Expected<std::vector<UniqueFd>> CgroupSet::doors() const {
  std::vector<UniqueFd> doors;
  for (const std::string& path : paths_) {
    const std::string file = plain(path) + "/cgroup.procs";
    UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return fail_errno(file);
    doors.push_back(std::move(fd));
  }
  return doors;
}

Expected<void> CgroupSet::apply(const Resources& r) const {
  for (const std::string& marked : paths_) {
    const std::string path = plain(marked);
    if (!r.unified.empty() && !is_unified(path))
      return fail("config.json: linux.resources.unified: the host has cgroups of the first version");
    OCI_TRY_VOID(is_unified(path) ? apply_v2(path, r) : apply_v1(path, r));
    OCI_TRY_VOID(put_if(path + "/cpuset.cpus", text(r.cpu_set)));
    OCI_TRY_VOID(put_if(path + "/cpuset.mems", text(r.memory_nodes)));
    if (r.pids_limit) {
      const std::string limit = *r.pids_limit > 0 ? limit_text(*r.pids_limit, kSandboxTasks, "max") : "max";
      OCI_TRY_VOID(put_if(path + "/pids.max", limit));
    }
  }
  return {};
}

void CgroupSet::remove() const {
  for (const std::string& path : paths_) {
    if (path.starts_with('=')) continue;
    // One that has been killed may be on its way out.
    constexpr int kMostRounds = 40;
    for (int i = 0; i < kMostRounds && ::rmdir(path.c_str()) != 0 && errno == EBUSY; ++i)
      wait_for_one(get(path + "/cgroup.procs"));
  }
}

CgroupSet::Usage CgroupSet::usage() const {
  Usage usage;
  for (const std::string& marked : paths_) {
    const std::string path = plain(marked);
    if (exists(path + "/cpuacct.usage")) usage.cpu_ns = number(get(path + "/cpuacct.usage"));
    const std::string stat = get(path + "/cpu.stat");
    constexpr std::string_view kUsage = "usage_usec ";
    if (const size_t at = stat.find(kUsage); at != std::string::npos)
      usage.cpu_ns = number(stat.substr(at + kUsage.size())) * 1000;
    for (const char* name : {"/memory.usage_in_bytes", "/memory.current"})
      if (exists(path + name)) usage.memory = number(get(path + name));
    for (const char* name : {"/memory.limit_in_bytes", "/memory.max"})
      if (exists(path + name)) usage.memory_limit = number(get(path + name));
    if (exists(path + "/pids.current")) usage.pids = number(get(path + "/pids.current"));
    if (exists(path + "/pids.max")) usage.pids_limit = number(get(path + "/pids.max"));
  }
  return usage;
}

}  // namespace runsc::oci
