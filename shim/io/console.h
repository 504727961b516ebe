// Host only. The socket on which the runtime hands over the master of a container's terminal.
#pragma once

#include <string>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::shim {

class ConsoleSocket {
 public:
  // Listens at `path`, which is gone with the object.
  static oci::Expected<ConsoleSocket> listen(std::string path);
  ConsoleSocket(ConsoleSocket&&) noexcept = default;
  ConsoleSocket& operator=(ConsoleSocket&&) = delete;
  ConsoleSocket(const ConsoleSocket&) = delete;
  ~ConsoleSocket();

  const std::string& path() const { return path_; }
  // What was sent before now: the runtime has it sent when its command ends.
  oci::Expected<oci::UniqueFd> receive() const;

 private:
  ConsoleSocket(std::string path, oci::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  oci::UniqueFd fd_;
};

}  // namespace runsc::shim
