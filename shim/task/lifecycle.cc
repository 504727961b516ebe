// From Create to Delete: how containers and processes come, run and go.
#include <sys/stat.h>

#include <algorithm>

#include "events.pb.h"
#include "shim/base/log.h"
#include "shim/base/wire_time.h"
#include "shim/host/mounts.h"
#include "shim/task/task_service.h"

namespace runsc::shim {
namespace {

namespace events = ::containerd::events;

constexpr std::chrono::seconds kExecLimit{3};
constexpr std::chrono::seconds kEndLimit{10};

bool is_folder_name(const std::string& path) {
  return !path.empty() && path.front() == '/' && path.find('\0') == std::string::npos;
}

std::vector<MountSpec> mounts_of(const task::CreateTaskRequest& request) {
  std::vector<MountSpec> mounts;
  for (const ::containerd::types::Mount& mount : request.rootfs()) {
    mounts.push_back(
        {mount.type(), mount.source(), mount.target(), {mount.options().begin(), mount.options().end()}});
  }
  return mounts;
}

events::TaskCreate create_event(const task::CreateTaskRequest& request, pid_t pid) {
  events::TaskCreate event;
  event.set_container_id(request.id());
  event.set_bundle(request.bundle());
  *event.mutable_rootfs() = request.rootfs();
  event.mutable_io()->set_stdin(request.stdin());
  event.mutable_io()->set_stdout(request.stdout());
  event.mutable_io()->set_stderr(request.stderr());
  event.mutable_io()->set_terminal(request.terminal());
  event.set_pid(static_cast<uint32_t>(pid));
  return event;
}

// A name that is taken until the scope ends.
class Reservation {
 public:
  Reservation(std::set<std::string>& names, std::string name) : names_(names), name_(std::move(name)) {
    names_.insert(name_);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() { names_.erase(name_); }

 private:
  std::set<std::string>& names_;
  std::string name_;
};

}  // namespace

Async<Result<task::CreateTaskResponse>> TaskService::create(task::CreateTaskRequest request) {
  if (!is_valid_id(request.id())) co_return refuse(Code::invalid_argument, "not a name: " + request.id());
  if (!is_folder_name(request.bundle()))
    co_return refuse(Code::invalid_argument, "bundle: not an absolute path");
  // Its socket is gone already: whoever comes now has asked for the address before.
  if (shutdown_.is_set()) co_return refuse(Code::unavailable, "the shim is on its way out");
  if (!request.checkpoint().empty()) co_return refuse(Code::unimplemented, "this runtime cannot restore yet");
  if (containers_.contains(request.id()) || creating_.contains(request.id())) {
    co_return refuse(Code::already_exists, "container " + request.id() + " already exists");
  }
  const Reservation reservation(creating_, request.id());
  Result<ContainerPtr> container = prepare(request);
  if (!container) co_return std::unexpected(container.error());
  const Result<void> launched = co_await launch(*container);
  if (!launched) {
    discard(**container);
    co_return std::unexpected(launched.error());
  }
  containers_[request.id()] = *container;
  const pid_t pid = (*container)->init->pid;
  log_info("created {} as process {}", request.id(), pid);
  events_.publish("/tasks/create", create_event(request, pid));
  detach(loop_, "exit", follow(*container, (*container)->init));
  watch_memory(*container);
  task::CreateTaskResponse response;
  response.set_pid(static_cast<uint32_t>(pid));
  co_return response;
}

Result<TaskService::ContainerPtr> TaskService::prepare(const task::CreateTaskRequest& request) {
  const auto refused = [](const oci::Error& error) { return refuse(Code::unknown, error.text); };
  const oci::Expected<Annotations> annotations = read_annotations(request.bundle());
  if (!annotations) return refused(annotations.error());
  oci::Expected<RuntimeOptions> options = read_options(request.options(), *annotations);
  if (!options) return refuse(Code::invalid_argument, options.error().text);
  options->root += "/" + settings_.name_space;
  if (const auto saved = save_options(*options, request.bundle()); !saved) return refused(saved.error());

  auto container =
      std::make_shared<Container>(loop_, Runtime(reaper_, std::move(*options), request.bundle()));
  container->id = request.id();
  container->bundle = request.bundle();
  StdioPaths& paths = container->init->paths;
  paths.in = request.stdin();
  paths.out = request.stdout();
  paths.err = request.stderr();
  paths.terminal = request.terminal();
  if (request.rootfs().empty()) return container;

  const std::string rootfs = request.bundle() + "/rootfs";
  if (::mkdir(rootfs.c_str(), 0711) != 0 && errno != EEXIST) {
    return refuse(Code::unknown, oci::with_errno(rootfs, errno));
  }
  if (const auto mounted = mount_all(mounts_of(request), rootfs); !mounted) return refused(mounted.error());
  container->rootfs = rootfs;
  return container;
}

Async<Result<void>> TaskService::open_io(ContainerPtr container, ProcessPtr process) {
  const RuntimeOptions& options = container->runtime.options();
  IoContext context{
      loop_,          reaper_,       settings_.name_space, container->id, settings_.console_prefix,
      options.io_uid, options.io_gid};
  oci::Expected<std::unique_ptr<ProcessIo>> io = co_await ProcessIo::open(std::move(context), process->paths);
  if (!io) co_return refuse(Code::unknown, io.error().text);
  process->io = std::move(*io);
  if (process->stdin_closed) process->io->close_stdin();
  co_return Result<void>();
}

Async<Result<void>> TaskService::launch(ContainerPtr container) {
  const ProcessPtr init = container->init;
  const Result<void> opened = co_await open_io(container, init);
  if (!opened) co_return std::unexpected(opened.error());
  const Reaper::Expectation expectation(reaper_);
  const Result<pid_t> pid = co_await container->runtime.create(container->id, init->io->streams());
  if (!pid) co_return std::unexpected(pid.error());
  init->pid = *pid;
  init->watch = reaper_.watch_orphan(*pid);
  const oci::Expected<void> started = init->io->started();
  if (started) co_return Result<void>();
  const Result<void> removed = co_await container->runtime.remove(container->id, true);
  if (!removed) log_warning("{}: {}", container->id, removed.error().message);
  co_return refuse(Code::unknown, started.error().text);
}

void TaskService::discard(Container& container) {
  if (container.oom) container.oom->stop();
  if (container.events) container.events->stop();
  for (const auto& [exec_id, process] : container.execs) {
    if (process->io) process->io->close();
  }
  if (container.init->io) container.init->io->close();
  if (!container.rootfs.empty()) unmount_all(container.rootfs);
}

void TaskService::watch_memory(const ContainerPtr& container) {
  const auto tell = [this, id = container->id] {
    log_info("{} ran out of memory", id);
    events::TaskOOM event;
    event.set_container_id(id);
    events_.publish("/tasks/oom", event);
  };
  auto told = SandboxEvents::start(loop_, container->runtime.options().root, container->id, tell);
  if (told) {
    container->events = std::move(*told);
  } else {
    log_debug("{}: events: {}", container->id, told.error().text);
  }
  oci::Expected<std::shared_ptr<OomWatch>> watch = OomWatch::start(loop_, container->init->pid, tell);
  if (watch) {
    container->oom = std::move(*watch);
  } else {
    log_debug("{}: memory events: {}", container->id, watch.error().text);
  }
}

Async<Result<task::StartResponse>> TaskService::start(task::StartRequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<ProcessPtr> process = find_process(**container, request.exec_id());
  if (!process) co_return std::unexpected(process.error());
  // Until the event is on its way: an exit in the meantime is told after it.
  const AsyncMutex::Guard guard = co_await (*process)->changing.lock();
  if ((*process)->phase != Phase::created) {
    co_return refuse(Code::failed_precondition, "process has been started already");
  }
  Result<void> done;
  if (request.exec_id().empty()) {
    done = co_await start_init(*container);
  } else {
    done = co_await start_exec(*container, *process);
    // Who waits for it already must not wait for ever.
    if (!done) end_unstarted(**process);
  }
  if (!done) co_return std::unexpected(done.error());
  task::StartResponse response;
  response.set_pid(static_cast<uint32_t>((*process)->pid));
  co_return response;
}

void TaskService::end_unstarted(Process& process) {
  constexpr int kNeverRan = 255;
  process.exit = {kNeverRan << 8, std::chrono::system_clock::now()};
  process.phase = Phase::stopped;
  process.exited.set();
}

Async<Result<void>> TaskService::start_init(ContainerPtr container) {
  const Result<void> done = co_await container->runtime.start(container->id);
  if (!done) co_return std::unexpected(done.error());
  container->init->phase = Phase::running;
  events::TaskStart event;
  event.set_container_id(container->id);
  event.set_pid(static_cast<uint32_t>(container->init->pid));
  events_.publish("/tasks/start", event);
  co_return Result<void>();
}

Async<Result<void>> TaskService::start_exec(ContainerPtr container, ProcessPtr process) {
  const Result<void> opened = co_await open_io(container, process);
  if (!opened) co_return std::unexpected(opened.error());
  const Reaper::Expectation expectation(reaper_);
  const Result<pid_t> pid =
      co_await container->runtime.exec(container->id, process->spec, process->io->streams());
  if (!pid) {
    process->io.reset();
    co_return std::unexpected(pid.error());
  }
  process->pid = *pid;
  process->watch = reaper_.watch_orphan(*pid);
  process->phase = Phase::running;
  if (const oci::Expected<void> started = process->io->started(); !started) {
    log_error("{}: {}", process->exec_id, started.error().text);
    if (!process->is_gone()) ::kill(*pid, SIGKILL);
  }
  events::TaskExecStarted event;
  event.set_container_id(container->id);
  event.set_exec_id(process->exec_id);
  event.set_pid(static_cast<uint32_t>(*pid));
  events_.publish("/tasks/exec-started", event);
  detach(loop_, "exit", follow(std::move(container), std::move(process)));
  co_return Result<void>();
}

Async<void> TaskService::follow(ContainerPtr container, ProcessPtr process) {
  co_await process->watch->done.wait();
  // A start that is under way is told first.
  const AsyncMutex::Guard guard = co_await process->changing.lock();
  co_await process->io->drain();
  if (process == container->init) co_await wait_for_execs(container);
  if (container->events) container->events->catch_up();
  process->exit = process->watch->exit;
  process->phase = Phase::stopped;
  log_info("{} {} ended with {}", container->id, process->exec_id, process->exit.code());
  events::TaskExit event;
  event.set_container_id(container->id);
  event.set_id(process->exec_id.empty() ? container->id : process->exec_id);
  event.set_pid(static_cast<uint32_t>(process->pid));
  event.set_exit_status(process->exit.code());
  *event.mutable_exited_at() = to_wire(process->exit.at);
  events_.publish("/tasks/exit", event);
  process->exited.set();
}

// With the first process the others die; their ends are told before its own.
Async<void> TaskService::wait_for_execs(ContainerPtr container) {
  const auto limit = std::chrono::steady_clock::now() + kExecLimit;
  const std::map<std::string, ProcessPtr> execs = container->execs;
  for (const auto& [exec_id, process] : execs) {
    if (process->phase != Phase::running) continue;
    co_await process->exited.wait_for(limit - std::chrono::steady_clock::now());
  }
}

Async<Result<task::DeleteResponse>> TaskService::remove(task::DeleteRequest request) {
  Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  // One at a time: the second finds what the first has left.
  const AsyncMutex::Guard guard = co_await (*container)->deleting.lock();
  container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<ProcessPtr> process = find_process(**container, request.exec_id());
  if (!process) co_return std::unexpected(process.error());
  // A start that is under way comes first.
  { const AsyncMutex::Guard started = co_await (*process)->changing.lock(); }
  if ((*process)->phase == Phase::running) {
    co_return refuse(Code::failed_precondition, "process must be stopped before it can be deleted");
  }
  if (request.exec_id().empty()) {
    const Result<void> removed = co_await remove_container(*container);
    if (!removed) co_return std::unexpected(removed.error());
  } else {
    if ((*process)->io) (*process)->io->close();
    if ((*process)->phase == Phase::created) end_unstarted(**process);
    (*container)->execs.erase(request.exec_id());
  }
  task::DeleteResponse response;
  response.set_pid(static_cast<uint32_t>((*process)->pid));
  response.set_exit_status((*process)->exit.code());
  if ((*process)->phase == Phase::stopped) *response.mutable_exited_at() = to_wire((*process)->exit.at);
  co_return response;
}

Async<Result<void>> TaskService::remove_container(ContainerPtr container) {
  const ProcessPtr init = container->init;
  const bool never_started = init->phase == Phase::created;
  const Result<void> removed = co_await container->runtime.remove(container->id, never_started);
  if (!removed) co_return std::unexpected(removed.error());
  if (never_started) co_await init->exited.wait_for(kEndLimit);
  for (const auto& [exec_id, process] : container->execs)
    if (process->phase == Phase::created) end_unstarted(*process);
  discard(*container);
  containers_.erase(container->id);
  events::TaskDelete event;
  event.set_container_id(container->id);
  event.set_pid(static_cast<uint32_t>(init->pid));
  event.set_exit_status(init->exit.code());
  *event.mutable_exited_at() = to_wire(init->exit.at);
  events_.publish("/tasks/delete", event);
  co_return Result<void>();
}

}  // namespace runsc::shim
