// Host only. The mounts that make a container's root file system, as snapshotters describe them: mount(8)'s
// words.
#pragma once

#include <string>
#include <vector>

#include "oci/host/error.h"

namespace runsc::shim {

struct MountSpec {
  std::string type;
  std::string source;
  std::string target;  // within the root file system; empty: that itself
  std::vector<std::string> options;
};

// mount(2)'s arguments.
struct MountArguments {
  unsigned long flags = 0;
  unsigned long propagation = 0;
  std::string data;
};

MountArguments mount_arguments(const std::vector<std::string>& options);

// The folder that all lower layers of overlay options lie in, and the options with names relative to it:
// mount(2) takes a page of options and no more. An empty folder: nothing to gain.
struct ShortOptions {
  std::string folder;
  std::string data;
};
ShortOptions shorten_overlay(const std::string& data);

// Mounts one over the other at `target`, or beneath it, where no link leads out; when one fails, those before
// it are undone.
oci::Expected<void> mount_all(const std::vector<MountSpec>& mounts, const std::string& target);
// Until nothing is mounted at `target`.
void unmount_all(const std::string& target);

}  // namespace runsc::shim
