// What the host wants of the running sandbox: start the init, add a process, send a signal, ... One kernel
// thread takes the commands (kvm/hostcall/control_calls.h) and answers them.
#pragma once

#include "kernel/control/containers.h"
#include "kernel/control/process_start.h"
#include "kernel/namespaces.h"
#include "kernel/thread_group.h"
#include "kvm/hostcall/calls.h"

namespace runsc::kernel {

// Before the container says that it is ready; it has its root directory. ENOMEM.
Result<void> control_init();
// From the event loop: there are commands.
void control_wake();
// The host announced changes of files that are watched.
void control_changes();

// To a process that the host started; false: it is gone, or there is no such signal.
bool signal_from_host(hostcall::ProcessNumber process, int signal);

// For the init of a container: comes back when the host lets it go on. False: it was killed meanwhile.
bool wait_for_start(Task& init);
// The answer to the command that let it go on; a success that nobody asked for is not told.
void start_succeeded(const Container& container);
void start_failed(const Container& container, const StartFailure& failure);

// ---- Processes that the host started have no parent; who reaps them is told here.
inline constexpr uint32_t kNotOfHost = ~0u;
// It is a zombie and reaped: remembered until the next report_ended_processes().
void process_of_host_ended_locked(ThreadGroup& group) REQUIRES(g_tree_lock);
// Tells the host. No locks held.
void report_ended_processes();

// The parts of control.cc.
void answer_command(uint32_t id, std::string_view text, bool last, int32_t value = 0);
void refuse_command(uint32_t id, uint32_t status, std::string_view text);
// The body of a command. EINVAL, ENOMEM.
Result<Vec<std::byte>> read_body(uint32_t command, uint32_t size);
// The namespaces where the container's init is now; its own PID namespace, not that of its children. EAGAIN:
// it has ended. ENOMEM.
Result<Ref<Namespaces>> namespaces_of_init(Container& container);
// kernel/control/join.cc: CommandKind::execute, answered by the new process itself.
void join_container(Container& container, const hostcall::TakeCommand::Reply& command);
// kernel/control/add_container.cc: CommandKind::create, answered by the new init itself. It shares with
// `first` what is not its own.
void add_container(Container& first, const hostcall::TakeCommand::Reply& command);
// kernel/control/statistics.cc
void update_limits(Container& container, const hostcall::TakeCommand::Reply& command);
void tell_statistics(const Container& container, uint32_t command);
// kernel/control/stacks.cc
void tell_stacks(const Container& container, uint32_t command);
// kernel/control/process_list.cc
void list_processes(const Container& container, uint32_t command);

}  // namespace runsc::kernel
