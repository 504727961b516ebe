// Host only. What the sandbox process tells the command that started it, over a pipe: it started, how the
// container's init ended, or why neither happened.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "oci/host/error.h"

namespace runsc::oci {

struct Report {
  bool started = false;            // the jail is closed, the container runs
  bool ready = false;              // its init waits to be started
  bool namespaces = false;         // its namespaces are made, nothing is in them yet
  std::optional<int> wait_status;  // of the container's init, as wait(2) gives it
  std::optional<Error> error;
  std::vector<std::string> warnings;
};

// Each message is one line of at most PIPE_BUF bytes, so that a writer that dies leaves whole messages. All
// keep silent about a reader that is gone.
void report_started(int fd);
void report_ready(int fd);
void report_namespaces(int fd);
void report_wait_status(int fd, int wait_status);
void report_warning(int fd, const std::string& text);
void report_error(int fd, const Error& error);

// Adds what `lines`, all that came so far, says to `report`. Lines that are none of the above are ignored:
// the pipe's writer is jailed and not trusted to write sense.
void read_report(const std::string& lines, Report& report);

}  // namespace runsc::oci
