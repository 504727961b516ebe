// runsc update: new limits for a container.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "oci/cgroup/cgroup.h"
#include "oci/cmd/command.h"
#include "oci/control/client.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/sandbox_limits.h"
#include "oci/sandbox/state_dir.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

using nlohmann::json;

FlagSet::Set number_into(json& resources, const char* pointer) {
  return [&resources, pointer](std::string_view value) -> Expected<void> {
    const json parsed = json::parse(value, nullptr, false);
    if (!parsed.is_number_integer()) return fail("must be a number, not \"" + std::string(value) + "\"");
    resources[json::json_pointer(pointer)] = parsed;
    return {};
  };
}

FlagSet::Set text_into(json& resources, const char* pointer) {
  return [&resources, pointer](std::string_view value) -> Expected<void> {
    resources[json::json_pointer(pointer)] = value;
    return {};
  };
}

Expected<std::string> read_resources(const std::string& file) {
  if (file == "-") return read_all(STDIN_FILENO, kMaxSpecBytes, "stdin");
  return read_file(file, kMaxSpecBytes);
}

}  // namespace

Expected<int> cmd_update(const Options& options, std::span<const std::string> args) {
  std::string file;
  json from_flags = json::object();
  FlagSet flags;
  flags.text("resources", file, "file with linux.resources as in config.json; - is stdin").alias("r");
  flags.custom("memory", "BYTES", number_into(from_flags, "/memory/limit"), "memory limit");
  flags.custom("memory-reservation", "BYTES", number_into(from_flags, "/memory/reservation"), "soft limit");
  flags.custom("memory-swap", "BYTES", number_into(from_flags, "/memory/swap"), "memory and swap");
  flags.custom("cpu-share", "N", number_into(from_flags, "/cpu/shares"), "relative weight");
  flags.custom("cpu-quota", "US", number_into(from_flags, "/cpu/quota"), "CPU time of a period");
  flags.custom("cpu-period", "US", number_into(from_flags, "/cpu/period"), "length of the period");
  flags.custom("cpuset-cpus", "LIST", text_into(from_flags, "/cpu/cpus"), "CPUs to use");
  flags.custom("cpuset-mems", "LIST", text_into(from_flags, "/cpu/mems"), "memory nodes to use");
  flags.custom("pids-limit", "N", number_into(from_flags, "/pids/limit"), "number of tasks");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (rest.size() != 1) return fail("usage: runsc update [flags] ID\n" + flags.usage());
  const std::string text = file.empty() ? from_flags.dump() : OCI_TRY(read_resources(file));
  const Resources resources = OCI_TRY(parse_resources_text(text, file.empty() ? "update" : file));
  const StateDir dir = OCI_TRY(StateDir::open(options.root, rest[0]));
  const ContainerState state = OCI_TRY(dir.read());
  if (!is_alive(state)) return fail("container not running");
  // The sentry first: it refuses less memory than is in use, and then nothing has changed.
  json request = {{"op", "update"}, {"container", state.id}, {"resources", text}};
  // What is a container's alone may be as large as that; a pod has limits of its own.
  const bool of_pod =
      !state.sandbox.empty() || state.annotations.contains("io.kubernetes.cri.container-type");
  if (!of_pod && resources.memory_limit) {
    const auto around =
        state.cgroups.empty() ? memory_limit_around(state.pid) : memory_limit_above(state.cgroups);
    request["sandbox"] = sandbox_memory(resources.memory_limit, around).value_or(UINT64_MAX);
  }
  OCI_TRY(control(dir.sandbox_path(state), request));
  OCI_TRY_VOID(CgroupSet(state.cgroups).apply(resources));
  return 0;
}

}  // namespace runsc::oci
