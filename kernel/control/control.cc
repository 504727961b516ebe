#include "kernel/control/control.h"

#include <algorithm>

#include "fs/hostfs/host_watch.h"
#include "kernel/base/log.h"
#include "kernel/clone.h"
#include "kernel/control/freezer.h"
#include "kernel/exit.h"
#include "kernel/network_setup.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/stdio/host_stream.h"
#include "kvm/hostcall/client.h"
#include "kvm/hostcall/process_detail.h"

namespace runsc::kernel {

namespace {

using hostcall::CommandKind;

constinit std::atomic<bool> g_commands{false}, g_changes{false};
struct Queue : HeapObject {
  WaitQueue commands;
};
constinit Queue* g_queue = nullptr;

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

void signal_all(const Container& container, int number) {
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (!g.zombie && g.container.get() == &container)
      (void)queue_signal_tree_locked(g, nullptr, signal_info(number), Origin::outside);
}

using Command = hostcall::TakeCommand::Reply;

void send_signal(Container& container, const Command& c) {
  const auto number = static_cast<int>(c.value);
  if (!signal_valid(number)) return refuse_command(c.id, StartFailure::kFailed, "no such signal");
  if (c.flags & hostcall::kSignalAll)
    signal_all(container, number);
  else if (!signal_from_host(c.process, number))
    return refuse_command(c.id, StartFailure::kFailed, "process already finished");
  answer_command(c.id, {}, true);
}

void start(Container& container, const Command& c) {
  uint32_t none = 0;
  if (!container.start.compare_exchange_strong(none, c.id))
    return refuse_command(c.id, StartFailure::kFailed, "cannot start an already running container");
  container.start_wait.wake_all();
}

Result<void> take_interfaces(Container& container, const Command& c) {
  const Vec<std::byte> body = TRY(read_body(c.id, c.body_size));
  const Ref<Namespaces> namespaces = TRY(namespaces_of_init(container));
  return set_up_network(namespaces->net(), {reinterpret_cast<const char*>(body.data()), body.size()});
}

void take_network(Container& container, const Command& c) {
  if (auto r = take_interfaces(container, c); !r) {
    char room[160];
    FixedText text(room);
    format(text, "network interfaces: {}", reason(r.error()));
    return refuse_command(c.id, StartFailure::kFailed, text.view());
  }
  answer_command(c.id, {}, true);
}

void obey_for(Container& container, const Command& c) {
  switch (c.kind) {
    case CommandKind::start:
      return start(container, c);
    case CommandKind::execute:
      return join_container(container, c);
    case CommandKind::create:
      return add_container(container, c);
    case CommandKind::signal:
      return send_signal(container, c);
    case CommandKind::resize:
      terminal_resized(c.process, c.value >> 16, c.value & 0xffff);
      return answer_command(c.id, {}, true);
    case CommandKind::processes:
      return c.value == hostcall::kEachThread ? tell_stacks(container, c.id)
                                              : list_processes(container, c.id);
    case CommandKind::update:
      return update_limits(container, c);
    case CommandKind::statistics:
      return tell_statistics(container, c.id);
    case CommandKind::network:
      return take_network(container, c);
    case CommandKind::pause:
      freeze_tasks(container);
      return answer_command(c.id, {}, true);
    case CommandKind::resume:
      thaw_tasks(container);
      return answer_command(c.id, {}, true);
  }
  refuse_command(c.id, StartFailure::kFailed, "unknown command");
}

void obey(const Command& c) {
  const bool all = c.kind == CommandKind::signal && c.flags & hostcall::kSignalAll;
  if (Ref<Container> container = find_container(c.container)) return obey_for(*container, c);
  if (all) return answer_command(c.id, {}, true);  // there is nobody
  refuse_command(c.id, StartFailure::kFailed, "container not running");
}

void take_commands(void*) {
  ParkWaiter waiter;
  g_queue->commands.add(waiter);
  for (;;) {
    while (!g_commands.load() && !g_changes.load()) Task::current().sched.park_event();
    if (g_changes.exchange(false) && fs::take_host_changes()) {
      g_changes.store(true);
      sched_breathe();
    }
    if (!g_commands.exchange(false)) continue;
    for (;;) {
      auto reply = hostcall::call<hostcall::TakeCommand>([](auto&) {});
      if (!reply || (**reply).id == 0) break;
      const Command command = **reply;
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
  auto queue = make<Queue>();
  if (!queue) return Errno::nomem;
  g_queue = queue.release();
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

void control_changes() {
  if (!g_queue) return;
  g_changes.store(true);
  g_queue->commands.wake_all();
}

void control_wake() {
  if (!g_queue) return;
  g_commands.store(true);
  g_queue->commands.wake_all();
}

bool wait_for_start(Task& init) {
  Container& container = *init.group().container;
  ParkWaiter waiter;
  container.start_wait.add(waiter);
  // Of all signals only SIGKILL matters: it has no handlers yet.
  while (container.start.load() == 0 && !kill_pending(init)) init.sched.park_event();
  container.start_wait.remove(waiter);
  return container.start.load() != 0;
}

void start_succeeded(const Container& container) {
  if (uint32_t id = container.start.load()) answer_command(id, {}, true);
}

void start_failed(const Container& container, const StartFailure& failure) {
  refuse_command(container.start.load(), failure.status, failure.view());
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
