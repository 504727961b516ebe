#include "oci/sandbox/pod.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "kvm/hostcall/control_calls.h"
#include "oci/control/protocol.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/accompany.h"
#include "oci/sandbox/container_bytes.h"
#include "oci/sandbox/home.h"
#include "oci/sandbox/lifeline.h"
#include "oci/sandbox/report.h"
#include "oci/sandbox/state_dir.h"
#include "oci/sandbox/stdio.h"
#include "oci/sandbox/terminal.h"

namespace runsc::oci {
namespace {

struct Annotations {
  const char* type;
  const char* sandbox;
};
constexpr Annotations kEngines[] = {
    {"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"},
    {"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"},
};

// What it does not share with the pod: where config.json asks for a namespace without saying whose.
uint32_t own_namespaces(const Spec& spec) {
  uint32_t flags = 0;
  for (const Namespace& ns : spec.linux_.namespaces) {
    if (!ns.path.empty()) continue;
    if (ns.kind == NamespaceKind::pid) flags |= hostcall::kOwnPid;
    if (ns.kind == NamespaceKind::ipc) flags |= hostcall::kOwnIpc;
    if (ns.kind == NamespaceKind::uts) flags |= hostcall::kOwnUts;
  }
  return flags;
}

// What the container gets on the host, and its description.
struct Donation {
  std::vector<UniqueFd> fds;  // the description first
  uint32_t flags = 0;
};

Expected<std::vector<UniqueFd>> take_streams(int terminal) {
  std::vector<UniqueFd> streams;
  if (terminal >= 0) {
    streams.push_back(OCI_TRY(take_stream(terminal)));
    return streams;
  }
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) streams.push_back(OCI_TRY(take_stream(fd)));
  return streams;
}

Expected<Donation> donate(const MemberRequest& request) {
  Spec spec = request.spec;
  Donation donation;
  donation.flags = own_namespaces(spec);
  const ContainerPlan plan = OCI_TRY(plan_container(spec));
  if (plan.sources.size() + request.preserved.fds.size() + 4 > kMaxControlFds - 1)
    return fail("config.json: mounts: too many bind mounts for a container of a pod");
  const UniqueFd state(::open(request.state_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!state) return fail_errno(request.state_directory);
  std::vector<UniqueFd> streams = OCI_TRY(take_streams(request.terminal));
  for (const int fd : request.preserved.fds) streams.push_back(OCI_TRY(take_stream(fd)));
  // A mount namespace of this process: what it opens there stays as it is, whatever happens to the paths.
  OCI_TRY_VOID(HostTree::make_namespace());
  if (request.create_hooks) {
    report_namespaces(request.report.get());
    if (read_lifeline(request.lifeline.get()) != LifelineNews::go_on) return fail("the launcher is gone");
  }
  HostTree tree = OCI_TRY(HostTree::build(plan.sources, state.get()));
  add_home(*spec.process, tree.opened()[0].get());
  StartForm form;
  form.terminal = spec.process->console_size.value_or(WindowSize{});
  if (request.terminal >= 0) form.terminal = window_size(request.terminal).value_or(form.terminal);
  form.wait_for_start = true;
  form.preserved = static_cast<uint32_t>(request.preserved.fds.size());
  if (request.preserved.listening != 0)
    for (const std::string& entry : listening_environment(request.preserved.listening))
      spec.process->env.push_back(entry);
  form.keep_host_name = (donation.flags & hostcall::kOwnUts) == 0;
  const std::string description = container_description(spec, plan, form);
  donation.fds.push_back(OCI_TRY(memory_file("container", description)));
  for (std::vector<UniqueFd>* part : {&tree.opened(), &streams})
    for (UniqueFd& fd : *part) donation.fds.push_back(std::move(fd));
  return donation;
}

// Created when this returns.
Expected<ControlClient> create(const MemberRequest& request, const Donation& donation) {
  std::vector<int> fds;
  for (const UniqueFd& fd : donation.fds) fds.push_back(fd.get());
  ControlClient client = OCI_TRY(ControlClient::send(
      request.sandbox_directory,
      {{"op", "create"}, {"container", request.id}, {"pid", ::getpid()}, {"flags", donation.flags}}, fds));
  OCI_TRY(client.receive());
  return client;
}

Expected<int> stand(const MemberRequest& request, pid_t launcher) {
  // Nothing of the command's own stays open: its locks end with it.
  std::vector<int> kept = {request.report.get(), request.lifeline.get(), request.process_lock.get()};
  if (request.terminal >= 0) kept.push_back(request.terminal);
  for (const UniqueFd& door : request.cgroups) kept.push_back(door.get());
  kept.insert(kept.end(), request.preserved.fds.begin(), request.preserved.fds.end());
  close_all_but(std::move(kept));
  ::signal(SIGPIPE, SIG_IGN);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail_errno("PR_SET_PDEATHSIG");
  if (::getppid() != launcher) return fail("the launcher is gone");
  if (!take_process_lock(request.process_lock.get())) return fail_errno("the lock of the container");
  ::prctl(PR_SET_NAME, "runsc-container");
  ::setsid();
  if (request.console && ::ioctl(request.terminal, TIOCSCTTY, 0) != 0) return fail_errno("TIOCSCTTY");
  for (const UniqueFd& door : request.cgroups)
    if (::write(door.get(), "0", 1) < 0) return fail_errno("cgroup.procs");
  if (::chdir(request.bundle.c_str()) != 0) return fail_errno(request.bundle);
  const UniqueFd signals = OCI_TRY(take_catchable_signals());
  Donation donation = OCI_TRY(donate(request));
  ControlClient client = OCI_TRY(create(request, donation));
  donation.fds.clear();
  for (const int fd : request.preserved.fds) ::close(fd);
  close_standard_streams();
  // The lifeline does it from here on: its end cannot be missed.
  if (request.detached && ::prctl(PR_SET_PDEATHSIG, 0) != 0) return fail_errno("PR_SET_PDEATHSIG");
  report_ready(request.report.get());
  return accompany(client, signals.get(), request.terminal, request.lifeline.get());
}

}  // namespace

Expected<std::optional<std::string>> pod_of(const Spec& spec) {
  for (const Annotations& engine : kEngines) {
    const auto type = spec.annotations.find(engine.type);
    if (type == spec.annotations.end() || type->second != "container") continue;
    const auto sandbox = spec.annotations.find(engine.sandbox);
    const std::string field = std::string("config.json: annotations[\"") + engine.sandbox + "\"]";
    if (sandbox == spec.annotations.end())
      return fail(field + ": is missing, but the container is of a pod by " + engine.type);
    if (const auto good = StateDir::check_id(sandbox->second); !good)
      return fail(field + ": " + good.error().text);
    return sandbox->second;
  }
  return std::nullopt;
}

Expected<pid_t> start_member(MemberRequest request) {
  const pid_t launcher = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("fork", kExitSandbox);
  if (child != 0) return child;
  const Expected<int> status = stand(request, launcher);
  const int report = request.report.get();
  if (!status) {
    report_error(report, status.error());
    ::_exit(status.error().exit_status);
  }
  report_wait_status(report, *status);
  ::_exit(exit_status_of(*status));
}

}  // namespace runsc::oci
