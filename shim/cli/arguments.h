// Host only. The command line that containerd calls a shim with.
#pragma once

#include <span>
#include <string>

#include "oci/host/error.h"

namespace runsc::shim {

struct Arguments {
  std::string name_space;
  std::string id;
  std::string address;  // of containerd's gRPC socket
  std::string publish_binary;
  std::string bundle;
  std::string socket;  // of the shim: serving only
  std::string action;  // "start", "delete", or empty to serve
  bool debug = false;
  bool version = false;
  bool info = false;
};

oci::Expected<Arguments> parse_arguments(std::span<const std::string> args);

}  // namespace runsc::shim
