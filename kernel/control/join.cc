// CommandKind::execute: a process joins the running container (runsc exec).
#include <algorithm>

#include "kernel/control/control.h"
#include "kernel/control/spawn.h"
#include "kernel/exit.h"
#include "kvm/hostcall/client.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kMaxBody = 4 << 20;

struct Joining : HeapObject {
  uint32_t command = 0, body_size = 0;
};

Started<void> become_process(Task& task, const Joining& joining) {
  auto body = read_body(joining.command, joining.body_size);
  if (!body) return StartFailure::of(StartFailure::kFailed, "process description: {}", reason(body.error()));
  hostcall::ContainerReader reader(std::span<const std::byte>(body->data(), body->size()));
  auto spec = read_joining_process(reader);
  if (!spec) return StartFailure::of(StartFailure::kFailed, "process description: {}", reason(spec.error()));
  task.fs().set_umask(spec->umask);
  auto program = prepare_process(task, *spec);
  if (!program) return std::unexpected(program.error());
  return execute_process(task, *spec, std::move(*program));
}

void join_entry(void* argument) {
  Unique<Joining> joining(static_cast<Joining*>(argument));
  Task& task = Task::current();
  const uint32_t command = joining->command;
  Started<void> result = become_process(task, *joining);
  joining = nullptr;
  if (result) return answer_command(command, {}, true, task.own_pid());
  const StartFailure failure = result.error();
  refuse_command(command, failure.status, failure.view());
  exit_group(task, static_cast<int32_t>(failure.status << 8));
}

Result<void> join(Container& container, const hostcall::TakeCommand::Reply& command) {
  if (command.process == container.number) return Errno::inval;
  Ref<Namespaces> namespaces = TRY(namespaces_of_init(container));
  auto joining = make<Joining>();
  const fs::Path root = namespaces->mounts().root();
  auto context = make_ref<fs::FsContext>(root, root, 0u);
  if (!joining || !context) return Errno::nomem;
  joining->command = command.id;
  joining->body_size = command.body_size;
  TRY(spawn_process(command.process, Ref<Container>(container), std::move(namespaces), std::move(context),
                    join_entry, joining.get()));
  (void)joining.release();  // the process's now
  return {};
}

}  // namespace

Result<Vec<std::byte>> read_body(uint32_t command, uint32_t size) {
  if (size > kMaxBody) return Errno::inval;
  Vec<std::byte> body;
  TRY(body.reserve(size));
  while (body.size() < size) {
    auto reply = hostcall::call<hostcall::ReadCommand>([&](auto& r) {
      r.id = command;
      r.offset = static_cast<uint32_t>(body.size());
    });
    if (!reply) return reply.error();
    const uint32_t n = (**reply).size;
    if (n == 0 || n > sizeof hostcall::ReadCommand::Reply::bytes || n > size - body.size())
      return Errno::inval;
    // The room is there: nothing allocates, so the reply stays as it is.
    for (uint32_t i = 0; i < n; ++i) (void)body.push_back((**reply).bytes[i]);
  }
  return body;
}

Result<Ref<Namespaces>> namespaces_of_init(Container& container) {
  Ref<Task> init = init_of(container);
  Ref<Namespaces> namespaces = init ? init->namespaces_ref() : Ref<Namespaces>();
  if (!namespaces) return Errno::again;
  if (&namespaces->pid_for_children() == &init->pid_namespace()) return namespaces;
  Namespaces::Parts parts = namespaces->parts();
  parts.pid_for_children = Ref<PidNamespace>(init->pid_namespace());
  return Namespaces::create(std::move(parts));
}

void join_container(Container& container, const hostcall::TakeCommand::Reply& command) {
  auto r = join(container, command);
  if (r) return;
  const bool gone = r.error() == Errno::again || r.error() == Errno::nomem;
  refuse_command(command.id, StartFailure::kFailed,
                 gone && !init_of(container) ? "container not running" : reason(r.error()));
}

}  // namespace runsc::kernel
