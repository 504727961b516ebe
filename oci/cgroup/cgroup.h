// Host only. The cgroups of a container's sandbox process on the host, v1, v2 or both beside each other
// (cgroups(7)): written through cgroupfs also where config.json has the form that systemd takes.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// What the sandbox needs beside the container's own memory and tasks: limits are so much higher on the host,
// so that the sentry meets the container's limit first and ends a task, not the host the sandbox.
// What it keeps of each page (struct Page), and the host's page tables, go with the memory.
constexpr int64_t sandbox_overhead(int64_t limit) { return (int64_t{64} << 20) + limit / 32; }
inline constexpr int64_t kSandboxTasks = 64;

class CgroupSet {
 public:
  // Which there will be: none at all where config.json has neither a path nor limits. Directories that are
  // there already are used and not removed. Makes nothing.
  static Expected<CgroupSet> plan(const Linux& section, const std::string& id);
  // Those of a container that exists, as paths() told.
  explicit CgroupSet(std::vector<std::string> paths = {}) : paths_(std::move(paths)) {}

  const std::vector<std::string>& paths() const { return paths_; }
  // Makes them, with limits; whatever fails, remove() clears away.
  Expected<void> make(const Resources& resources) const;
  // Files to which a process writes "0" to enter.
  Expected<std::vector<UniqueFd>> doors() const;
  Expected<void> apply(const Resources& resources) const;
  // Those that make() made; waits a moment for processes in them that are ending.
  void remove() const;

  struct Usage {
    uint64_t cpu_ns = 0, memory = 0, memory_limit = 0, pids = 0, pids_limit = 0;
  };
  Usage usage() const;

 private:
  std::vector<std::string> paths_;
};

// "slice:prefix:name" as systemd would place it; other paths as they are.
std::string cgroup_path(const std::string& configured);

}  // namespace runsc::oci
