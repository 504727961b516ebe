// The table of methods, and those that only look.
#include "shim/task/task_service.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "runc_options.pb.h"
#include "shim/base/log.h"
#include "shim/base/wire_time.h"
#include "shim/host/cgroup.h"
#include "shim/host/metrics.h"

namespace runsc::shim {
namespace {

constexpr const char* kServiceName = "containerd.task.v2.Task";
constexpr const char* kVersion = "v2";

template <typename Request, typename Response>
Async<Result<std::string>> serve(TaskService& service,
                                 Async<Result<Response>> (TaskService::*method)(Request),
                                 std::string payload) {
  Request request;
  if (!request.ParseFromString(payload))
    co_return refuse(Code::invalid_argument, "malformed " + request.GetTypeName());
  const Result<Response> response = co_await (service.*method)(std::move(request));
  if (!response) co_return std::unexpected(response.error());
  co_return response->SerializeAsString();
}

template <auto Method>
Async<Result<std::string>> entry(TaskService& service, std::string payload) {
  return serve(service, Method, std::move(payload));
}

struct MethodEntry {
  std::string_view name;
  Async<Result<std::string>> (*serve)(TaskService& service, std::string payload);
};

constexpr MethodEntry kMethods[] = {
    {"State", entry<&TaskService::state>},
    {"Create", entry<&TaskService::create>},
    {"Start", entry<&TaskService::start>},
    {"Delete", entry<&TaskService::remove>},
    {"Pids", entry<&TaskService::pids>},
    {"Pause", entry<&TaskService::pause>},
    {"Resume", entry<&TaskService::resume>},
    {"Checkpoint", entry<&TaskService::checkpoint>},
    {"Kill", entry<&TaskService::kill>},
    {"Exec", entry<&TaskService::exec>},
    {"ResizePty", entry<&TaskService::resize_pty>},
    {"CloseIO", entry<&TaskService::close_io>},
    {"Update", entry<&TaskService::update>},
    {"Wait", entry<&TaskService::wait>},
    {"Stats", entry<&TaskService::stats>},
    {"Connect", entry<&TaskService::connect>},
    {"Shutdown", entry<&TaskService::shutdown>},
};

Async<Result<std::string>> answer_with(Status status) { co_return std::unexpected(std::move(status)); }

}  // namespace

TaskService::TaskService(asio::io_context& loop, Reaper& reaper, EventSink& events, ServiceSettings settings)
    : loop_(loop), reaper_(reaper), events_(events), settings_(std::move(settings)), shutdown_(loop) {}

Async<Result<std::string>> TaskService::call(::ttrpc::Request request) {
  if (request.service() != kServiceName) {
    return answer_with({Code::unimplemented, "no service " + request.service()});
  }
  for (const MethodEntry& method : kMethods) {
    if (method.name != request.method()) continue;
    log_debug("{}", request.method());
    return method.serve(*this, std::move(*request.mutable_payload()));
  }
  return answer_with({Code::unimplemented, "no method " + request.method()});
}

Result<TaskService::ContainerPtr> TaskService::find(const std::string& id) const {
  const auto found = containers_.find(id);
  if (found == containers_.end()) return refuse(Code::not_found, "container " + id + ": not found");
  return found->second;
}

Result<TaskService::ProcessPtr> TaskService::find_process(const Container& container,
                                                          const std::string& exec_id) {
  if (exec_id.empty()) return container.init;
  const auto found = container.execs.find(exec_id);
  if (found == container.execs.end()) return refuse(Code::not_found, "process " + exec_id + ": not found");
  return found->second;
}

Result<TaskService::ContainerPtr> TaskService::find_running(const std::string& id) const {
  Result<ContainerPtr> container = find(id);
  if (container && (*container)->init->phase != Phase::running) {
    return refuse(Code::failed_precondition, "container " + id + " is not running");
  }
  return container;
}

Async<Result<task::StateResponse>> TaskService::state(task::StateRequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<ProcessPtr> found = find_process(**container, request.exec_id());
  if (!found) co_return std::unexpected(found.error());
  const Process& process = **found;
  task::StateResponse response;
  response.set_id(request.id());
  response.set_exec_id(request.exec_id());
  response.set_bundle((*container)->bundle);
  response.set_pid(static_cast<uint32_t>(process.pid));
  response.set_stdin(process.paths.in);
  response.set_stdout(process.paths.out);
  response.set_stderr(process.paths.err);
  response.set_terminal(process.paths.terminal);
  switch (process.phase) {
    case Phase::created:
      response.set_status(::containerd::v1::types::CREATED);
      break;
    case Phase::running:
      response.set_status((*container)->paused ? ::containerd::v1::types::PAUSED
                                               : ::containerd::v1::types::RUNNING);
      break;
    case Phase::stopped:
      response.set_status(::containerd::v1::types::STOPPED);
      response.set_exit_status(process.exit.code());
      *response.mutable_exited_at() = to_wire(process.exit.at);
      break;
  }
  co_return response;
}

Async<Result<task::PidsResponse>> TaskService::pids(task::PidsRequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<std::vector<pid_t>> pids = co_await (*container)->runtime.pids(request.id());
  if (!pids) co_return std::unexpected(pids.error());
  task::PidsResponse response;
  for (const pid_t pid : *pids) {
    ::containerd::v1::types::ProcessInfo& info = *response.add_processes();
    info.set_pid(static_cast<uint32_t>(pid));
    for (const auto& [exec_id, process] : (*container)->execs) {
      if (process->pid != pid || process->phase != Phase::running) continue;
      ::containerd::runc::v1::ProcessDetails details;
      details.set_exec_id(exec_id);
      info.mutable_info()->set_type_url(details.GetTypeName());
      info.mutable_info()->set_value(details.SerializeAsString());
    }
  }
  co_return response;
}

Async<Result<task::WaitResponse>> TaskService::wait(task::WaitRequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<ProcessPtr> process = find_process(**container, request.exec_id());
  if (!process) co_return std::unexpected(process.error());
  co_await (*process)->exited.wait();
  task::WaitResponse response;
  response.set_exit_status((*process)->exit.code());
  *response.mutable_exited_at() = to_wire((*process)->exit.at);
  co_return response;
}

Async<Result<task::StatsResponse>> TaskService::stats(task::StatsRequest request) {
  const Result<ContainerPtr> container = find(request.id());
  if (!container) co_return std::unexpected(container.error());
  const Result<std::string> text = co_await (*container)->runtime.stats(request.id());
  if (!text) co_return std::unexpected(text.error());
  oci::Expected<wire::Any> metrics =
      to_metrics(*text, is_cgroup2_host() ? CgroupVersion::two : CgroupVersion::one);
  if (!metrics) co_return refuse(Code::internal, metrics.error().text);
  task::StatsResponse response;
  *response.mutable_stats() = std::move(*metrics);
  co_return response;
}

Async<Result<task::ConnectResponse>> TaskService::connect(task::ConnectRequest request) {
  task::ConnectResponse response;
  response.set_shim_pid(static_cast<uint32_t>(::getpid()));
  response.set_version(kVersion);
  if (const Result<ContainerPtr> container = find(request.id())) {
    response.set_task_pid(static_cast<uint32_t>((*container)->init->pid));
  }
  co_return response;
}

Async<Result<wire::Empty>> TaskService::shutdown(task::ShutdownRequest request) {
  if (containers_.empty() && creating_.empty()) {
    log_debug("shutdown asked for by {}", request.id());
    shutdown_.set();
  }
  co_return wire::Empty();
}

}  // namespace runsc::shim
