// Verbs that look at a container or end it: state, list, kill, delete, ps, wait, pause, resume.
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "oci/cmd/command.h"
#include "oci/cmd/messages.h"
#include "oci/control/client.h"
#include "oci/host/debug_log.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/accompany.h"
#include "oci/sandbox/removal.h"
#include "oci/sandbox/state_dir.h"

namespace runsc::oci {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

Expected<void> print(const std::string& text) { return write_all(STDOUT_FILENO, text, "stdout"); }

Expected<std::string> only_id(std::span<const std::string> args, const FlagSet& flags, const char* usage) {
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (rest.size() != 1) return fail(std::string("usage: runsc ") + usage + "\n" + flags.usage());
  return rest[0];
}

// By /etc/passwd alone: name services are libraries, which programs that bring their own cannot load.
std::string user_name(uint32_t uid) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/etc/passwd", "re"), &std::fclose);
  const passwd* entry = file ? ::fgetpwent(file.get()) : nullptr;
  while (entry != nullptr && entry->pw_uid != uid) entry = ::fgetpwent(file.get());
  return entry != nullptr ? entry->pw_name : "#" + std::to_string(uid);
}

// Columns as wide as their longest cell, with three spaces between.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 3, ' ');
    }
    text += '\n';
  }
  return text;
}

// "TERM", "SIGTERM", "15".
Expected<int> parse_signal(const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number > 0 && number <= SIGRTMAX)
    return number;
  std::string name = text;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  if (name.starts_with("SIG")) name.erase(0, 3);
  for (int n = 1; n < NSIG; ++n) {
    const char* abbreviation = ::sigabbrev_np(n);
    if (abbreviation != nullptr && name == abbreviation) return n;
  }
  return fail("unknown signal " + text);
}

Expected<int> one_request(const Options& options, std::span<const std::string> args, const char* op) {
  const std::string id = OCI_TRY(only_id(args, FlagSet(), (std::string(op) + " ID").c_str()));
  const StateDir dir = OCI_TRY(StateDir::look(options.root, id));
  const ContainerState state = OCI_TRY(dir.read());
  const bool pausing = std::string_view(op) == "pause";
  const std::string status = current_status(dir, state);
  if (pausing ? status != "running" && status != "created" : status != "paused")
    return fail(std::string("cannot ") + op + " container " + id + ": it is " + status);
  OCI_TRY(control(dir.sandbox_path(state), {{"op", op}, {"container", id}}));
  return 0;
}

}  // namespace

Expected<int> cmd_state(const Options& options, std::span<const std::string> args) {
  const std::string id = OCI_TRY(only_id(args, FlagSet(), "state ID"));
  const StateDir dir = OCI_TRY(StateDir::look(options.root, id));
  const ContainerState state = OCI_TRY(dir.read());
  OCI_TRY_VOID(print(state_document(state, current_status(dir, state))));
  return 0;
}

Expected<int> cmd_list(const Options& options, std::span<const std::string> args) {
  std::string format = "table";
  bool quiet = false;
  FlagSet flags;
  flags.text("format", format, "table (default) or json").alias("f");
  flags.boolean("quiet", quiet, "ids only").alias("q");
  if (!OCI_TRY(flags.parse(args)).empty()) return fail("usage: runsc list [flags]\n" + flags.usage());
  if (format != "table" && format != "json") return fail("invalid format option");
  std::vector<std::vector<std::string>> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
  ordered_json all = ordered_json::array();
  std::string ids;
  for (const std::string& id : StateDir::list(options.root)) {
    const Expected<StateDir> dir = StateDir::open_any(options.root, id);
    const Expected<ContainerState> state = dir ? dir->read() : std::unexpected(dir.error());
    if (!state && dir && !dir->is_gone())
      show_warnings(options, {id + ": its state cannot be read (see delete --force): " + state.error().text});
    if (!state) continue;
    ordered_json one = ordered_json::parse(state_document(*state, current_status(*dir, *state)));
    one["owner"] = user_name(state->owner);
    rows.push_back({id, std::to_string(one["pid"].get<int>()), one["status"], printable(state->bundle),
                    state->created, one["owner"]});
    all.push_back(std::move(one));
    ids += id + "\n";
  }
  OCI_TRY_VOID(print(quiet ? ids : format == "json" ? all.dump() + "\n" : table(rows)));
  return 0;
}

