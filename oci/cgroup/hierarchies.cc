#include "oci/cgroup/hierarchies.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "oci/host/file_io.h"

namespace runsc::oci {
namespace {

constexpr size_t kMostText = size_t{8} << 20;

// /proc/self/cgroup: "ID:CONTROLLERS:PATH"; v2 has no controllers.
std::map<std::string, std::string> own_places(const std::string& text) {
  std::map<std::string, std::string> places;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    const std::string place = line.substr(second + 1);
    if (second == first + 1) places[""] = place;
    for (std::string name; std::getline(names, name, ',');) places[name] = place;
  }
  return places;
}

}  // namespace

std::vector<Hierarchy> read_hierarchies(const std::string& mountinfo, const std::string& cgroup) {
  const std::map<std::string, std::string> places = own_places(cgroup);
  std::vector<Hierarchy> v1, v2;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream front(line), back(line.substr(dash + 3));
    std::string id, parent, device, root, place, type, source, options;
    front >> id >> parent >> device >> root >> place;
    back >> type >> source >> options;
    if (type == "cgroup2") {
      const auto own = places.find("");
      if (own != places.end()) v2.push_back({place, own->second, true});
    } else if (type == "cgroup") {
      std::istringstream names(options);
      for (std::string name; std::getline(names, name, ',');) {
        const auto own = places.find(name);
        // Named hierarchies (systemd's) have nothing to limit.
        if (own == places.end() || name.starts_with("name=")) continue;
        if (std::none_of(v1.begin(), v1.end(), [&](const Hierarchy& h) { return h.mount_point == place; }))
          v1.push_back({place, own->second, false});
      }
    }
  }
  // Beside v1, v2 is systemd's own and has no controllers to speak of.
  return v1.empty() ? v2 : v1;
}

Expected<std::vector<Hierarchy>> find_hierarchies(std::optional<pid_t> pid) {
  const std::string mountinfo = OCI_TRY(read_file("/proc/self/mountinfo", kMostText));
  const std::string cgroup =
      OCI_TRY(read_file("/proc/" + (pid ? std::to_string(*pid) : "self") + "/cgroup", kMostText));
  return read_hierarchies(mountinfo, cgroup);
}

}  // namespace runsc::oci
