// The kernel log: what dmesg(1) shows, and the debug log that goes to the host.
#pragma once

#include "kernel/base/format.h"

namespace runsc {

enum class LogLevel : uint8_t { error, warning, info, debug };

// Lines at or above `level` (error highest) go to the host's debug log; set at boot. debug is off by default.
bool log_enabled(LogLevel level);
void log_set_level(LogLevel level);
void log_line(LogLevel level, std::string_view text);  // defined in kernel/klog.cc (unit tests: tests/unit)

template <class... Args>
void log(LogLevel level, std::string_view fmt, const Args&... args) {
  if (!log_enabled(level)) return;
  char room[256];
  FixedText text(room);
  format(text, fmt, args...);
  log_line(level, text.view());
}
template <class... Args>
void log_error(std::string_view fmt, const Args&... args) {
  log(LogLevel::error, fmt, args...);
}
template <class... Args>
void log_warning(std::string_view fmt, const Args&... args) {
  log(LogLevel::warning, fmt, args...);
}
template <class... Args>
void log_info(std::string_view fmt, const Args&... args) {
  log(LogLevel::info, fmt, args...);
}
template <class... Args>
void log_debug(std::string_view fmt, const Args&... args) {
  log(LogLevel::debug, fmt, args...);
}

}  // namespace runsc
