// Host only. The directory of one container under --root, and state.json in it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {

// What state.json holds.
struct ContainerState {
  std::string id;
  std::string oci_version;
  std::string status;       // creating, created, running: as it was last known; see current_status()
  pid_t pid = 0;            // whose exit status is the container's
  uint64_t start_time = 0;  // of that process, so that another one with its number is not taken for it
  std::string bundle;
  std::string rootfs;
  std::string sandbox;    // the container whose sandbox it shares; empty: its own
  std::string created;    // RFC 3339
  uint32_t owner = 0;     // user id
  bool detached = false;  // stays until `delete`; else the directory goes with the command that runs it
  std::vector<std::string> cgroups;  // CgroupSet::paths()
  std::map<std::string, std::string> annotations;
};

// stopped once the process is gone.
std::string current_status(const ContainerState& state);
// The JSON that `state` and hooks get.
std::string state_document(const ContainerState& state);
// In clock ticks since the host's boot; 0: no such process, or a zombie.
uint64_t process_start_time(pid_t pid);

class StateDir {
 public:
  // Letters, digits and _ + - . only, not "." or "..", as runc has it.
  static Expected<void> check_id(std::string_view id);
  // Makes ROOT/ID; it goes with the object unless keep() is called. What a dead runtime process left behind
  // is taken over, a detached container never.
  static Expected<StateDir> create(const std::string& root, const std::string& id);
  // That of a container that exists: locked against other commands while the object lives.
  static Expected<StateDir> open(const std::string& root, const std::string& id);
  // Names of all containers.
  static std::vector<std::string> list(const std::string& root);

  StateDir(StateDir&&) = default;
  StateDir& operator=(StateDir&&) = delete;
  ~StateDir();

  const std::string& path() const { return path_; }
  // The directory of the sandbox that the container is in.
  std::string sandbox_path(const ContainerState& state) const;
  int fd() const { return directory_.get(); }
  void keep() { temporary_ = false; }
  // Replaces state.json in one step.
  Expected<void> write(const ContainerState& state) const;
  Expected<ContainerState> read() const;
  // The container's config.json, as it was when it was created.
  Expected<void> write_spec(std::string_view text) const;
  Expected<std::string> read_spec() const;
  // With the object the directory goes as well.
  void remove() { temporary_ = true; }

 private:
  StateDir(UniqueFd directory, std::string path) : directory_(std::move(directory)), path_(std::move(path)) {}

  UniqueFd directory_;  // create(): holds a lock; not valid after a move
  std::string path_;
  UniqueFd lock_;  // open()
  bool temporary_ = true;
};

}  // namespace runsc::oci
