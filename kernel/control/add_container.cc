// CommandKind::create: a further container (runsc create, in a pod).
#include "kernel/control/container_setup.h"
#include "kernel/control/containers.h"
#include "kernel/control/control.h"
#include "kernel/control/spawn.h"
#include "kernel/exit.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

namespace {

struct Adding : HeapObject {
  uint32_t command = 0, body_size = 0;
};

[[noreturn]] void give_up(Task& task, uint32_t command, const StartFailure& failure) {
  refuse_command(command, failure.status, failure.view());
  exit_group(task, static_cast<int32_t>(failure.status << 8));
}

Started<Prepared> set_up(Task& task, const Adding& adding) {
  auto body = read_body(adding.command, adding.body_size);
  if (!body)
    return StartFailure::of(StartFailure::kFailed, "container description: {}", reason(body.error()));
  return set_up_container(task, std::span<const std::byte>(body->data(), body->size()));
}

void container_entry(void* argument) {
  Unique<Adding> adding(static_cast<Adding*>(argument));
  Task& task = Task::current();
  const Container& container = *task.group().container;
  const uint32_t command = adding->command;
  auto prepared = set_up(task, *adding);
  adding = nullptr;
  if (!prepared) {
    const StartFailure failure = prepared.error();
    give_up(task, command, failure);
  }
  answer_command(command, {}, true, task.own_pid());
  if (!wait_for_start(task)) {
    prepared = Prepared{};
    exit_group(task, task.group().exit_code ? task.group().exit_code : death_status(abi::sig::kill));
  }
  auto executed = execute_process(task, prepared->spec.process, std::move(prepared->program));
  if (executed) return start_succeeded(container);
  const StartFailure failure = executed.error();
  prepared = Prepared{};
  start_failed(container, failure);
  exit_group(task, static_cast<int32_t>(failure.status << 8));
}

Result<void> add(Container& first, const hostcall::TakeCommand::Reply& command) {
  Ref<Namespaces> pod = TRY(namespaces_of_init(first));
  Namespaces::Parts parts = pod->parts();
  if (command.flags & hostcall::kOwnPid)
    parts.pid_for_children = TRY(PidNamespace::create(parts.pid_for_children.get(), {}));
  if (command.flags & hostcall::kOwnIpc) parts.ipc = TRY(IpcNamespace::create());
  if (command.flags & hostcall::kOwnUts) parts.uts = TRY(parts.uts->clone());
  // Until it has mounts of its own it stands where the pod does.
  const fs::Path root = parts.mounts->root();
  auto context = make_ref<fs::FsContext>(root, root, 0u);
  auto adding = make<Adding>();
  if (!adding || !context) return Errno::nomem;
  adding->command = command.id;
  adding->body_size = command.body_size;
  TRY(spawn_process(command.process, TRY(Container::create(command.process)),
                    TRY(Namespaces::create(std::move(parts))), std::move(context), container_entry,
                    adding.get()));
  (void)adding.release();  // the process's now
  return {};
}

}  // namespace

void add_container(Container& first, const hostcall::TakeCommand::Reply& command) {
  const bool fresh = first.is_first() && !find_container(command.process);
  auto r = fresh ? add(first, command) : Result<void>(Errno::inval);
  if (!r) refuse_command(command.id, StartFailure::kFailed, reason(r.error()));
}

}  // namespace runsc::kernel
