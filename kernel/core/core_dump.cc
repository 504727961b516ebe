#include "kernel/core/core_dump.h"

#include "fs/mount.h"
#include "kernel/base/log.h"
#include "kernel/core/core_name.h"
#include "kernel/exit.h"
#include "kernel/inspect.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

using namespace abi;

namespace {

constexpr int32_t kDumpedBit = 0x80;
constexpr uint64_t kLeastSize = 4096;

Result<CoreThread> describe(Task& task) {
  CoreThread t;
  t.tid = task.tid();
  {
    LockGuard guard(task.group().signal_lock);
    t.pending = task.signals.queue.pending();
  }
  t.blocked = task.signals.blocked.load(std::memory_order_relaxed);
  CpuTicks ticks = sched_cpu_ticks(task.sched);
  t.user_ns = tsc_to_ns(ticks.user);
  t.system_ns = tsc_to_ns(ticks.system);
  t.regs = user_regs_of(task);
  t.xstate = TRY(xstate_image_of(task));
  return t;
}

// The others of the process leave as for any end; those with something to tell do so first. Null: somebody
// else ends the process already.
Ref<CoreDump> begin(Task& task, int32_t status) {
  Ref<CoreDump> dump = make_ref<CoreDump>(task);
  auto mine = describe(task);
  if (!dump || !mine || !dump->threads.push_back(std::move(*mine))) return nullptr;
  ThreadGroup& group = task.group();
  LockGuard tree(g_tree_lock);
  if (!begin_group_exit_locked(group, status)) return nullptr;
  group.core_dump = dump;
  return dump;
}

bool all_arrived(ThreadGroup& group, const CoreDump& dump) {
  LockGuard tree(g_tree_lock);
  return dump.arrived + 1 >= group.active_threads;
}

void wait_for_threads(Task& task, CoreDump& dump) {
  ParkWaiter waiter;
  dump.changed.add(waiter);
  while (!all_arrived(task.group(), dump)) task.sched.park_event();
  dump.changed.remove(waiter);
}

// A name that another user could have put there is not written to.
Result<void> check_file(Task& task, fs::File& file) {
  fs::Attr attr = TRY(file.get_attr());
  if ((attr.mode & fs::kTypeMask) != fs::kRegular || attr.nlink != 1 || attr.uid != task.creds().fsuid)
    return Errno::perm;
  return {};
}

Result<void> write_file(Task& task, const SigInfo& info, const CoreDump& dump) {
  using namespace fs::open_flag;
  String name = TRY(core_name(task, info.signo));
  const fs::Path start = name.view().starts_with('/') ? task.fs().root() : task.fs().cwd();
  (void)fs::remove(task.walk_context(), start, name.view(), false);
  Ref<fs::File> file = TRY(fs::open_path(task.walk_context(), start, name.view(),
                                         creat | excl | rdwr | nofollow | largefile, 0600));
  TRY(check_file(task, *file));
  auto written = write_core(task, *file, info, dump);
  if (!written) log_info("a core dump is not complete: error {}", static_cast<int>(written.error()));
  return {};
}

void end(ThreadGroup& group, CoreDump& dump, bool dumped) {
  {
    LockGuard tree(g_tree_lock);
    LockGuard guard(group.signal_lock);
    if (dumped) group.exit_code |= kDumpedBit;
  }
  Ref<CoreDump> gone;  // dropped without locks
  {
    LockGuard tree(g_tree_lock);
    std::swap(gone, group.core_dump);
  }
  dump.over.store(true, std::memory_order_release);
  dump.changed.wake_all();
}

}  // namespace

bool dumps_core(int signal) {
  constexpr uint64_t kDumping =
      sig_bit(sig::quit) | sig_bit(sig::ill) | sig_bit(sig::trap) | sig_bit(sig::abrt) | sig_bit(sig::bus) |
      sig_bit(sig::fpe) | sig_bit(sig::segv) | sig_bit(sig::sys) | sig_bit(sig::xcpu) | sig_bit(sig::xfsz);
  return sig_bit(signal) & kDumping;
}

int32_t dump_core(Task& task, const SigInfo& info) {
  const int32_t status = death_status(info.signo);
  ThreadGroup& group = task.group();
  if (task.limit(static_cast<unsigned>(Resource::core)) < kLeastSize || dumpable(group) != 1) return status;
  Ref<CoreDump> dump = begin(task, status);
  if (!dump) return status;
  wait_for_threads(task, *dump);
  // What this process is told now is no reason not to write.
  task.work.clear(Work::signal);
  const bool dumped = write_file(task, info, *dump).has_value();
  end(group, *dump, dumped);
  return dumped ? status | kDumpedBit : status;
}

void join_core_dump(Task& task) {
  ThreadGroup& group = task.group();
  Ref<CoreDump> dump;
  {
    LockGuard tree(g_tree_lock);
    dump = group.core_dump;
  }
  if (!dump || &dump->dumper == &task) return;
  auto mine = describe(task);
  ParkWaiter waiter;
  dump->changed.add(waiter);
  {
    LockGuard tree(g_tree_lock);
    ++dump->arrived;
    if (mine) (void)dump->threads.push_back(std::move(*mine));
  }
  dump->changed.wake_all();
  while (!dump->over.load(std::memory_order_acquire)) task.sched.park_event();
  dump->changed.remove(waiter);
}

}  // namespace runsc::kernel
