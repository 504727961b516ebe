// Host only. A command's side of the control socket (protocol.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// The socket of a new sandbox, bound in `directory`.
Expected<UniqueFd> make_control_socket(const std::string& directory);

// What a command says whose sandbox or container has ended.
inline constexpr const char* kNotRunning = "container not running";

struct Answer {
  std::optional<int> value;
  std::optional<int> ended;  // wait status
  bool oom = false;          // events: a process was killed for want of memory
  std::string text;
  std::map<std::int64_t, pid_t> pids;  // processes: who stands on the host for one that it started
};

// One request and what comes of it. Errors are what the sandbox answers; "container not running" if it is
// gone.
class ControlClient {
 public:
  // `directory`: the container's state. `fds` are borrowed.
  static Expected<ControlClient> send(const std::string& directory, const nlohmann::json& request,
                                      const std::vector<int>& fds = {});
  // The same for who must not wait. None: the sandbox has not yet taken what others asked; to be tried again.
  static Expected<std::optional<ControlClient>> try_send(const std::string& directory,
                                                         const nlohmann::json& request);
  // The next answer; waits for it.
  Expected<Answer> receive();
  // Without waiting for an answer.
  Expected<void> send_more(const nlohmann::json& request);
  int fd() const { return fd_.get(); }
  // Who reads the answers themselves.
  UniqueFd release() { return std::move(fd_); }

 private:
  explicit ControlClient(UniqueFd fd) : fd_(std::move(fd)) {}
  static Expected<std::optional<ControlClient>> send_with(const std::string& directory,
                                                          const nlohmann::json& request,
                                                          const std::vector<int>& fds, int flags);
  UniqueFd fd_;
};

// One request, one answer, within `patience_ms` (-1: however long it takes).
inline constexpr int kControlPatienceMs = 30'000;
Expected<Answer> control(const std::string& directory, const nlohmann::json& request,
                         int patience_ms = kControlPatienceMs);

}  // namespace runsc::oci
