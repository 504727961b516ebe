#include "oci/sandbox/removal.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "oci/cgroup/cgroup.h"
#include "oci/cmd/messages.h"
#include "oci/control/client.h"
#include "oci/network/handover.h"
#include "oci/sandbox/hooks.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

constexpr int kPatienceMs = 10'000;
constexpr unsigned kPatienceS = 10;

UniqueFd open_process(pid_t pid) {
  return UniqueFd(pid > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1);
}

// False: it lives on.
bool wait_for_end(const UniqueFd& process) {
  if (!process) return true;
  pollfd waiting{process.get(), POLLIN, 0};
  int n;
  while ((n = ::poll(&waiting, 1, kPatienceMs)) < 0 && errno == EINTR) continue;
  return n > 0;
}

void send_kill(const UniqueFd& process) {
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

// Until the container is out of the pod's sandbox, where it ends a moment after who stands for it here.
bool wait_in_sandbox(const StateDir& dir, const ContainerState& state) {
  Expected<ControlClient> client =
      ControlClient::send(dir.sandbox_path(state), {{"op", "wait"}, {"container", state.id}});
  while (client) {
    pollfd waiting{client->fd(), POLLIN, 0};
    const int n = ::poll(&waiting, 1, kPatienceMs);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    const Expected<Answer> answer = client->receive();
    if (!answer || answer->ended) break;  // it is not there (any more)
  }
  return true;
}

// Killed, and gone when this returns.
Expected<void> end(const StateDir& dir, const ContainerState& state) {
  const UniqueFd process = open_process(state.pid);
  if (is_there(state)) {
    if (process) send_kill(process);
    if (!wait_for_end(process)) return fail("container " + state.id + " is still running");
  }
  // Also when its process was dead before: the sandbox may not have noticed yet.
  if (!state.sandbox.empty() && !wait_in_sandbox(dir, state))
    return fail("container " + state.id + " is still running in its sandbox");
  return {};
}

// Of a container that is being made: its command dies, and with it the sandbox that was not recorded yet.
void kill_creator(const ContainerState& state) {
  const UniqueFd process = open_process(state.creator);
  if (!process || !creator_is_alive(state)) return;
  send_kill(process);
  wait_for_end(process);
}

// By the record lock alone: whoever stands for the container, killed and gone.
Expected<void> end_lock_holder(const StateDir& dir, const std::string& id) {
  const pid_t holder = dir.lock_holder();
  const UniqueFd process = open_process(holder);
  // Still the same, so the descriptor is that process's, and not of one that got its number.
  if (!process || dir.lock_holder() != holder) return {};
  send_kill(process);
  if (!wait_for_end(process)) return fail("container " + id + " is still running");
  return {};
}

// Neither state.json nor what it said: what else is known has to do. `dir` is locked.
Expected<void> remove_without_state(const Options& options, StateDir& dir, const std::string& id) {
  OCI_TRY_VOID(end_lock_holder(dir, id));
  ContainerState state;
  state.id = id;
  const Expected<std::string> text = dir.read_spec();
  const Expected<Spec> spec = text ? parse_spec(*text) : std::unexpected(text.error());
  if (spec) {
    state.oci_version = spec->oci_version;
    state.annotations = spec->annotations;
    const Expected<CgroupSet> cgroups = CgroupSet::plan(spec->linux_, id);
    if (cgroups)
      for (const std::string& path : cgroups->paths()) state.cgroups.push_back(path.substr(path.find('/')));
  }
  clear_away(options, dir, state);
  dir.remove();
  return {};
}

Expected<void> may_go(const StateDir& dir, const ContainerState& state) {
  const std::string status = current_status(dir, state);
  const bool half_made = status == "creating" && !creator_is_alive(state);
  if (status == "stopped" || status == "created" || half_made) return {};
  return fail("cannot delete container " + state.id + " that is not stopped: " + status);
}

// `dir` is locked by now: what it says may have changed since it was looked at, and does not from here on.
Expected<void> remove_locked(const Options& options, StateDir& dir, const std::string& id, bool force) {
  const Expected<ContainerState> state = dir.read();
  if (!state)
    return force ? remove_without_state(options, dir, id) : Expected<void>(std::unexpected(state.error()));
  if (!force) OCI_TRY_VOID(may_go(dir, *state));
  OCI_TRY_VOID(end(dir, *state));
  clear_away(options, dir, *state);
  dir.remove();
  return {};
}

Expected<void> forgive(Expected<void> result, bool force) {
  if (!result && force && result.error().text == StateDir::kAbsent) return {};
  return result;
}

}  // namespace

void kill_process(const ContainerState& state) {
  const UniqueFd process = open_process(state.pid);
  if (process && is_alive(state)) send_kill(process);
}

void clear_away(const Options& options, const StateDir& dir, const ContainerState& state) {
  CgroupSet(state.cgroups).remove();
  const Expected<std::string> text = dir.read_spec();
  const Expected<Spec> spec = text ? parse_spec(*text) : std::unexpected(text.error());
  if (!spec) return;
  // Of a pod the sandbox has it, not the containers that joined.
  for (const Namespace& ns : spec->linux_.namespaces)
    if (ns.kind == NamespaceKind::network && !ns.path.empty() && state.sandbox.empty())
      give_network_back(ns.path);
  // The specification: a failure is logged, the rest goes on.
  show_warnings(options, run_all_hooks("poststop", spec->hooks.poststop, state_document(state, "stopped")));
}

Expected<void> remove_container(const Options& options, const std::string& id, bool force) {
  Expected<StateDir> dir = force ? StateDir::open_any(options.root, id) : StateDir::look(options.root, id);
  if (!dir) return forgive(std::unexpected(dir.error()), force);
  const Expected<ContainerState> state = dir->read();
  if (!state && !force) return fail(state.error().text + " (see delete --force)");
  if (state && !force) OCI_TRY_VOID(may_go(*dir, *state));
  if (state && force) {
    if (state->status == "creating") kill_creator(*state);
    // A command that waits for it gives the lock up.
    OCI_TRY_VOID(end(*dir, *state));
  }
  if (!state) OCI_TRY_VOID(end_lock_holder(*dir, id));
  const Expected<void> locked = dir->lock(kPatienceS);
  return forgive(locked ? remove_locked(options, *dir, id, force) : locked, force);
}

bool remove_abandoned(const Options& options, const std::string& id) {
  Expected<StateDir> dir = StateDir::open_any(options.root, id);
  if (!dir) return dir.error().text == StateDir::kAbsent;
  // Who makes it has the lock; so has who takes what is abandoned away, and then it is gone.
  const Expected<bool> locked = dir->try_lock();
  if (!locked) return locked.error().text == StateDir::kAbsent;
  if (!*locked) return false;
  const Expected<ContainerState> state = dir->read();
  const bool taken = state ? state->detached || creator_is_alive(*state) : dir->lock_holder() != 0;
  return !taken && remove_locked(options, *dir, id, true);
}

}  // namespace runsc::oci
