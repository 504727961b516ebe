#include <unistd.h>

#include <climits>
#include <nlohmann/json.hpp>

#include "oci/cmd/command.h"
#include "oci/sandbox/launcher.h"
#include "oci/spec/default_spec.h"
#include "oci/spec/names.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

struct DoFlags {
  std::string cwd;
  std::string root = "/";
  bool quiet = false;
};

std::vector<std::string> host_environment() {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (text.find('=') != std::string::npos && text[0] != '=') entries.push_back(text);
  }
  return entries;
}

Expected<std::string> current_directory() {
  char path[PATH_MAX];
  if (::getcwd(path, sizeof path) == nullptr) return fail_errno("getcwd");
  return std::string(path);
}

// With one of the three redirected, each goes to its own place instead, and the host's terminal keeps its
// mode.
bool on_a_terminal() {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
}

nlohmann::ordered_json make_spec(const DoFlags& flags, const std::vector<std::string>& command) {
  nlohmann::ordered_json spec = default_spec(command);
  nlohmann::ordered_json& process = spec["process"];
  process["terminal"] = on_a_terminal();
  process["env"] = host_environment();
  process["cwd"] = flags.cwd;
  process["noNewPrivileges"] = false;
  process.erase("rlimits");
  for (const char* set : {"bounding", "effective", "permitted"}) {
    process["capabilities"][set] = capability_names(kAllCapabilities);
  }
  // Read-only on the host; in the sandbox it looks writable, and what is written stays in its memory.
  spec["root"] = {{"path", flags.root}, {"readonly", false}};
  spec.erase("hostname");  // the host's
  spec["linux"].erase("maskedPaths");
  spec["linux"].erase("readonlyPaths");
  return spec;
}

}  // namespace

Expected<int> cmd_do(const Options& given, std::span<const std::string> args) {
  Options options = given;
  DoFlags own;
  FlagSet flags;
  flags.text("cwd", own.cwd, "working directory (default: the current one)");
  flags.text("root", own.root, "directory to use as the root file system (default: /)");
  add_network_flag(flags, options);
  flags.boolean("quiet", own.quiet, "say nothing about the sandbox itself").alias("q");
  const std::vector<std::string> command = OCI_TRY(flags.parse(args));
  if (command.empty()) return fail("usage: runsc do [flags] COMMAND [ARG...]\n" + flags.usage());
  if (own.cwd.empty()) own.cwd = own.root == "/" ? OCI_TRY(current_directory()) : "/";

  LaunchRequest request;
  request.id = "runsc-do-" + std::to_string(::getpid());
  request.bundle = OCI_TRY(current_directory());
  request.spec_text = make_spec(own, command).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  request.spec = OCI_TRY(parse_spec(request.spec_text, "do"));
  return launch_and_wait(options, request);
}

}  // namespace runsc::oci
