// Host only. A Spec turned into what the sentry reads (kvm/hostcall/container_spec.h) and what the host has
// to open for it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/sandbox/host_tree.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

struct ContainerPlan {
  // The root file system first, then each bind mount in the order of config.json. The donated descriptor of
  // source n has handle n; stdin, stdout and stderr follow.
  std::vector<HostSource> sources;
};

// Refuses what the sandbox cannot honour, by its JSON path; adds what it ignores to spec.warnings.
Expected<ContainerPlan> plan_container(Spec& spec);

// How a container is started.
struct StartForm {
  WindowSize terminal;                          // its size, where process.terminal is set
  bool wait_for_start = false;                  // the init stops before its program until it is told to start
  bool keep_host_name = false;                  // it shares the one that there is
  std::optional<uint64_t> sandbox_memory = {};  // what the whole sandbox may use
  std::string network = {};                     // kvm/hostcall/network_spec.h
  uint32_t preserved = 0;  // descriptors that it has from 3 on; donated behind its streams
};

// The container, but for the list of handles. `plan` is of the same spec.
std::string container_description(const Spec& spec, const ContainerPlan& plan, const StartForm& form);
// What the sentry reads: the description, with the handles that the donated descriptors got, in their order.
std::string with_handles(std::span<const uint32_t> handles, std::string_view description);
// With handles from 0 on.
std::string container_bytes(const Spec& spec, const ContainerPlan& plan, const StartForm& form);

// What CommandKind::update takes.
std::string limits_bytes(const Resources& resources, std::optional<uint64_t> sandbox_memory);

// What joins a running container. `stdio`: handles of the three streams, or of the terminal alone, and of
// what it has open from 3 on.
std::string joining_process_bytes(const Process& process, const WindowSize& terminal,
                                  std::span<const uint32_t> stdio);

}  // namespace runsc::oci
