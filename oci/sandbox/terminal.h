// Host only. The terminal on the host's side of a container: raw mode while it runs, or a pseudo-terminal of
// our own whose other end goes to whoever asked for it.
#pragma once

#include <termios.h>

#include <optional>
#include <string>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// Raw mode from construction to destruction. The container's own terminal, inside the sandbox, does the line
// editing, echo and ^C. Borrows the fd.
class RawTerminal {
 public:
  static Expected<RawTerminal> enter(int fd);
  RawTerminal(RawTerminal&& other) noexcept : fd_(std::exchange(other.fd_, -1)), saved_(other.saved_) {}
  RawTerminal& operator=(RawTerminal&&) = delete;
  ~RawTerminal();

 private:
  RawTerminal(int fd, const termios& saved) : fd_(fd), saved_(saved) {}

  int fd_;
  termios saved_;
};

// The first of stderr, stdout and stdin that is a terminal, as runc looks for it.
std::optional<int> find_terminal();

std::optional<WindowSize> window_size(int fd);

// Makes a pseudo-terminal, sends its master over the unix socket at `socket_path` and returns the other end,
// raw, for the sandbox.
Expected<UniqueFd> send_console(const std::string& socket_path, const std::optional<WindowSize>& size);

}  // namespace runsc::oci
