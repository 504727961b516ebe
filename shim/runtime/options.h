// Host only. How to call the runtime: from the options that containerd sends, the file that they name, and
// annotations.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/host/error.h"
#include "shim/runtime/bundle.h"
#include "wire.pb.h"

namespace runsc::shim {

struct RuntimeOptions {
  std::string binary = "runsc";
  std::string root = "/run/containerd/runsc";  // a folder in it for each namespace of containerd
  std::string log_path;                        // of the shim; %ID% stands for the container
  std::string log_level;
  std::string shim_cgroup;
  bool systemd_cgroup = false;
  uint32_t io_uid = 0;  // owner of the pipes that the container gets
  uint32_t io_gid = 0;
  std::vector<std::string> flags;    // "--name=value", before the verb
  bool allow_flag_override = false;  // annotations may add flags

  bool operator==(const RuntimeOptions&) const = default;
};

// The file that is read when nobody names one; it need not exist.
inline constexpr const char* kDefaultConfigPath = "/etc/containerd/runsc.toml";

// `any` is containerd.runc.v1.Options, runtimeoptions.v1.Options or empty. The file: by the annotation
// "dev.runsc.config-path", else by the options, else kDefaultConfigPath. Annotations "dev.runsc.flag.NAME"
// (or, as gVisor has it, "dev.gvisor.flag.NAME") become flags after those of the file where its runsc_config
// sets allow-flag-override, unless an annotation named the file; else they are refused.
oci::Expected<RuntimeOptions> read_options(const wire::Any& any, const Annotations& annotations);

// The text of a runsc.toml. A key of the wrong type is refused by its name, an unknown one is logged.
oci::Expected<void> apply_toml(RuntimeOptions& options, std::string_view text, const std::string& name);

// What `delete` needs after the shim is gone, kept in the bundle.
oci::Expected<void> save_options(const RuntimeOptions& options, const std::string& bundle);
oci::Expected<RuntimeOptions> load_options(const std::string& bundle);

}  // namespace runsc::shim
