// CommandKind::statistics and CommandKind::update: what a container uses, and what it may.
#include "fs/dentry.h"
#include "kernel/control/control.h"
#include "kernel/pid.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kRefused = 1;  // the exit status of the command

// A limit as it is told: all ones for none.
uint64_t told(int64_t limit) {
  return limit == Account::kUnlimited ? ~uint64_t{0} : static_cast<uint64_t>(limit);
}

ContainerLimits limits_of(const Container& container) {
  LockGuard tree(g_tree_lock);
  return container.limits;
}

}  // namespace

void tell_statistics(const Container& container, uint32_t command) {
  const ContainerUsage usage = usage_of(container);
  const ContainerLimits limits = limits_of(container);
  char room[1024];
  FixedText text(room);
  const auto line = [&](std::string_view name, uint64_t value) { format(text, "{} {}\n", name, value); };
  line("memory", static_cast<uint64_t>(usage.memory));
  line("memory_limit", told(limits.memory));
  line("memory_peak", static_cast<uint64_t>(usage.peak));
  line("memory_shortages", container.account().shortages.load(std::memory_order_relaxed));
  line("anonymous", usage.anonymous);
  line("mapped_files", usage.mapped_files);
  line("oom", container.shortages.load(std::memory_order_relaxed));
  line("oom_kills", container.killed.load(std::memory_order_relaxed));
  line("tasks", usage.tasks);
  line("tasks_limit", limits.tasks == ContainerLimits::kAnyTasks ? ~uint64_t{0} : limits.tasks);
  line("cpu_user_ns", tsc_to_ns(usage.cpu.user));
  line("cpu_system_ns", tsc_to_ns(usage.cpu.system));
  answer_command(command, text.view(), true);
}

void update_limits(Container& container, const hostcall::TakeCommand::Reply& command) {
  auto body = read_body(command.id, command.body_size);
  if (!body) return refuse_command(command.id, StartFailure::kFailed, reason(body.error()));
  hostcall::ContainerReader reader(std::span<const std::byte>(body->data(), body->size()));
  const hostcall::Limits news = reader.limits();
  if (!reader.at_end()) return refuse_command(command.id, StartFailure::kFailed, reason(Errno::inval));
  const ContainerLimits limits = limits_of(container).with(news);
  if (news.which & hostcall::Limits::kMemory) {
    if (usage_of(container).memory > limits.memory) fs::dcache_shrink();
    const ContainerUsage usage = usage_of(container);
    if (usage.memory > limits.memory) {
      char room[160];
      FixedText text(room);
      format(text, "unable to set memory limit to {} (current usage: {}, peak usage: {})", limits.memory,
             usage.memory, usage.peak);
      return refuse_command(command.id, kRefused, text.view());
    }
  }
  if (container.is_first() && news.which & hostcall::Limits::kSandbox)
    if (auto r = mm::phys_set_cap(news.sandbox_memory); !r)
      return refuse_command(command.id, kRefused, "unable to set memory limit: the sandbox uses more");
  container.set_limits(limits);
  answer_command(command.id, {}, true);
}

}  // namespace runsc::kernel
