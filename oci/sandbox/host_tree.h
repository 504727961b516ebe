// Host only. The mount namespace of the sandbox process: a tree that holds the container's root file system
// and the sources of its bind mounts, nothing else.
//
// Every source is taken once, as a detached copy of its mount (open_tree(2)), and from then on known by
// descriptor only: no path is looked up twice, so what the container or its image changes behind it makes no
// difference.
#pragma once

#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {

struct HostSource {
  std::string path;   // absolute, or relative to the bundle (the working directory)
  std::string field;  // of config.json, for errors: "root.path"
  bool recursive = false;
  bool read_only = false;
  bool must_be_directory = false;
};

class HostTree {
 public:
  // Makes the namespace, of this process alone. One thread only: a namespace belongs to a thread.
  static Expected<void> make_namespace();
  // In it: attaches the sources beneath `mount_point`, an empty directory of the runtime's own, which becomes
  // the working directory. The old root stays usable until enter(). Needs /proc.
  static Expected<HostTree> build(const std::vector<HostSource>& sources, int mount_point);

  // One descriptor a source, in order: directories and regular files are open (for writing where the source
  // and its file system are writable), other files are O_PATH.
  std::vector<UniqueFd>& opened() { return opened_; }

  // Makes the tree the root of the process and lets go of the host's mounts.
  Expected<void> enter();

 private:
  explicit HostTree(UniqueFd root) : root_(std::move(root)) {}

  Expected<void> attach(size_t index, const HostSource& source, int tree);
  Expected<void> open_source(const HostSource& source, int tree);

  UniqueFd root_;
  std::vector<UniqueFd> opened_;
};

}  // namespace runsc::oci
