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

// What state.json holds. It is there before anything else of the container is made, and goes last.
struct ContainerState {
  std::string id;
  std::string oci_version;
  std::string status;  // creating, created, running: only how far its command came; see current_status()
  pid_t creator = 0;   // the command that makes it, or that it runs in the foreground of
  uint64_t creator_start_time = 0;
  pid_t pid = 0;            // whose exit status is the container's; 0: not started yet
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

// The JSON that `state` and hooks get.
std::string state_document(const ContainerState& state, const std::string& status);
// In clock ticks since the host's boot; 0: no such process, or a zombie.
uint64_t process_start_time(pid_t pid);
// Its process is there, and is not another one that got its number.
bool is_alive(const ContainerState& state);
// Or a zombie of it: some threads may still be on their way out, with what they hold.
bool is_there(const ContainerState& state);
bool creator_is_alive(const ContainerState& state);

class StateDir {
 public:
  // Letters, digits and _ + - . only, not "." or "..", as runc has it.
  static Expected<void> check_id(std::string_view id);
  // Makes ROOT/ID, with `state` in it, and locks it; it goes with the object unless keep() is called.
  // kExists: whatever is there already.
  static Expected<StateDir> create(const std::string& root, const ContainerState& state);
  // That of a container that exists, for commands that only look, or that the sandbox keeps apart.
  static Expected<StateDir> look(const std::string& root, const std::string& id);
  // The same, locked against other commands that change it while the object lives.
  static Expected<StateDir> open(const std::string& root, const std::string& id);
  // Whatever is at ROOT/ID, also without a state.json; not locked.
  static Expected<StateDir> open_any(const std::string& root, const std::string& id);
  // Names of all containers, also of those whose state.json is missing.
  static std::vector<std::string> list(const std::string& root);

  static std::string already_exists(const std::string& id);
  static constexpr const char* kAbsent = "container does not exist";

  StateDir(StateDir&&) = default;
  StateDir& operator=(StateDir&&) = delete;
  ~StateDir();

  const std::string& path() const { return path_; }
  // The directory of the sandbox that the container is in.
  std::string sandbox_path(const ContainerState& state) const;
  int fd() const { return directory_.get(); }
  // Waits while another command has the lock; `patience_s` 0: however long. kAbsent: deleted meanwhile.
  Expected<void> lock(unsigned patience_s = 0);
  Expected<bool> try_lock();  // false: another command has it
  void unlock();
  // Somebody deleted it.
  bool is_gone() const;
  void keep() { temporary_ = false; }
  // Replaces state.json in one step.
  Expected<void> write(const ContainerState& state) const;
  Expected<ContainerState> read() const;
  // The container's config.json, as it was when it was created.
  Expected<void> write_spec(std::string_view text) const;
  Expected<std::string> read_spec() const;
  // The file that the container's process has a record lock on (fcntl(2)) as long as it lives.
  Expected<UniqueFd> open_process_lock() const;
  // Who has that lock: known also without a state.json. 0: nobody.
  pid_t lock_holder() const;
  // With the object the directory goes as well.
  void remove() { temporary_ = true; }

 private:
  StateDir(UniqueFd directory, std::string path) : directory_(std::move(directory)), path_(std::move(path)) {}

  UniqueFd directory_;  // has the lock, if there is one; not valid after a move
  std::string path_;
  bool temporary_ = true;
};

// creating, created, running, paused, stopped. What the sandbox says counts, then what was written last.
std::string current_status(const StateDir& dir, const ContainerState& state);
// As the container's process: takes the lock for as long as it lives and `fd` is open.
bool take_process_lock(int fd);

}  // namespace runsc::oci
