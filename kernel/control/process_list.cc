// CommandKind::processes.
#include "kernel/control/control.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

uint64_t cpu_time_ns(ThreadGroup& group) {
  uint64_t ticks = 0;
  LockGuard tree(g_tree_lock);
  ticks = group.dead_threads.user_ticks + group.dead_threads.system_ticks;
  for_each_thread_locked(group, [&](Task& t) {
    if (t.dead) return;
    CpuTicks used = sched_cpu_ticks(t.sched);
    ticks += used.user + used.system;
  });
  return tsc_to_ns(ticks);
}

// "PID PPID UID START_NS CPU_NS NUMBER COMMAND": START_NS since the sandbox's start, NUMBER by which the host
// knows it or -1, COMMAND as comm has it, with what is no plain character replaced.
void write_line(ThreadGroup& group, Task& leader, TextSink& out) {
  Ref<fs::Credentials> creds = leader.creds_ref();
  const bool of_host = group.host_number != kNotOfHost;
  format(out, "{} {} {} {} {} {} ", group.own_pid, group.parent_pid.load(), creds ? creds->uid : 0,
         leader.start_ns.load(), cpu_time_ns(group), of_host ? int64_t{group.host_number} : -1);
  const Task::Comm comm = leader.comm();
  for (char c : std::string_view(comm.text)) {
    const char shown[] = {c > ' ' && c < 0x7f ? c : '?'};
    out.write({shown, 1});
  }
  out.write("\n");
}

}  // namespace

void list_processes(const Container& container, uint32_t command) {
  int32_t next = 1;
  while (Ref<ThreadGroup> group = next_group(next)) {
    next = group->pid + 1;
    Ref<Task> leader = find_task(group->pid);
    if (!leader || group->zombie || group->container.get() != &container) continue;
    char room[256];
    FixedText line(room);
    write_line(*group, *leader, line);
    answer_command(command, line.view(), false);
  }
  answer_command(command, {}, true);
}

}  // namespace runsc::kernel
