// Host only. The runtime's command line, as the shim of one container uses it.
#pragma once

#include <string>
#include <vector>

#include "shim/base/status.h"
#include "shim/runtime/command.h"
#include "shim/runtime/options.h"

namespace runsc::shim {

// What a container or an exec'ed process is started with. -1: /dev/null.
struct Streams {
  Streams() {}  // no aggregate: g++ 12 mishandles temporaries of such in coroutines
  int in = -1;
  int out = -1;
  int err = -1;
  std::string console_socket;  // with it the three are unused
};

// Every function runs one command; a pid that is returned is a process that the shim will reap, and whose
// status is the one of what was started.
class Runtime {
 public:
  Runtime(Reaper& reaper, RuntimeOptions options, std::string bundle);

  // The reaper must expect orphans (Reaper::Expectation) until the pid is watched.
  Async<Result<pid_t>> create(std::string id, Streams streams);
  Async<Result<void>> start(std::string id);
  // `process` is the JSON of an OCI process.
  Async<Result<pid_t>> exec(std::string id, std::string process, Streams streams);
  Async<Result<void>> kill(std::string id, unsigned signal, bool all);
  // A container that is not there (any more) is no error.
  Async<Result<void>> remove(std::string id, bool force);
  Async<Result<std::vector<pid_t>>> pids(std::string id);
  // The JSON that `events --stats` prints.
  Async<Result<std::string>> stats(std::string id);
  Async<Result<void>> pause(std::string id);
  Async<Result<void>> resume(std::string id);
  // `resources` is the JSON of OCI linux.resources.
  Async<Result<void>> update(std::string id, std::string resources);

  const RuntimeOptions& options() const { return options_; }

 private:
  // The words after the global flags, verb first; what it wrote on stdout.
  Async<Result<std::string>> invoke(std::vector<std::string> line, Streams streams,
                                    std::chrono::steady_clock::duration limit);
  Async<Result<void>> invoke_plain(std::vector<std::string> line, std::chrono::steady_clock::duration limit);
  Async<Result<pid_t>> invoke_for_pid(std::vector<std::string> line, std::string id, std::string pid_file,
                                      Streams streams);
  std::vector<std::string> command_line(const std::string& log) const;
  std::string fresh_file(const char* suffix);

  Reaper& reaper_;
  RuntimeOptions options_;
  std::string bundle_;
  unsigned serial_ = 0;
};

}  // namespace runsc::shim
