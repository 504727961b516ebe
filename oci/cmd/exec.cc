#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "oci/cmd/command.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/home.h"
#include "oci/sandbox/joining.h"
#include "oci/sandbox/preserved_fds.h"
#include "oci/spec/names.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

using nlohmann::json;

struct ExecFlags {
  std::string process, cwd, user, console_socket, pid_file;
  std::vector<std::string> env, caps, gids;
  unsigned preserve = 0;
  bool tty = false, detach = false, no_new_privs = false, ignore_paused = false;
};

FlagSet::Set append(std::vector<std::string>& list) {
  return [&list](std::string_view value) -> Expected<void> {
    list.emplace_back(value);
    return {};
  };
}

FlagSet flag_set(ExecFlags& own) {
  FlagSet flags;
  flags.text("process", own.process, "file with the process as in config.json").alias("p");
  flags.text("cwd", own.cwd, "working directory");
  flags.text("user", own.user, "UID[:GID]").alias("u");
  flags.custom("env", "NAME=VALUE", append(own.env), "one more variable; may be repeated").alias("e");
  flags.custom("cap", "CAP", append(own.caps), "one more capability; may be repeated").alias("c");
  flags.custom("additional-gids", "GID", append(own.gids), "one more group; may be repeated").alias("g");
  flags.boolean("tty", own.tty, "with a terminal").alias("t");
  flags.boolean("detach", own.detach, "leave the process running").alias("d");
  flags.boolean("no-new-privs", own.no_new_privs, "as prctl(PR_SET_NO_NEW_PRIVS)");
  flags.boolean("ignore-paused", own.ignore_paused, "run it also in a paused container, when that resumes");
  flags.text("console-socket", own.console_socket, "unix socket that gets the terminal");
  flags.text("pid-file", own.pid_file, "file for a pid that stands for the process on the host");
  add_preserve_flag(flags, own.preserve);
  return flags;
}

Expected<uint32_t> parse_id(const std::string& text, const char* what) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    return fail(std::string(what) + ": must be a number, not \"" + text + "\"");
  return id;
}

Expected<void> set_user(json& process, const ExecFlags& own) {
  if (!own.user.empty()) {
    const size_t colon = own.user.find(':');
    process["user"]["uid"] = OCI_TRY(parse_id(own.user.substr(0, colon), "--user"));
    if (colon != std::string::npos)
      process["user"]["gid"] = OCI_TRY(parse_id(own.user.substr(colon + 1), "--user"));
  }
  for (const std::string& gid : own.gids)
    process["user"]["additionalGids"].push_back(OCI_TRY(parse_id(gid, "--additional-gids")));
  return {};
}

Expected<void> add_capabilities(json& process, const ExecFlags& own) {
  for (const std::string& name : own.caps) {
    if (!capability_number(name)) return fail("--cap: unknown capability " + name);
    for (const char* set : {"bounding", "effective", "permitted"})
      process["capabilities"][set].push_back(name);
  }
  return {};
}

// The container's own process with what the flags change. `spec` has been parsed before: it has the shape.
Expected<json> process_from_flags(json spec, const ExecFlags& own, std::span<const std::string> args) {
  json process = std::move(spec["process"]);
  process["args"] = std::vector<std::string>(args.begin(), args.end());
  process["terminal"] = own.tty;
  process.erase("consoleSize");
  for (const std::string& entry : own.env) process["env"].push_back(entry);
  if (!own.cwd.empty()) process["cwd"] = own.cwd;
  if (own.no_new_privs) process["noNewPrivileges"] = true;
  OCI_TRY_VOID(set_user(process, own));
  OCI_TRY_VOID(add_capabilities(process, own));
  return process;
}

Expected<json> read_process(const std::string& path) {
  const std::string text = OCI_TRY(read_file(path, kMaxSpecBytes));
  json process = json::parse(text, nullptr, false);
  if (!process.is_object()) return fail(path + ": not a JSON object");
  return process;
}

// What to run, checked, with its HOME.
Expected<JoinRequest> plan(const StateDir& dir, const ExecFlags& own, std::span<const std::string> args) {
  const ContainerState state = OCI_TRY(dir.read());
  const std::string status = current_status(dir, state);
  if (status == "stopped") return fail("cannot exec in a stopped container");
  if (status == "paused" && !own.ignore_paused) return fail("cannot exec in a paused container");
  json document;
  if (!own.process.empty()) {
    document = OCI_TRY(read_process(own.process));
    if (own.tty) document["terminal"] = true;
  } else {
    document = OCI_TRY(process_from_flags(json::parse(OCI_TRY(dir.read_spec()), nullptr, false), own, args));
  }
  const std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  Process process = OCI_TRY(parse_process_text(text, own.process.empty() ? "exec" : own.process));
  const UniqueFd root(::open(state.rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root) add_home(process, root.get());
  document["env"] = process.env;
  JoinRequest request;
  request.directory = dir.sandbox_path(state);
  request.container = state.id;
  request.process = document.dump(-1, ' ', false, json::error_handler_t::replace);
  request.terminal = process.terminal;
  request.size = process.console_size.value_or(WindowSize{});
  request.console_socket = own.console_socket;
  request.pid_file = own.pid_file;
  return request;
}

}  // namespace

Expected<int> cmd_exec(const Options& options, std::span<const std::string> args) {
  ExecFlags own;
  const FlagSet flags = flag_set(own);
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  const size_t wanted = own.process.empty() ? 2 : 1;
  if (rest.size() < wanted) return fail("usage: runsc exec [flags] ID COMMAND [ARG...]\n" + flags.usage());
  const PreservedFds preserved = OCI_TRY(preserved_fds(own.preserve));
  JoinRequest request;
  {
    const StateDir dir = OCI_TRY(StateDir::look(options.root, rest[0]));
    size_t first = 1;
    if (rest.size() > 1 && rest[1] == "--") first = 2;
    request = OCI_TRY(plan(dir, own, std::span(rest).subspan(first)));
  }
  request.preserved = preserved.fds;
  if (!own.detach) return join_and_wait(request);
  OCI_TRY_VOID(join_detached(request));
  return 0;
}

}  // namespace runsc::oci
