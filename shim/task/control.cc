// What is done to processes that are there: exec, kill, pause, resume, update, terminals, input.
#include <csignal>

#include "events.pb.h"
#include "shim/base/log.h"
#include "shim/task/task_service.h"

namespace runsc::shim {
namespace {

namespace events = ::containerd::events;

}  // namespace

Async<Result<wire::Empty>> TaskService::exec(task::ExecProcessRequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  if (!is_valid_id(request.exec_id()))
    co_return refuse(Code::invalid_argument, "not a name: " + request.exec_id());
  if ((*container)->execs.contains(request.exec_id())) {
    co_return refuse(Code::already_exists, "process " + request.exec_id() + " already exists");
  }
  if ((*container)->init->phase == Phase::stopped) {
    co_return refuse(Code::failed_precondition, "container " + request.id() + " is not running");
  }
  auto process = std::make_shared<Process>(loop_);
  process->exec_id = request.exec_id();
  process->spec = request.spec().value();
  process->paths.in = request.stdin();
  process->paths.out = request.stdout();
  process->paths.err = request.stderr();
  process->paths.terminal = request.terminal();
  (*container)->execs[request.exec_id()] = std::move(process);

  events::TaskExecAdded added;
  added.set_container_id(request.id());
  added.set_exec_id(request.exec_id());
  events_.publish("/tasks/exec-added", added);
  co_return wire::Empty();
}

Async<Result<wire::Empty>> TaskService::kill(task::KillRequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<ProcessPtr> process = find_process(**container, request.exec_id());
  if (!process) co_return std::unexpected(process.error());
  const uint32_t signal = request.signal();
  if (signal == 0 || signal > static_cast<uint32_t>(SIGRTMAX)) {
    co_return refuse(Code::invalid_argument, "no signal " + std::to_string(signal));
  }
  if ((*process)->phase == Phase::stopped || (*process)->is_gone()) {
    co_return refuse(Code::not_found, "process already finished");
  }
  if (request.exec_id().empty()) {
    const Result<void> done = co_await (*container)->runtime.kill(request.id(), signal, request.all());
    if (!done) co_return std::unexpected(done.error());
    co_return wire::Empty();
  }
  if ((*process)->pid == 0) co_return refuse(Code::failed_precondition, "process has not been started");
  if (::kill((*process)->pid, static_cast<int>(signal)) != 0) {
    co_return refuse(errno == ESRCH ? Code::not_found : Code::unknown, oci::with_errno("kill", errno));
  }
  co_return wire::Empty();
}

Async<Result<wire::Empty>> TaskService::pause(task::PauseRequest request) {
  const Result<ContainerPtr> container = find_running(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<void> done = co_await (*container)->runtime.pause(request.id());
  if (!done) co_return std::unexpected(done.error());
  (*container)->paused = true;
  events::TaskPaused paused;
  paused.set_container_id(request.id());
  events_.publish("/tasks/paused", paused);
  co_return wire::Empty();
}

Async<Result<wire::Empty>> TaskService::resume(task::ResumeRequest request) {
  const Result<ContainerPtr> container = find_running(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<void> done = co_await (*container)->runtime.resume(request.id());
  if (!done) co_return std::unexpected(done.error());
  (*container)->paused = false;
  events::TaskResumed resumed;
  resumed.set_container_id(request.id());
  events_.publish("/tasks/resumed", resumed);
  co_return wire::Empty();
}

Async<Result<wire::Empty>> TaskService::checkpoint(task::CheckpointTaskRequest request) {
  co_return refuse(Code::unimplemented, "container " + request.id() + ": this runtime cannot checkpoint yet");
}

Async<Result<wire::Empty>> TaskService::resize_pty(task::ResizePtyRequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<ProcessPtr> process = find_process(**container, request.exec_id());
  if (!process) co_return std::unexpected(process.error());
  // Clients resize when they please, also before there is a terminal or when there will be none.
  if (!(*process)->paths.terminal || !(*process)->io) co_return wire::Empty();
  const oci::Expected<void> done = (*process)->io->resize(request.width(), request.height());
  if (!done) log_debug("resize: {}", done.error().text);
  co_return wire::Empty();
}

Async<Result<wire::Empty>> TaskService::close_io(task::CloseIORequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<ProcessPtr> process = find_process(**container, request.exec_id());
  if (!process) co_return std::unexpected(process.error());
  if (request.stdin()) {
    (*process)->stdin_closed = true;
    if ((*process)->io) (*process)->io->close_stdin();
  }
  co_return wire::Empty();
}

Async<Result<wire::Empty>> TaskService::update(task::UpdateTaskRequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<void> done = co_await (*container)->runtime.update(request.id(), request.resources().value());
  if (!done) co_return std::unexpected(done.error());
  co_return wire::Empty();
}

}  // namespace runsc::shim
