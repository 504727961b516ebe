#include "shim/host/cgroup.h"

#include <linux/magic.h>
#include <sys/statfs.h>

#include <filesystem>
#include <sstream>
#include <vector>

#include "oci/host/file_io.h"

namespace runsc::shim {
namespace {

constexpr size_t kMaxFile = 8u << 20;
constexpr const char* kCgroupRoot = "/sys/fs/cgroup";

struct Hierarchy {
  std::string root;   // what of the hierarchy is mounted
  std::string place;  // where
  std::vector<std::string> controllers;
  bool unified = false;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool contains(const std::vector<std::string>& list, const std::string& name) {
  for (const std::string& entry : list) {
    if (entry == name) return true;
  }
  return false;
}

// proc(5), /proc/pid/mountinfo.
oci::Expected<std::vector<Hierarchy>> hierarchies() {
  std::vector<Hierarchy> found;
  for (const std::string& line : split(OCI_TRY(oci::read_file("/proc/self/mountinfo", kMaxFile)), '\n')) {
    const size_t dash = line.find(" - cgroup");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> front = split(line.substr(0, dash), ' ');
    const std::vector<std::string> back = split(line.substr(dash + 3), ' ');
    if (front.size() < 5 || back.size() < 3) continue;
    found.push_back({front[3], front[4], split(back[2], ','), back[0] == "cgroup2"});
  }
  return found;
}

// The line of /proc/pid/cgroup for the controller.
oci::Expected<std::string> cgroup_path(pid_t pid, const std::string& controller) {
  const std::string file = "/proc/" + std::to_string(pid) + "/cgroup";
  for (const std::string& line : split(OCI_TRY(oci::read_file(file, kMaxFile)), '\n')) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    const bool fits = controller.empty() ? line.starts_with("0::") : contains(split(names, ','), controller);
    if (fits) return line.substr(second + 1);
  }
  return oci::fail(file + ": no cgroup of " + (controller.empty() ? "version 2" : controller));
}

}  // namespace

bool is_cgroup2_host() {
  struct statfs info {};
  return ::statfs(kCgroupRoot, &info) == 0 && static_cast<unsigned long>(info.f_type) == CGROUP2_SUPER_MAGIC;
}

oci::Expected<std::string> cgroup_folder(pid_t pid, const std::string& controller) {
  std::string path = OCI_TRY(cgroup_path(pid, controller));
  for (const Hierarchy& hierarchy : OCI_TRY(hierarchies())) {
    if (controller.empty() ? !hierarchy.unified : !contains(hierarchy.controllers, controller)) continue;
    if (hierarchy.root != "/" && path.starts_with(hierarchy.root)) path.erase(0, hierarchy.root.size());
    return hierarchy.place + "/" + path;
  }
  return oci::fail("no cgroup hierarchy is mounted for " + (controller.empty() ? "version 2" : controller));
}

oci::Expected<void> join_cgroup(const std::string& path) {
  if (path.find("..") != std::string::npos) return oci::fail("shim_cgroup: " + path);
  for (const Hierarchy& hierarchy : OCI_TRY(hierarchies())) {
    if (is_cgroup2_host() != hierarchy.unified) continue;
    const std::string folder = hierarchy.place + "/" + path;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return oci::fail(folder + ": " + error.message());
    // A cpuset without CPUs takes no process; those of the parent do.
    if (contains(hierarchy.controllers, "cpuset")) continue;
    OCI_TRY_VOID(oci::write_file(folder + "/cgroup.procs", "0"));
  }
  return {};
}

}  // namespace runsc::shim
