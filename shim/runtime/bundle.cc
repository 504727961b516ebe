#include "shim/runtime/bundle.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "oci/host/file_io.h"

namespace runsc::shim {
namespace {

constexpr size_t kMaxConfig = 16u << 20;
constexpr size_t kMaxId = 128;

// In the order of their word: containerd's own for groups of tasks, then those of the CRI servers.
constexpr const char* kGroupAnnotations[] = {
    "io.containerd.runc.v2.group",
    "io.kubernetes.cri.sandbox-id",
    "io.kubernetes.cri-o.SandboxID",
};

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

oci::Expected<Annotations> read_annotations(const std::string& bundle) {
  return parse_annotations(OCI_TRY(oci::read_file(bundle + "/config.json", kMaxConfig)));
}

oci::Expected<Annotations> parse_annotations(const std::string& config) {
  const nlohmann::json document = nlohmann::json::parse(config, nullptr, false);
  if (!document.is_object()) return oci::fail("config.json: not a JSON object");
  Annotations annotations;
  const auto found = document.find("annotations");
  if (found == document.end() || !found->is_object()) return annotations;
  for (const auto& [key, value] : found->items()) {
    if (value.is_string()) annotations[key] = value.get<std::string>();
  }
  return annotations;
}

std::string group_of(const Annotations& annotations, const std::string& id) {
  for (const char* name : kGroupAnnotations) {
    const auto found = annotations.find(name);
    if (found != annotations.end() && is_valid_id(found->second)) return found->second;
  }
  return id;
}

bool is_valid_id(const std::string& id) {
  if (id.empty() || id.size() > kMaxId || !is_letter_or_digit(id.front())) return false;
  return std::all_of(id.begin(), id.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace runsc::shim
