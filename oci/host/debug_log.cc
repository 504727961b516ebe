#include "oci/host/debug_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace runsc::oci {
namespace {

std::string format_now(const char* format) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

void replace_all(std::string& text, const std::string& name, const std::string& value) {
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
}

}  // namespace

Expected<UniqueFd> open_debug_log(const std::string& pattern, const std::string& command,
                                  const std::string& id) {
  if (pattern.empty()) return UniqueFd();
  std::string path = pattern;
  if (path.ends_with('/')) {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("--debug-log " + path);
    path += "runsc.log.%TIMESTAMP%.%PID%.%COMMAND%.txt";
  }
  replace_all(path, "%TIMESTAMP%", format_now("%Y%m%d-%H%M%S"));
  replace_all(path, "%PID%", std::to_string(::getpid()));
  replace_all(path, "%COMMAND%", command);
  replace_all(path, "%ID%", id);
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644));
  if (!fd) return fail_errno("--debug-log " + path);
  return fd;
}

std::string printable(std::string_view text, std::string_view kept) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= 0x20 && byte != 0x7f) || kept.find(c) != std::string_view::npos) {
      shown += c;
    } else if (c == '\n') {
      shown += "\\n";
    } else {
      char code[8];
      std::snprintf(code, sizeof code, "\\x%02x", byte);
      shown += code;
    }
  }
  return shown;
}

std::string log_line(bool json, const std::string& level, const std::string& message) {
  const std::string time = format_now("%Y-%m-%dT%H:%M:%SZ");
  if (!json) return time + " " + level + ": " + printable(message) + "\n";
  const nlohmann::ordered_json entry = {{"level", level}, {"msg", message}, {"time", time}};
  return entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace runsc::oci
