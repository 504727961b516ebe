// Host only. The flags before the verb, shared by all verbs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "oci/cmd/flag_set.h"

namespace runsc::oci {

enum class KvmMode { automatic, ring0, hosted };
enum class NetworkKind { sandbox, none };
enum class HostFifo { none, open };
enum class LogFormat { text, json };

struct Options {
  std::string root = "/run/runsc";
  KvmMode kvm_mode = KvmMode::automatic;
  bool debug = false;
  NetworkKind network = NetworkKind::sandbox;
  std::string debug_log;  // empty: none
  std::string log;        // empty: errors go to stderr only
  LogFormat log_format = LogFormat::text;
  HostFifo host_fifo = HostFifo::none;
  bool strace = false;
  unsigned cpus = 0;  // 0: as many as the host gives
  bool cpus_from_quota = false;
  bool ignore_cgroups = false;
  bool systemd_cgroup = false;
  bool version = false;
  bool help = false;

  // The flags that a sandbox process started by this command needs again.
  std::vector<std::string> sandbox_flags() const;
};

// Adds every global flag, writing to `options`, which must outlive the set. Flags known from other runtimes
// that cannot be honoured are refused by name.
void add_global_flags(FlagSet& flags, Options& options);
// --preserve-fds of the verbs that start a process.
void add_preserve_flag(FlagSet& flags, unsigned& count);
// --network alone: the verb `do` takes it as well.
void add_network_flag(FlagSet& flags, Options& options);

}  // namespace runsc::oci
