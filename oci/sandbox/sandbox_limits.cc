#include "oci/sandbox/sandbox_limits.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "oci/cgroup/cgroup.h"
#include "oci/cgroup/hierarchies.h"
#include "oci/host/file_io.h"

namespace runsc::oci {
namespace {

// Of what the cgroup holds the sentry does not know: the monitor, what is free but not given back yet, and
// the tables of the host.
constexpr int64_t monitor_memory(int64_t all) { return (int64_t{40} << 20) + all / 64; }
// Below this a sentry does not start.
constexpr int64_t kLeastMemory = int64_t{24} << 20;

// Null: not annotated, or no limit.
Expected<std::optional<int64_t>> annotated(const Spec& spec, const char* name) {
  const std::string key = std::string("io.kubernetes.cri.sandbox-") + name;
  const auto it = spec.annotations.find(key);
  if (it == spec.annotations.end() || it->second.empty()) return std::nullopt;
  int64_t value = 0;
  const char* end = it->second.data() + it->second.size();
  const auto parsed = std::from_chars(it->second.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end)
    return fail("config.json: annotations[\"" + key + "\"]: must be a number, not \"" + it->second + "\"");
  if (value <= 0) return std::nullopt;
  return value;
}

bool is_sandbox(const Spec& spec, const char* key) {
  const auto type = spec.annotations.find(key);
  return type != spec.annotations.end() && type->second == "sandbox";
}

// CRI-O has one annotation for all: the CRI's LinuxContainerResources as JSON. Newer releases have the first
// name.
Expected<void> add_crio_resources(const Spec& spec, Resources& resources) {
  for (const char* key : {"pod-linux-resources.crio.io", "io.kubernetes.cri-o.PodLinuxResources"}) {
    const auto found = spec.annotations.find(key);
    if (found == spec.annotations.end() || found->second.empty()) continue;
    const nlohmann::json document = nlohmann::json::parse(found->second, nullptr, false);
    const std::string field = std::string("config.json: annotations[\"") + key + "\"]: ";
    if (!document.is_object()) return fail(field + "must be a JSON object");
    const auto number = [&](const char* name) -> Expected<int64_t> {
      const auto it = document.find(name);
      if (it == document.end()) return 0;
      if (!it->is_number_integer()) return fail(field + name + " must be a number");
      return it->get<int64_t>();
    };
    if (const int64_t memory = OCI_TRY(number("memory_limit_in_bytes")); memory > 0)
      resources.memory_limit = memory;
    if (const int64_t quota = OCI_TRY(number("cpu_quota")); quota > 0) resources.cpu_quota = quota;
    if (const int64_t period = OCI_TRY(number("cpu_period")); period > 0) resources.cpu_period = period;
    if (const int64_t shares = OCI_TRY(number("cpu_shares")); shares > 0) resources.cpu_shares = shares;
    return {};
  }
  return {};
}

std::optional<uint64_t> limit_in(const std::string& file) {
  constexpr size_t kMost = 64;
  const Expected<std::string> text = read_file(file, kMost);
  if (!text) return std::nullopt;
  uint64_t value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc()) return std::nullopt;  // "max"
  return value;
}

}  // namespace

Expected<Resources> sandbox_resources(const Spec& spec) {
  Resources resources = spec.linux_.resources;
  if (is_sandbox(spec, "io.kubernetes.cri-o.ContainerType"))
    OCI_TRY_VOID(add_crio_resources(spec, resources));
  if (!is_sandbox(spec, "io.kubernetes.cri.container-type")) return resources;
  if (const auto memory = OCI_TRY(annotated(spec, "memory"))) resources.memory_limit = *memory;
  if (const auto quota = OCI_TRY(annotated(spec, "cpu-quota"))) resources.cpu_quota = *quota;
  if (const auto period = OCI_TRY(annotated(spec, "cpu-period"))) resources.cpu_period = *period;
  if (const auto shares = OCI_TRY(annotated(spec, "cpu-shares"))) resources.cpu_shares = *shares;
  return resources;
}

namespace {

constexpr const char* kLimitFiles[] = {"/memory.max", "/memory.limit_in_bytes"};

void narrow(std::optional<uint64_t>& least, const std::string& cgroup) {
  for (const char* file : kLimitFiles)
    if (const auto limit = limit_in(cgroup + file); limit && (!least || *limit < *least)) least = limit;
}

}  // namespace

std::optional<uint64_t> memory_limit_around(std::optional<pid_t> pid) {
  std::optional<uint64_t> least;
  const Expected<std::vector<Hierarchy>> hierarchies = find_hierarchies(pid);
  if (!hierarchies) return least;
  for (const Hierarchy& hierarchy : *hierarchies) {
    std::string path = hierarchy.own == "/" ? "" : hierarchy.own;
    for (;;) {
      narrow(least, hierarchy.mount_point + path);
      if (path.empty()) break;
      path.erase(path.rfind('/'));
    }
  }
  return least;
}

std::optional<uint64_t> memory_limit_above(const std::vector<std::string>& cgroups) {
  std::optional<uint64_t> least;
  for (const std::string& marked : cgroups) {
    std::string path = marked.substr(marked.starts_with('=') ? 1 : 0);
    // Above the hierarchy there are no processes to write down.
    for (;;) {
      const size_t end = path.rfind('/');
      if (end == std::string::npos) break;
      path.erase(end);
      if (::access((path + "/cgroup.procs").c_str(), F_OK) != 0) break;
      narrow(least, path);
    }
  }
  return least;
}

std::optional<uint64_t> sandbox_memory(std::optional<int64_t> limit, std::optional<uint64_t> around) {
  constexpr int64_t kHuge = INT64_MAX / 2;
  int64_t most = kHuge;
  const auto narrow_to = [&](int64_t all) { most = std::min(most, all - monitor_memory(all)); };
  if (limit && *limit > 0 && *limit < kHuge) narrow_to(*limit + sandbox_overhead(*limit));
  if (around && *around < static_cast<uint64_t>(kHuge)) narrow_to(static_cast<int64_t>(*around));
  if (most == kHuge) return std::nullopt;
  return static_cast<uint64_t>(std::max(most, kLeastMemory));
}

std::optional<uint64_t> sandbox_memory(std::optional<int64_t> limit) {
  return sandbox_memory(limit, memory_limit_around(std::nullopt));
}

}  // namespace runsc::oci
