// Host only. The shim's own log: spdlog into the pipe that containerd reads, and into the file of log_path.
#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "oci/host/error.h"

namespace runsc::shim {

// `fifo` is a named pipe of containerd, opened so that a reader who is slow or gone never stops the shim:
// what does not fit is lost. Without one (it cannot be opened) lines are dropped; a file is added by
// open_log_file().
void log_to_stderr(bool debug);
void open_log(const std::string& fifo, bool debug);
oci::Expected<void> open_log_file(const std::string& path);
// "debug", "info", "warn", "error" as in runsc.toml; anything else is refused.
oci::Expected<void> set_log_level(const std::string& level);

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::debug(format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::info(format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::warn(format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::error(format, std::forward<Args>(args)...);
}

}  // namespace runsc::shim