Expected<int> cmd_kill(const Options& options, std::span<const std::string> args) {
  bool all = false;
  FlagSet flags;
  flags.boolean("all", all, "to every process of the container").alias("a");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (rest.empty() || rest.size() > 2) return fail("usage: runsc kill [flags] ID [SIGNAL]\n" + flags.usage());
  const int number = rest.size() == 2 ? OCI_TRY(parse_signal(rest[1])) : SIGTERM;
  const StateDir dir = OCI_TRY(StateDir::look(options.root, rest[0]));
  const ContainerState state = OCI_TRY(dir.read());
  if (!is_alive(state)) return all ? Expected<int>(0) : fail(kNotRunning);
  // A sandbox that does not do it itself is killed as a whole.
  constexpr int kKillPatienceMs = 2'000;
  const auto answered = control(dir.sandbox_path(state),
                                {{"op", "signal"}, {"container", state.id}, {"signal", number}, {"all", all}},
                                number == SIGKILL ? kKillPatienceMs : kControlPatienceMs);
  // Dead before it could answer: that is what was wanted.
  if (!answered && number != SIGKILL) return std::unexpected(answered.error());
  if (!answered) kill_process(state);
  return 0;
}

Expected<int> cmd_delete(const Options& options, std::span<const std::string> args) {
  bool force = false;
  FlagSet flags;
  flags.boolean("force", force, "kill what still runs; a container that is not there is no error").alias("f");
  const std::vector<std::string> ids = OCI_TRY(flags.parse(args));
  if (ids.empty()) return fail("usage: runsc delete [flags] ID...\n" + flags.usage());
  Expected<int> result = 0;
  for (const std::string& id : ids) {
    if (const auto done = remove_container(options, id, force); !done && result)
      result = std::unexpected(done.error());
  }
  return result;
}

Expected<int> cmd_ps(const Options& options, std::span<const std::string> args) {
  std::string format = "table";
  FlagSet flags;
  flags.text("format", format, "table (default) or json").alias("f");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (rest.empty()) return fail("usage: runsc ps [flags] ID\n" + flags.usage());
  if (format != "table" && format != "json") return fail("invalid format option");
  const StateDir dir = OCI_TRY(StateDir::look(options.root, rest[0]));
  const ContainerState state = OCI_TRY(dir.read());
  const Answer answer =
      OCI_TRY(control(dir.sandbox_path(state), {{"op", "processes"}, {"container", state.id}}));
  std::vector<std::vector<std::string>> rows = {{"UID", "PID", "PPID", "TIME", "CMD"}};
  std::set<pid_t> pids;  // on the host
  std::istringstream lines(answer.text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    uint64_t pid = 0, parent = 0, uid = 0, start = 0, cpu = 0;
    int64_t host_number = -1;
    std::string command;
    if (!(fields >> pid >> parent >> uid >> start >> cpu >> host_number >> command)) continue;
    const uint64_t seconds = cpu / 1'000'000'000;
    char time[32];
    std::snprintf(time, sizeof time, "%02u:%02u:%02u", static_cast<unsigned>(seconds / 3600 % 100),
                  static_cast<unsigned>(seconds / 60 % 60), static_cast<unsigned>(seconds % 60));
    rows.push_back({std::to_string(uid), std::to_string(pid), std::to_string(parent), time, command});
    // What the container started itself has no process on the host but the one that stands for all.
    const auto known = answer.pids.find(host_number);
    pids.insert(known != answer.pids.end() ? known->second : state.pid);
  }
  OCI_TRY_VOID(print(format == "json" ? json(pids).dump() + "\n" : table(rows)));
  return 0;
}

Expected<int> cmd_wait(const Options& options, std::span<const std::string> args) {
  const std::string id = OCI_TRY(only_id(args, FlagSet(), "wait ID"));
  std::string path;
  {
    const StateDir dir = OCI_TRY(StateDir::look(options.root, id));
    const ContainerState state = OCI_TRY(dir.read());
    if (!is_alive(state)) return fail(kNotRunning);
    path = dir.sandbox_path(state);
  }
  ControlClient client = OCI_TRY(ControlClient::send(path, {{"op", "wait"}, {"container", id}}));
  Answer answer = OCI_TRY(client.receive());
  while (!answer.ended) answer = OCI_TRY(client.receive());
  const int code = exit_status_of(*answer.ended);
  OCI_TRY_VOID(print(json({{"id", id}, {"exitStatus", code}}).dump() + "\n"));
  return 0;
}

Expected<int> cmd_pause(const Options& options, std::span<const std::string> args) {
  return one_request(options, args, "pause");
}

Expected<int> cmd_resume(const Options& options, std::span<const std::string> args) {
  return one_request(options, args, "resume");
}

}  // namespace runsc::oci
