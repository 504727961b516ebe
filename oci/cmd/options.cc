#include "oci/cmd/options.h"

#include <initializer_list>

#include "oci/sandbox/preserved_fds.h"

namespace runsc::oci {
namespace {

template <typename T>
struct Choice {
  std::string_view name;
  T value;
};

constexpr Choice<KvmMode> kKvmModes[] = {
    {"auto", KvmMode::automatic}, {"ring0", KvmMode::ring0}, {"hosted", KvmMode::hosted}};
constexpr Choice<NetworkKind> kNetworkKinds[] = {{"sandbox", NetworkKind::sandbox},
                                                 {"none", NetworkKind::none}};
constexpr Choice<HostFifo> kHostFifos[] = {{"none", HostFifo::none}, {"open", HostFifo::open}};
constexpr Choice<LogFormat> kLogFormats[] = {{"text", LogFormat::text}, {"json", LogFormat::json}};

template <typename T, size_t N>
FlagSet::Set choose(T& target, const Choice<T> (&choices)[N]) {
  return [&target, &choices](std::string_view value) -> Expected<void> {
    std::string names;
    for (const Choice<T>& choice : choices) {
      if (choice.name == value) {
        target = choice.value;
        return {};
      }
      if (!names.empty()) names += ", ";
      names += choice.name;
    }
    return fail("must be one of " + names + ", not \"" + std::string(value) + "\"");
  };
}

// A flag of which one setting is what this runtime does anyway; any other is refused with `why`.
FlagSet::Set only(std::initializer_list<std::string_view> accepted, std::string why) {
  return [accepted = std::vector<std::string_view>(accepted),
          why = std::move(why)](std::string_view value) -> Expected<void> {
    for (const std::string_view one : accepted) {
      if (one == value) return {};
    }
    return fail("\"" + std::string(value) + "\" is not supported: " + why);
  };
}

void add_sandbox_flags(FlagSet& flags, Options& options) {
  flags.custom("platform", "NAME", only({"kvm"}, "this runtime runs containers on kvm only"), "kvm");
  flags.custom("kvm-mode", "MODE", choose(options.kvm_mode, kKvmModes),
               "where the kernel of the sandbox runs: auto, ring0, hosted");
  add_network_flag(flags, options);
  flags.custom("overlay2", "KIND",
               only({"root:memory"}, "the root file system is written to in memory only, use root:memory"),
               "root:memory (default)");
  flags.custom("file-access", "KIND",
               only({"exclusive"}, "the root file system is taken to be the sandbox's alone, use exclusive"),
               "exclusive (default)");
  flags.custom("host-fifo", "KIND", choose(options.host_fifo, kHostFifos),
               "what opening a FIFO of the host in a bind mount does: none: EPERM (default), open");
  flags.custom(
      "cpu-num", "N",
      [&options](std::string_view value) -> Expected<void> {
        options.cpus = static_cast<unsigned>(OCI_TRY(parse_number(value, 1, 64)));
        return {};
      },
      "number of CPUs in the sandbox (default: those of the host)");
  flags.boolean("cpu-num-from-quota", options.cpus_from_quota,
                "number of CPUs from linux.resources.cpu.quota");
  // Engines pass it by habit: the path in config.json has the form that says so, too.
  flags.boolean("systemd-cgroup", options.systemd_cgroup, "cgroups are named as systemd does");
  flags.custom(
      "rootless", "WHETHER",
      only({"false", "auto"}, "this runtime needs root: it makes namespaces, mounts and cgroups on the host"),
      "false, auto: both root (default)");
  flags.boolean("ignore-cgroups", options.ignore_cgroups, "do not set up cgroups on the host");
}

void add_log_flags(FlagSet& flags, Options& options) {
  flags.boolean("debug", options.debug, "more detail in the debug log");
  flags.text("debug-log", options.debug_log, "file, or directory ending in /, for the debug log");
  flags.boolean("strace", options.strace, "system calls of the container into the debug log");
  flags.text("log", options.log, "file that errors are written to as well");
  flags.custom("log-format", "FORMAT", choose(options.log_format, kLogFormats), "text, json");
}

}  // namespace

void add_network_flag(FlagSet& flags, Options& options) {
  flags.custom(
      "network", "KIND",
      [&options](std::string_view value) -> Expected<void> {
        if (value == "host")
          return fail(
              "\"host\" is not supported: the sandbox has a network stack of its own, use sandbox or none");
        return choose(options.network, kNetworkKinds)(value);
      },
      "sandbox: the interfaces of the network namespace that config.json names; none");
}

void add_preserve_flag(FlagSet& flags, unsigned& count) {
  flags.custom(
      "preserve-fds", "N",
      [&count](std::string_view value) -> Expected<void> {
        count = static_cast<unsigned>(OCI_TRY(parse_number(value, 0, kMaxPreservedFds)));
        return {};
      },
      "descriptors from 3 on that the process gets besides its streams (default 0)");
}

void add_global_flags(FlagSet& flags, Options& options) {
  flags.text("root", options.root, "directory for the state of containers");
  add_sandbox_flags(flags, options);
  add_log_flags(flags, options);
  flags.boolean("version", options.version, "print the version").alias("v");
  flags.boolean("help", options.help, "print this help").alias("h");
}

std::vector<std::string> Options::sandbox_flags() const {
  std::vector<std::string> flags;
  for (const Choice<KvmMode>& mode : kKvmModes) {
    if (mode.value == kvm_mode) flags.push_back("--kvm-mode=" + std::string(mode.name));
  }
  for (const Choice<NetworkKind>& kind : kNetworkKinds) {
    if (kind.value == network) flags.push_back("--network=" + std::string(kind.name));
  }
  if (host_fifo == HostFifo::open) flags.emplace_back("--host-fifo=open");
  if (debug) flags.emplace_back("--debug");
  if (strace) flags.emplace_back("--strace");
  if (cpus != 0) flags.push_back("--cpu-num=" + std::to_string(cpus));
  if (cpus_from_quota) flags.emplace_back("--cpu-num-from-quota");
  return flags;
}

}  // namespace runsc::oci
