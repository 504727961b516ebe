#include "shim/runtime/runtime.h"

#include <sys/stat.h>

#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "oci/host/file_io.h"
#include "shim/base/log.h"
#include "shim/runtime/errors.h"

namespace runsc::shim {
namespace {

constexpr size_t kMaxLog = 8u << 20;
// For commands that start something, which may have to wait for hooks and for a busy host.
constexpr std::chrono::minutes kStartLimit{10};
constexpr std::chrono::minutes kLimit{2};

// Gone with the scope.
class ScratchFile {
 public:
  explicit ScratchFile(std::string path) : path_(std::move(path)) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Lists of words are made in functions that are no coroutines: g++ 12 mishandles braced lists in these.
template <typename... Words>
std::vector<std::string> words(Words&&... all) {
  std::vector<std::string> list;
  (list.emplace_back(std::forward<Words>(all)), ...);
  return list;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  while (!text.empty() && (text.front() == '\n' || text.front() == ' ')) text.remove_prefix(1);
  return text;
}

Result<pid_t> read_pid(const std::string& path) {
  const oci::Expected<std::string> text = oci::read_file(path, 64);
  if (!text) return refuse(Code::internal, "pid file: " + text.error().text);
  const std::string_view digits = trim(*text);
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (error != std::errc() || end != digits.data() + digits.size() || pid <= 1) {
    return refuse(Code::internal, "pid file: not a pid: \"" + std::string(digits) + "\"");
  }
  return pid;
}

std::string reason_of(const Outcome& outcome, const std::string& log) {
  std::string reason = last_error(log);
  if (reason.empty()) reason = trim(outcome.errors);
  if (reason.empty()) reason = "exit status " + std::to_string(outcome.exit.code()) + " without a word";
  return reason;
}

}  // namespace

Runtime::Runtime(Reaper& reaper, RuntimeOptions options, std::string bundle)
    : reaper_(reaper), options_(std::move(options)), bundle_(std::move(bundle)) {}

std::vector<std::string> Runtime::command_line(const std::string& log) const {
  std::vector<std::string> line = {options_.binary, "--root", options_.root, "--log", log,
                                   "--log-format",  "json"};
  if (options_.systemd_cgroup) line.emplace_back("--systemd-cgroup");
  line.insert(line.end(), options_.flags.begin(), options_.flags.end());
  return line;
}

std::string Runtime::fresh_file(const char* suffix) {
  std::string path = bundle_ + "/shim-" + std::to_string(serial_++) + suffix;
  ::unlink(path.c_str());
  return path;
}

Async<Result<std::string>> Runtime::invoke(std::vector<std::string> line, Streams streams,
                                           std::chrono::steady_clock::duration limit) {
  const ScratchFile log(fresh_file(".log"));
  const std::string verb = line.front();
  Command command;
  command.args = command_line(log.path());
  command.args.insert(command.args.end(), line.begin(), line.end());
  command.folder = bundle_;
  // A create that outlived its shim would make a container that nobody deletes.
  command.dies_with_caller = true;
  command.stdin_fd = streams.in;
  command.stdout_fd = streams.out;
  command.stderr_fd = streams.err;
  const oci::Expected<Outcome> outcome = co_await run(reaper_, std::move(command), limit);
  if (!outcome) co_return refuse(Code::unknown, "OCI runtime " + verb + " failed: " + outcome.error().text);
  if (outcome->ok()) co_return outcome->output;
  const std::string reason = reason_of(*outcome, oci::read_file(log.path(), kMaxLog).value_or(""));
  log_info("{} failed: {}", verb, reason);
  co_return std::unexpected(runtime_failure(verb, reason));
}

Async<Result<void>> Runtime::invoke_plain(std::vector<std::string> line,
                                          std::chrono::steady_clock::duration limit) {
  const Result<std::string> output = co_await invoke(std::move(line), Streams{}, limit);
  if (!output) co_return std::unexpected(output.error());
  co_return Result<void>();
}

Async<Result<pid_t>> Runtime::invoke_for_pid(std::vector<std::string> line, std::string id,
                                             std::string pid_file, Streams streams) {
  line.emplace_back("--pid-file");
  line.push_back(pid_file);
  if (!streams.console_socket.empty()) {
    line.emplace_back("--console-socket");
    line.push_back(streams.console_socket);
  }
  line.push_back(std::move(id));
  const Result<std::string> output = co_await invoke(std::move(line), streams, kStartLimit);
  if (!output) co_return std::unexpected(output.error());
  co_return read_pid(pid_file);
}

Async<Result<pid_t>> Runtime::create(std::string id, Streams streams) {
  std::error_code error;
  std::filesystem::create_directories(options_.root, error);
  if (error) co_return refuse(Code::unknown, options_.root + ": " + error.message());
  const std::string pid_file = bundle_ + "/init.pid";
  ::unlink(pid_file.c_str());
  std::vector<std::string> line = words("create", "--bundle", bundle_);
  co_return co_await invoke_for_pid(std::move(line), std::move(id), pid_file, std::move(streams));
}

Async<Result<void>> Runtime::start(std::string id) {
  return invoke_plain(words("start", std::move(id)), kStartLimit);
}

Async<Result<pid_t>> Runtime::exec(std::string id, std::string process, Streams streams) {
  const ScratchFile spec(fresh_file(".json"));
  const ScratchFile pid_file(fresh_file(".pid"));
  if (const oci::Expected<void> written = oci::write_file(spec.path(), process, 0600); !written) {
    co_return refuse(Code::unknown, written.error().text);
  }
  std::vector<std::string> line = words("exec", "--process", spec.path(), "--detach");
  co_return co_await invoke_for_pid(std::move(line), std::move(id), pid_file.path(), std::move(streams));
}

Async<Result<void>> Runtime::kill(std::string id, unsigned signal, bool all) {
  const std::string number = std::to_string(signal);
  return invoke_plain(all ? words("kill", "--all", id, number) : words("kill", id, number), kLimit);
}

Async<Result<void>> Runtime::remove(std::string id, bool force) {
  std::vector<std::string> line = words("delete");
  if (force) line.emplace_back("--force");
  line.push_back(std::move(id));
  const Result<void> done = co_await invoke_plain(std::move(line), kLimit);
  if (!done && done.error().code == Code::not_found) co_return Result<void>();
  co_return done;
}

Async<Result<std::vector<pid_t>>> Runtime::pids(std::string id) {
  std::vector<std::string> line = words("ps", "--format", "json", std::move(id));
  const Result<std::string> output = co_await invoke(std::move(line), Streams(), kLimit);
  if (!output) co_return std::unexpected(output.error());
  const nlohmann::json list = nlohmann::json::parse(*output, nullptr, false);
  if (!list.is_array() && !list.is_null()) co_return refuse(Code::internal, "ps: not a list of pids");
  std::vector<pid_t> pids;
  for (const nlohmann::json& entry : list) {
    if (entry.is_number_integer()) pids.push_back(entry.get<pid_t>());
  }
  co_return pids;
}

Async<Result<std::string>> Runtime::stats(std::string id) {
  return invoke(words("events", "--stats", std::move(id)), Streams(), kLimit);
}

Async<Result<void>> Runtime::pause(std::string id) {
  return invoke_plain(words("pause", std::move(id)), kLimit);
}

Async<Result<void>> Runtime::resume(std::string id) {
  return invoke_plain(words("resume", std::move(id)), kLimit);
}

Async<Result<void>> Runtime::update(std::string id, std::string resources) {
  const ScratchFile file(fresh_file(".json"));
  if (const oci::Expected<void> written = oci::write_file(file.path(), resources, 0600); !written) {
    co_return refuse(Code::unknown, written.error().text);
  }
  std::vector<std::string> line = words("update", "--resources", file.path(), std::move(id));
  co_return co_await invoke_plain(std::move(line), kLimit);
}

}  // namespace runsc::shim
