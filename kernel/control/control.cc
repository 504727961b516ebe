#include "kernel/control/control.h"

#include <algorithm>

#include "kernel/base/log.h"
#include "kernel/clone.h"
#include "kernel/control/freezer.h"
#include "kernel/exit.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/signal/signal.h"
#include "kernel/stdio/host_stream.h"
#include "kvm/hostcall/client.h"

namespace runsc::kernel {

namespace {

using hostcall::CommandKind;

constinit std::atomic<bool> g_commands{false};
// The command that starts the init: 0 before it came.
constinit std::atomic<uint32_t> g_start{0};

struct Queues : HeapObject {
  WaitQueue commands, start;
};
constinit Queues* g_queues = nullptr;

constinit SpinLock g_ended_lock{LockRank::leaf};
constinit ThreadGroup* g_ended GUARDED_BY(g_ended_lock) = nullptr;  // a count of each is held

Ref<ThreadGroup> find_process(uint32_t number) {
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (g.host_number == number) return Ref<ThreadGroup>(g);
  return {};
}

// From a process outside: sent by number 0 of user 0.
abi::SigInfo signal_info(int number) {
  const bool forced = number == abi::sig::kill || number == abi::sig::stop;
  return {number, forced ? abi::sig_code::kernel : abi::sig_code::user};
}

void signal_all(int number) {
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (!g.zombie) (void)queue_signal_tree_locked(g, nullptr, signal_info(number), Origin::outside);
}

void send_signal(const hostcall::TakeCommand::Reply& c) {
  const auto number = static_cast<int>(c.value);
  if (!signal_valid(number)) return refuse_command(c.id, StartFailure::kFailed, "no such signal");
  if (c.flags & hostcall::kSignalAll)
    signal_all(number);
  else if (!signal_from_host(c.process, number))
    return refuse_command(c.id, StartFailure::kFailed, "process already finished");
  answer_command(c.id, {}, true);
}

void start(const hostcall::TakeCommand::Reply& c) {
  uint32_t none = 0;
  if (!g_start.compare_exchange_strong(none, c.id))
    return refuse_command(c.id, StartFailure::kFailed, "cannot start an already running container");
  g_queues->start.wake_all();
}

// The namespaces where the init is now; its own PID namespace, not that of its children. EAGAIN: nowhere.
Result<Ref<Namespaces>> namespaces_of_init() {
  Ref<Task> init = find_task(init_group().pid);
  Ref<Namespaces> namespaces = init ? init->namespaces_ref() : Ref<Namespaces>();
  if (!namespaces) return Errno::again;
  if (&namespaces->pid_for_children() == &init->pid_namespace()) return namespaces;
  Namespaces::Parts parts = namespaces->parts();
  parts.pid_for_children = Ref<PidNamespace>(init->pid_namespace());
  return Namespaces::create(std::move(parts));
}

void join(const hostcall::TakeCommand::Reply& c) {
  auto namespaces = namespaces_of_init();
  if (!namespaces) return refuse_command(c.id, StartFailure::kFailed, "container not running");
  join_container(c, std::move(*namespaces));
}

void obey(const hostcall::TakeCommand::Reply& c) {
  switch (c.kind) {
    case CommandKind::start:
      return start(c);
    case CommandKind::execute:
      return join(c);
    case CommandKind::signal:
      return send_signal(c);
    case CommandKind::resize:
      terminal_resized(c.process, c.value >> 16, c.value & 0xffff);
      return answer_command(c.id, {}, true);
    case CommandKind::processes:
      return list_processes(c.id);
    case CommandKind::pause:
      freeze_tasks();
      return answer_command(c.id, {}, true);
    case CommandKind::resume:
      thaw_tasks();
      return answer_command(c.id, {}, true);
  }
  refuse_command(c.id, StartFailure::kFailed, "unknown command");
}

void take_commands(void*) {
  ParkWaiter waiter;
  g_queues->commands.add(waiter);
  for (;;) {
    while (!g_commands.exchange(false)) Task::current().sched.park_event();
    for (;;) {
      auto reply = hostcall::call<hostcall::TakeCommand>([](auto&) {});
      if (!reply || (**reply).id == 0) break;
      const hostcall::TakeCommand::Reply command = **reply;
      obey(command);
    }
  }
}

void send_answer(uint32_t id, uint32_t status, int32_t value, std::string_view text, bool last) {
  do {
    const size_t n = std::min(text.size(), sizeof hostcall::AnswerCommand::Request::text);
    const bool whole = n == text.size();
    (void)hostcall::call<hostcall::AnswerCommand>([&](hostcall::AnswerCommand::Request& r) {
      r.id = id;
      r.last = last && whole;
      r.status = status;
      r.value = value;
      r.length = static_cast<uint32_t>(n);
      std::copy_n(text.data(), n, r.text);
    });
    text.remove_prefix(n);
  } while (!text.empty());
}

}  // namespace

void answer_command(uint32_t id, std::string_view text, bool last, int32_t value) {
  send_answer(id, 0, value, text, last);
}

void refuse_command(uint32_t id, uint32_t status, std::string_view text) {
  send_answer(id, status, 0, text, true);
}

Result<void> control_init() {
  auto queues = make<Queues>();
  if (!queues) return Errno::nomem;
  g_queues = queues.release();
  TRY(start_kernel_thread("control", take_commands, nullptr));
  return {};
}

bool signal_from_host(hostcall::ProcessNumber process, int signal) {
  if (!signal_valid(signal)) return false;
  Ref<ThreadGroup> group = find_process(process);
  if (!group) return false;
  (void)queue_signal_to_group(*group, signal_info(signal), Origin::outside);
  return true;
}

void control_wake() {
  if (!g_queues) return;
  g_commands.store(true);
  g_queues->commands.wake_all();
}

bool wait_for_start(Task& init) {
  ParkWaiter waiter;
  g_queues->start.add(waiter);
  (void)hostcall::call<hostcall::ContainerReady>([](auto&) {});
  // Of all signals only SIGKILL matters: it has no handlers yet.
  while (g_start.load() == 0 && !kill_pending(init)) init.sched.park_event();
  g_queues->start.remove(waiter);
  return g_start.load() != 0;
}

void start_succeeded() {
  if (uint32_t id = g_start.load()) answer_command(id, {}, true);
}

void start_failed(const StartFailure& failure) {
  refuse_command(g_start.load(), failure.status, failure.view());
}

void process_of_host_ended_locked(ThreadGroup& group) {
  group.ref();
  LockGuard guard(g_ended_lock);
  group.next_ended = g_ended;
  g_ended = &group;
}

void report_ended_processes() {
  for (;;) {
    Ref<ThreadGroup> group;
    {
      LockGuard guard(g_ended_lock);
      if (!g_ended) return;
      group = Ref<ThreadGroup>::adopt(g_ended);
      g_ended = group->next_ended;
    }
    drain_terminal(group->host_number);
    (void)hostcall::call<hostcall::ProcessEnded>([&](auto& r) {
      r.process = group->host_number;
      r.wait_status = static_cast<uint32_t>(group->wait_status);
    });
  }
}

}  // namespace runsc::kernel
