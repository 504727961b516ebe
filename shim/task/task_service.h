// Host only. The Task service: what containerd asks of the shim of a container or of a pod.
#pragma once

#include <map>
#include <set>
#include <string>

#include "shim/base/status.h"
#include "shim/task/process.h"
#include "shim/ttrpc/publisher.h"
#include "task.pb.h"
#include "ttrpc.pb.h"

namespace runsc::shim {

namespace task = ::containerd::task::v2;

struct ServiceSettings {
  std::string name_space;
  std::string console_prefix;  // see IoContext
};

class TaskService {
 public:
  // All must outlive the loop's run().
  TaskService(asio::io_context& loop, Reaper& reaper, EventSink& events, ServiceSettings settings);

  // The handler of the server. Refuses other services and unknown methods.
  Async<Result<std::string>> call(::ttrpc::Request request);
  // Set once Shutdown was asked for while there was no container.
  const Event& shutdown_requested() const { return shutdown_; }

  Async<Result<task::StateResponse>> state(task::StateRequest request);
  Async<Result<task::CreateTaskResponse>> create(task::CreateTaskRequest request);
  Async<Result<task::StartResponse>> start(task::StartRequest request);
  Async<Result<task::DeleteResponse>> remove(task::DeleteRequest request);
  Async<Result<task::PidsResponse>> pids(task::PidsRequest request);
  Async<Result<wire::Empty>> pause(task::PauseRequest request);
  Async<Result<wire::Empty>> resume(task::ResumeRequest request);
  Async<Result<wire::Empty>> checkpoint(task::CheckpointTaskRequest request);
  Async<Result<wire::Empty>> kill(task::KillRequest request);
  Async<Result<wire::Empty>> exec(task::ExecProcessRequest request);
  Async<Result<wire::Empty>> resize_pty(task::ResizePtyRequest request);
  Async<Result<wire::Empty>> close_io(task::CloseIORequest request);
  Async<Result<wire::Empty>> update(task::UpdateTaskRequest request);
  Async<Result<task::WaitResponse>> wait(task::WaitRequest request);
  Async<Result<task::StatsResponse>> stats(task::StatsRequest request);
  Async<Result<task::ConnectResponse>> connect(task::ConnectRequest request);
  Async<Result<wire::Empty>> shutdown(task::ShutdownRequest request);

 private:
  using ContainerPtr = std::shared_ptr<Container>;
  using ProcessPtr = std::shared_ptr<Process>;

  Result<ContainerPtr> find(const std::string& id) const;
  static Result<ProcessPtr> find_process(const Container& container, const std::string& exec_id);
  // A container whose first process runs, paused or not.
  Result<ContainerPtr> find_running(const std::string& id) const;

  // create() in parts: files and mounts; streams and the runtime's command.
  Result<ContainerPtr> prepare(const task::CreateTaskRequest& request);
  Async<Result<void>> launch(ContainerPtr container);
  Async<Result<void>> open_io(ContainerPtr container, ProcessPtr process);
  Async<Result<void>> start_init(ContainerPtr container);
  Async<Result<void>> start_exec(ContainerPtr container, ProcessPtr process);
  // A process that will not run any more.
  static void end_unstarted(Process& process);
  Async<Result<void>> remove_container(ContainerPtr container);
  static void discard(Container& container);

  // Until the process has ended and that is published.
  Async<void> follow(ContainerPtr container, ProcessPtr process);
  Async<void> wait_for_execs(ContainerPtr container);
  void watch_memory(const ContainerPtr& container);

  asio::io_context& loop_;
  Reaper& reaper_;
  EventSink& events_;
  ServiceSettings settings_;
  std::map<std::string, ContainerPtr> containers_;
  std::set<std::string> creating_;
  Event shutdown_;
};

}  // namespace runsc::shim
