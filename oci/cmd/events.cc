// runsc events: what a container uses, once or again and again, and when its memory ran out; in runc's form.
#include <poll.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <climits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "oci/cmd/command.h"
#include "oci/control/client.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/state_dir.h"

namespace runsc::oci {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

using Numbers = std::map<std::string, uint64_t>;

// "NAME VALUE" a line.
Numbers read_numbers(const std::string& text) {
  Numbers numbers;
  std::istringstream lines(text);
  std::string name;
  for (uint64_t value = 0; lines >> name >> value;) numbers[name] = value;
  return numbers;
}

// What the host's version of cgroups says where there is no limit.
uint64_t no_limit() {
  constexpr long kCgroup2Magic = 0x63677270;
  constexpr uint64_t kVersion1 = uint64_t{INT64_MAX} & ~uint64_t{4095};
  struct statfs info {};
  const bool version2 = ::statfs("/sys/fs/cgroup", &info) == 0 && info.f_type == kCgroup2Magic;
  return version2 ? UINT64_MAX : kVersion1;
}

uint64_t limit_or(uint64_t limit, uint64_t none) { return limit == UINT64_MAX ? none : limit; }

// memory.stat of both versions, as far as there is something to say.
json raw_memory(const Numbers& n) {
  const auto at = [&](const char* name) { return n.contains(name) ? n.at(name) : 0; };
  const uint64_t anonymous = std::min(at("anonymous"), at("memory"));
  const uint64_t limit = limit_or(at("memory_limit"), no_limit());
  json raw = {{"anon", anonymous},
              {"active_anon", anonymous},
              {"file_mapped", at("mapped_files")},
              {"slab_unreclaimable", at("memory") - anonymous},
              {"slab", at("memory") - anonymous},
              {"rss", anonymous},
              {"mapped_file", at("mapped_files")},
              {"hierarchical_memory_limit", limit},
              {"hierarchical_memsw_limit", limit},
              {"total_rss", anonymous},
              {"total_active_anon", anonymous},
              {"total_mapped_file", at("mapped_files")}};
  for (const char* name : {"cache", "total_cache", "file", "inactive_file", "total_inactive_file",
                           "active_file", "total_active_file", "inactive_anon", "total_inactive_anon",
                           "unevictable", "total_unevictable", "shmem"})
    raw[name] = 0;
  return raw;
}

json statistics(const std::string& id, const std::string& text) {
  const Numbers n = read_numbers(text);
  const auto at = [&](const char* name) { return n.contains(name) ? n.at(name) : 0; };
  const uint64_t limit = limit_or(at("memory_limit"), no_limit());
  const json none = {{"limit", no_limit()}, {"usage", 0}, {"max", 0}, {"failcnt", 0}};
  json memory = {
      {"usage",
       {{"limit", limit},
        {"usage", at("memory")},
        {"max", at("memory_peak")},
        {"failcnt", at("memory_shortages")}}},
      {"swap", {{"limit", limit}, {"usage", at("memory")}, {"max", at("memory_peak")}, {"failcnt", 0}}},
      {"kernel", none},
      {"kernelTCP", none},
      {"raw", raw_memory(n)},
      {"oom", at("oom")},
      {"oom_kill", at("oom_kills")}};
  json cpu = {{"usage",
               {{"total", at("cpu_user_ns") + at("cpu_system_ns")},
                {"percpu", json::array()},
                {"percpu_kernel", json::array()},
                {"percpu_user", json::array()},
                {"kernel", at("cpu_system_ns")},
                {"user", at("cpu_user_ns")}}},
              {"throttling", json::object()}};
  return {{"type", "stats"},
          {"id", id},
          {"data",
           {{"cpu", std::move(cpu)},
            {"cpuset", json::object()},
            {"memory", std::move(memory)},
            {"pids", {{"current", at("tasks")}, {"limit", limit_or(at("tasks_limit"), 0)}}},
            {"blkio", json::object()},
            {"hugetlb", json::object()},
            {"intel_rdt", json::object()},
            {"network_interfaces", nullptr}}}};
}

Expected<void> print(const json& document) {
  return write_all(STDOUT_FILENO, document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n",
                   "stdout");
}

struct Target {
  std::string directory, id;
};

Expected<Target> find(const Options& options, const std::string& id) {
  // Not held while events are waited for: others want the lock.
  const StateDir dir = OCI_TRY(StateDir::open(options.root, id));
  const ContainerState state = OCI_TRY(dir.read());
  if (!is_alive(state)) return fail("container not running");
  return Target{dir.sandbox_path(state), state.id};
}

Expected<json> read_statistics(const Target& target) {
  const Answer answer = OCI_TRY(control(target.directory, {{"op", "statistics"}, {"container", target.id}}));
  return statistics(target.id, answer.text);
}

// A length of time as Go writes it, of one unit: "5s", "1m".
Expected<std::chrono::milliseconds> parse_interval(const std::string& text) {
  const std::map<std::string, int64_t> units = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  int64_t count = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  const auto unit = units.find(std::string(parsed.ptr, text.data() + text.size()));
  constexpr int64_t kMost = 1'000'000;
  if (parsed.ec != std::errc() || unit == units.end() || count < 1 || count > kMost)
    return fail("invalid value \"" + text + "\" for flag --interval");
  return std::chrono::milliseconds(count * unit->second);
}

// Until the container ends.
Expected<int> stream(const Target& target, std::chrono::milliseconds interval) {
  ControlClient client =
      OCI_TRY(ControlClient::send(target.directory, {{"op", "events"}, {"container", target.id}}));
  OCI_TRY(client.receive());
  auto next = Clock::now() + interval;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
    pollfd waiting{client.fd(), POLLIN, 0};
    const int n = ::poll(&waiting, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT_MAX)));
    if (n < 0 && errno != EINTR) return fail_errno("poll");
    if (n > 0) {
      const Expected<Answer> answer = client.receive();
      if (!answer || answer->ended) return 0;
      if (answer->oom) OCI_TRY_VOID(print({{"type", "oom"}, {"id", target.id}}));
    } else if (Clock::now() >= next) {
      next += interval;
      // At the end of the container the other connection tells; where nobody reads, nothing more is to be
      // told.
      if (const auto read = read_statistics(target)) OCI_TRY_VOID(print(*read));
    }
  }
}

}  // namespace

Expected<int> cmd_events(const Options& options, std::span<const std::string> args) {
  bool stats = false;
  std::string interval = "5s";
  FlagSet flags;
  flags.boolean("stats", stats, "print the statistics once");
  flags.text("interval", interval, "time between two prints of the statistics");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (rest.size() != 1) return fail("usage: runsc events [flags] ID\n" + flags.usage());
  const std::chrono::milliseconds pause = OCI_TRY(parse_interval(interval));
  const Target target = OCI_TRY(find(options, rest[0]));
  if (!stats) return stream(target, pause);
  OCI_TRY_VOID(print(OCI_TRY(read_statistics(target))));
  return 0;
}

}  // namespace runsc::oci
