#include "oci/sandbox/network_handover.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "oci/control/client.h"
#include "oci/host/file_io.h"
#include "oci/network/handover.h"

namespace runsc::oci {
namespace {

// In the namespace of the process, and back.
Expected<TakenNetwork> take_from(const ContainerState& state) {
  const std::string path = "/proc/" + std::to_string(state.pid) + "/ns/net";
  const UniqueFd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd here(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!there || !here) return fail_errno(path);
  // Its number was its own while that was opened.
  if (!is_alive(state)) return fail("cannot start a container that has stopped");
  if (::setns(there.get(), CLONE_NEWNET) != 0) return fail_errno(path);
  Expected<TakenNetwork> taken = take_network();
  if (::setns(here.get(), CLONE_NEWNET) != 0) ::_exit(kExitSandbox);
  return taken;
}

Expected<void> give(const StateDir& dir, const ContainerState& state, const TakenNetwork& taken) {
  const UniqueFd description = OCI_TRY(memory_file("network", network_bytes(taken.network)));
  std::vector<int> fds = {description.get(), taken.claim.get()};
  for (const HostWire& wire : taken.wires) {
    fds.push_back(wire.socket.get());
    fds.push_back(wire.doorbell.get());
  }
  ControlClient client = OCI_TRY(
      ControlClient::send(dir.sandbox_path(state), {{"op", "network"}, {"container", state.id}}, fds));
  OCI_TRY(client.receive());
  return {};
}

}  // namespace

Expected<std::vector<std::string>> hand_network_over(const StateDir& dir, const ContainerState& state) {
  std::vector<std::string> none;
  if (!state.sandbox.empty()) return none;  // it shares the pod's
  const Answer answer =
      OCI_TRY(control(dir.sandbox_path(state), {{"op", "status"}, {"container", state.id}}));
  if (answer.value.value_or(0) == 0) return none;
  TakenNetwork taken = OCI_TRY(take_from(state));
  if (!taken.network.interfaces.empty()) OCI_TRY_VOID(give(dir, state, taken));
  return std::move(taken.warnings);
}

}  // namespace runsc::oci
