// Host only. The directory of one container under --root: taken by one runtime process at a time, removed at
// the end.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {

// What `state` of the OCI runtime specification shows.
struct ContainerState {
  std::string id;
  std::string oci_version;
  std::string status;  // created, running, stopped
  pid_t pid = 0;       // of the sandbox process
  std::string bundle;
  std::map<std::string, std::string> annotations;
};

class StateDir {
 public:
  // Letters, digits and _ + - . only, not "." or "..", as runc has it.
  static Expected<void> check_id(std::string_view id);
  // Makes ROOT/ID and locks it. A directory left behind by a dead runtime process (its lock is free) is taken
  // over.
  static Expected<StateDir> create(const std::string& root, const std::string& id);

  StateDir(StateDir&&) = default;
  StateDir& operator=(StateDir&&) = delete;
  ~StateDir();

  const std::string& path() const { return path_; }
  int fd() const { return directory_.get(); }
  // Replaces state.json in one step.
  Expected<void> write(const ContainerState& state) const;

 private:
  StateDir(UniqueFd directory, std::string path) : directory_(std::move(directory)), path_(std::move(path)) {}

  UniqueFd directory_;  // holds the lock; not valid after a move
  std::string path_;
};

}  // namespace runsc::oci
