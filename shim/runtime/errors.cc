#include "shim/runtime/errors.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

namespace runsc::shim {
namespace {

struct Pattern {
  std::string_view verb;  // empty: any
  std::string_view part;  // of the message, in lower case
  Code code;
};

// The first that fits. Clients tell "it is gone already" by not_found, above all when they kill.
constexpr Pattern kPatterns[] = {
    {"", "already exists", Code::already_exists},
    {"", "container does not exist", Code::not_found},
    {"", "no such container", Code::not_found},
    {"", "container not found", Code::not_found},
    {"kill", "process already finished", Code::not_found},
    {"kill", "not running", Code::not_found},
    {"kill", "is stopped", Code::not_found},
    {"kill", "no such process", Code::not_found},
    {"", "process already finished", Code::failed_precondition},
    {"", "not running", Code::failed_precondition},
    {"", "not stopped", Code::failed_precondition},
    {"", "is stopped", Code::failed_precondition},
    {"", "already running", Code::failed_precondition},
    {"", "in the stopped state", Code::failed_precondition},
    {"", "not paused", Code::failed_precondition},
    {"", "has stopped", Code::failed_precondition},
    {"", "in a stopped container", Code::failed_precondition},
    {"", "in a paused container", Code::failed_precondition},
    {"resume", "it is ", Code::failed_precondition},
    {"pause", "it is ", Code::failed_precondition},
    {"", "is paused", Code::failed_precondition},
    {"", "not created or running", Code::failed_precondition},
    {"", "not supported", Code::unimplemented},
    {"", "unknown command", Code::unimplemented},
};

}  // namespace

std::string last_error(std::string_view log) {
  while (!log.empty()) {
    if (log.back() == '\n') {
      log.remove_suffix(1);
      continue;
    }
    const size_t newline = log.rfind('\n');
    const std::string_view line = log.substr(newline == std::string_view::npos ? 0 : newline + 1);
    log.remove_suffix(line.size());
    const nlohmann::json entry = nlohmann::json::parse(line, nullptr, false);
    if (!entry.is_object()) continue;
    const auto level = entry.find("level");
    const auto message = entry.find("msg");
    if (level == entry.end() || message == entry.end() || !level->is_string() || !message->is_string())
      continue;
    const auto& name = level->get_ref<const std::string&>();
    if (name == "error" || name == "fatal" || name == "panic") return message->get<std::string>();
  }
  return {};
}

Status runtime_failure(std::string_view verb, const std::string& message) {
  std::string lower = message;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto found = std::find_if(std::begin(kPatterns), std::end(kPatterns), [&](const Pattern& pattern) {
    return (pattern.verb.empty() || pattern.verb == verb) && lower.find(pattern.part) != std::string::npos;
  });
  const Code code = found == std::end(kPatterns) ? Code::unknown : found->code;
  return {code, "OCI runtime " + std::string(verb) + " failed: " + message};
}

}  // namespace runsc::shim
