#include <unistd.h>

#include <nlohmann/json.hpp>

#include "oci/cmd/command.h"
#include "oci/host/file_io.h"
#include "oci/spec/default_spec.h"
#include "oci/spec/mount_options.h"
#include "oci/spec/names.h"

namespace runsc::oci {

// features.md of the OCI runtime specification.
Expected<int> cmd_features(const Options&, std::span<const std::string> args) {
  if (!OCI_TRY(FlagSet().parse(args)).empty()) return fail("usage: runsc features");
  const nlohmann::ordered_json document = {
      {"ociVersionMin", "1.0.0"},
      {"ociVersionMax", "1.1.0"},
      {"hooks", {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}},
      {"mountOptions", mount_option_names()},
      {"linux",
       {{"namespaces", {"cgroup", "ipc", "mount", "network", "pid", "uts"}},
        {"capabilities", capability_names(kAllCapabilities)},
        {"cgroup", {{"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", false}}},
        {"seccomp", {{"enabled", false}}},
        {"apparmor", {{"enabled", false}}},
        {"selinux", {{"enabled", false}}}}},
  };
  OCI_TRY_VOID(write_all(STDOUT_FILENO, document.dump(2) + "\n", "stdout"));
  return 0;
}

}  // namespace runsc::oci
