// Host only. One run of a program, without stopping the loop.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "oci/host/error.h"
#include "shim/base/async.h"
#include "shim/base/reaper.h"

namespace runsc::shim {

struct Command {
  std::vector<std::string> args;  // the program first, looked up in PATH
  std::string folder;             // to run in
  // Descriptors for 0, 1 and 2. -1: nothing to read, and what is written is collected in the outcome.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  std::vector<int> more_fds;             // for 3 and up
  std::vector<std::string> environment;  // added to the shim's own
  bool dies_with_caller = false;         // killed when this process ends
};

struct Outcome {
  Exit exit;
  std::string output;  // what came on collected stdout, 4 MiB at most
  std::string errors;  // likewise on stderr

  bool ok() const { return exit.wait_status == 0; }
};

// Starts the program; its end is for the watch to tell.
oci::Expected<pid_t> spawn(const Command& command);

// Waits for the end. After `limit` the program is killed and that is the error.
Async<oci::Expected<Outcome>> run(Reaper& reaper, Command command, std::chrono::steady_clock::duration limit);

}  // namespace runsc::shim
