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
        {"seccomp",
         {{"enabled", true},
          {"actions",
           {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
            "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"}},
          {"operators",
           {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
            "SCMP_CMP_NE"}},
          {"archs", {"SCMP_ARCH_X86_64"}}}},
        {"apparmor", {{"enabled", false}}},
        {"selinux", {{"enabled", false}}}}},
  };
  OCI_TRY_VOID(write_all(STDOUT_FILENO, document.dump(2) + "\n", "stdout"));
  return 0;
}

}  // namespace runsc::oci
