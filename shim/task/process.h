// Host only. A container and its processes, as the Task service knows them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "shim/base/async.h"
#include "shim/base/reaper.h"
#include "shim/host/oom.h"
#include "shim/host/sandbox_events.h"
#include "shim/io/process_io.h"
#include "shim/runtime/runtime.h"

namespace runsc::shim {

enum class Phase { created, running, stopped };

struct Process {
  explicit Process(asio::io_context& loop) : changing(loop), exited(loop) {}

  // Whether the kernel has reaped it already: its pid may be another's by now.
  bool is_gone() const { return watch && watch->done.is_set(); }

  std::string exec_id;  // empty: the container's first process
  std::string spec;     // of an exec'ed process: OCI process, JSON
  StdioPaths paths;
  pid_t pid = 0;
  Phase phase = Phase::created;
  bool stdin_closed = false;  // CloseIO was called, maybe before there were streams
  Exit exit;                  // once stopped
  std::unique_ptr<ProcessIo> io;
  std::shared_ptr<Reaper::Watch> watch;
  AsyncMutex changing;  // held by Start, and to turn to stopped: an exit is told after the start
  Event exited;         // phase is stopped, the event is published
};

struct Container {
  Container(asio::io_context& loop, Runtime made)
      : runtime(std::move(made)), init(std::make_shared<Process>(loop)), deleting(loop) {}

  std::string id;
  std::string bundle;
  std::string rootfs;  // where something is mounted; empty: nothing is
  bool paused = false;
  Runtime runtime;
  std::shared_ptr<Process> init;
  std::map<std::string, std::shared_ptr<Process>> execs;
  std::shared_ptr<OomWatch> oom;          // the host kills
  std::shared_ptr<SandboxEvents> events;  // the sandbox kills
  AsyncMutex deleting;
};

}  // namespace runsc::shim
