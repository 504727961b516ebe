// Host only. Where --debug-log and --log write.
#pragma once

#include <string>
#include <string_view>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {

// Opens the debug log for appending. A pattern ending in "/" is a directory, made if it is missing, that gets
// one file a command; %COMMAND%, %ID%, %PID% and %TIMESTAMP% in a pattern are replaced. An empty pattern: no
// descriptor.
Expected<UniqueFd> open_debug_log(const std::string& pattern, const std::string& command,
                                  const std::string& id);

// One line for the file of --log: plain text, or JSON with level, msg and time as callers of runc read it.
std::string log_line(bool json, const std::string& level, const std::string& message);

// Control characters, but for those in `kept`, as \n or \x1b: names of files and values of configurations may
// hold anything.
std::string printable(std::string_view text, std::string_view kept = "");

}  // namespace runsc::oci
