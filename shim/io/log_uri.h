// Host only. Where a stream of a container goes: a named pipe, a file, or a program, as runc's shim reads its
// URIs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "oci/host/error.h"

namespace runsc::shim {

struct StreamTarget {
  enum class Kind { none, path, file, binary };  // path: a pipe, or what else is there

  Kind kind = Kind::none;
  std::string path;
  std::vector<std::pair<std::string, std::string>> arguments;  // of a binary, in the order of the URI
};

// "", "/path", "fifo:///path", "file:///path", "binary:///path?name=value&...".
oci::Expected<StreamTarget> parse_stream(const std::string& text);

}  // namespace runsc::shim
