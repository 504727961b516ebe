#include "oci/cmd/messages.h"

#include <unistd.h>

#include "oci/host/debug_log.h"
#include "oci/host/file_io.h"

namespace runsc::oci {
namespace {

// A message that cannot be delivered has nowhere else to go: failures are silent here.
void to_stderr(const std::string& text) {
  (void)write_all(STDERR_FILENO, "runsc: " + printable(text, "\n\t") + "\n", "stderr");
}

void to_log(const Options& options, const char* level, const std::string& text) {
  const Expected<UniqueFd> file = open_debug_log(options.log, "", "");
  if (!file) return;
  (void)write_all(file->get(), log_line(options.log_format == LogFormat::json, level, text), options.log);
}

}  // namespace

void show_error(const Options& options, const Error& error) {
  to_stderr(error.text);
  if (!options.log.empty()) to_log(options, "error", error.text);
}

void show_warnings(const Options& options, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    options.log.empty() ? to_stderr("warning: " + warning) : to_log(options, "warning", warning);
  }
}

}  // namespace runsc::oci
