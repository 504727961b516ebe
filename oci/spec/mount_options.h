// Host only. The option strings of config.json's mounts, as mount(8) and the OCI specification name them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace runsc::oci {

struct MountOptions {
  uint64_t flags = 0;        // MS_*, without MS_BIND, MS_REC and propagation
  uint64_t propagation = 0;  // MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, perhaps with MS_REC
  bool bind = false;
  bool recursive = false;
  bool copy_up = false;                  // runc's tmpcopyup
  std::vector<std::string> data;         // options for the file system itself, in order
  std::vector<std::string> unsupported;  // known names that cannot be honoured (id-mapped mounts, ...)
};

// Takes one option. Later options win over earlier ones, as in mount(8).
void add_mount_option(MountOptions& options, std::string_view option);

// The names of all options that can be honoured.
std::vector<std::string> mount_option_names();

// "/a/./b/../c/" -> "/a/c"; a relative path counts from "/". Lexical: never looks at the host.
std::string clean_path(std::string_view path);

}  // namespace runsc::oci
