// ThreadGroup: a process. Its place in the tree, its threads, what they share that is not a class of its own.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "fs/file.h"
#include "kernel/base/lock.h"
#include "kernel/base/ref.h"
#include "kernel/base/wait_queue.h"
#include "kernel/rlimit.h"
#include "kernel/signal/state.h"
#include "kernel/time/process_timers.h"
#include "mm/address_space.h"

namespace runsc::fs {
class File;
}

namespace runsc::kernel {

class CoreDump;   // kernel/core
class Container;  // kernel/control/containers.h
class PidNamespace;
class Task;
class Tty;

// The lock of the tree: pids, parents, children, threads, groups, sessions, exit states.
extern SpinLock g_tree_lock;

struct ResourceUsage {
  uint64_t user_ticks = 0, system_ticks = 0, minor_faults = 0, major_faults = 0, voluntary = 0,
           involuntary = 0, max_rss_kib = 0;
  uint64_t read_chars = 0, written_chars = 0, read_calls = 0, write_calls = 0;
  void add(const ResourceUsage& o) {
    user_ticks += o.user_ticks, system_ticks += o.system_ticks;
    minor_faults += o.minor_faults, major_faults += o.major_faults;
    voluntary += o.voluntary, involuntary += o.involuntary;
    read_chars += o.read_chars, written_chars += o.written_chars;
    read_calls += o.read_calls, write_calls += o.write_calls;
    if (o.max_rss_kib > max_rss_kib) max_rss_kib = o.max_rss_kib;
  }
};

struct GroupListTag;
struct ChildListTag;

class ThreadGroup final : public RefCounted<ThreadGroup>,
                          public boost::intrusive::list_base_hook<boost::intrusive::tag<GroupListTag>>,
                          public boost::intrusive::list_base_hook<boost::intrusive::tag<ChildListTag>> {
 public:
  static Result<Ref<ThreadGroup>> create();
  ~ThreadGroup();

  using ChildList = boost::intrusive::list<
      ThreadGroup,
      boost::intrusive::base_hook<boost::intrusive::list_base_hook<boost::intrusive::tag<ChildListTag>>>,
      boost::intrusive::constant_time_size<false>>;
  using GroupList = boost::intrusive::list<
      ThreadGroup,
      boost::intrusive::base_hook<boost::intrusive::list_base_hook<boost::intrusive::tag<GroupListTag>>>,
      boost::intrusive::constant_time_size<false>>;

  // Const after creation. Its number in the first PID namespace, and in its own: 1 is who is init there.
  int32_t pid = 0, own_pid = 0;
  Ref<PidNamespace> own_namespace;  // null: the first
  PidNamespace& pid_namespace() const;
  Ref<Container> container;    // null: a thread of the kernel
  uint32_t host_number = ~0u;  // by which the host knows a process that it started (kernel/control); ~0: none
  ThreadGroup* next_ended = nullptr;  // among those of the host that have ended
  // ---- Under g_tree_lock (plain reads of the numbers are allowed: they are hints then).
  Task* leader = nullptr;
  Task* threads = nullptr;  // list through Task's next_thread
  uint32_t thread_count = 0;
  uint32_t active_threads = 0;  // have not begun to exit
  uint32_t live_threads = 0;    // not yet through exit
  uint32_t zombie_threads = 0;  // through exit, but their tracers have not waited for them; never the leader
  ThreadGroup* parent = nullptr;
  Task* parent_task = nullptr;  // who forked, for PR_SET_PDEATHSIG and __WNOTHREAD; null once it is gone
  ChildList children;
  // Of `parent`, in the process's own namespace, or 0: getppid(2) takes no lock.
  std::atomic<int32_t> parent_pid{0};
  std::atomic<int32_t> pgid{0}, sid{0};  // changed by set_group_and_session_locked()
  std::atomic<int32_t> exec_count{0};
  int exit_signal = 17;  // what the parent gets; 0: nothing
  bool zombie = false;   // every thread is gone; waits to be reaped, by its tracer first
  bool reaped = false;
  bool has_execed = false;
  bool subreaper = false;
  bool child_subreaper_ancestor = false;
  bool oom_victim = false, oom_overdue = false;  // killed because memory was short; has not ended in time
  int32_t wait_status = 0;                       // as wait(2) shows it, when zombie
  ResourceUsage dead_threads, dead_children;
  Ref<CoreDump> core_dump;  // at work: threads that leave join it first

  // ---- Under signal_lock.
  SpinLock signal_lock{LockRank::signal};
  SignalQueue queue;  // to the process
  Ref<SignalActions> actions;
  bool exiting = false;       // exit_group or a deadly signal: every thread leaves
  int32_t exit_code = 0;      // wait status given by it
  Task* exec_task = nullptr;  // execve waits for the other threads to leave
  bool stopped = false;       // job control stop in force
  int stop_signal = 0;
  bool stop_pending_report = false;       // for wait(2): WUNTRACED
  bool continued_pending_report = false;  // WCONTINUED

  // exiting || exec_task, for threads to see without the lock.
  std::atomic<bool> must_leave{false};

  WaitQueue child_wait;     // a child changed state
  WaitQueue exit_wait;      // this process ended (pidfd), or threads left (execve)
  WaitQueue continue_wait;  // stopped threads sleep here
  WaitQueue signal_wait;    // signalfd, sigtimedwait: something was queued

  Limits limits;
  ProcessTimers timers;
  std::atomic<int32_t> dumpable{1};
  std::atomic<int32_t> oom_score_adj{0}, oom_score_adj_min{0};
  std::atomic<uint32_t> login_uid{~0u}, login_session{~0u};  // /proc/PID/loginuid, sessionid
  std::atomic<uint32_t> core_filter{0x33};                   // /proc/PID/coredump_filter
  std::atomic<uint64_t> timer_slack_ns{50000};
  std::atomic<uint64_t> membarrier{0};
  std::atomic<uint64_t> auxv_start{0}, auxv_end{0};  // where the program found it: /proc/PID/auxv
  // The controlling terminal's owner keeps it by session (fs/tty).

  // What execve(2) runs: /proc/PID/exe.
  fs::Path executable() const {
    LockGuard guard(executable_lock_);
    return executable_;
  }
  void set_executable(fs::Path path) {
    fs::Path old;  // dropped outside of the lock
    LockGuard guard(executable_lock_);
    old = executable_;
    executable_ = std::move(path);
  }

 private:
  mutable SpinLock executable_lock_{LockRank::fs_context};
  fs::Path executable_ GUARDED_BY(executable_lock_);
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  ThreadGroup();
};

}  // namespace runsc::kernel
