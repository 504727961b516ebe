// Task: one thread of the application. What it is made of stands in parts of its own (signal/,
// thread_group.h, ...); no system call is a member.
#pragma once

#include <atomic>
#include <boost/intrusive/slist.hpp>
#include <cstdint>

#include "fs/credentials.h"
#include "fs/fd_table.h"
#include "fs/namespace.h"
#include "kernel/base/ref.h"
#include "kernel/ptrace/state.h"
#include "kernel/sched/sched_entity.h"
#include "kernel/seccomp/seccomp.h"
#include "kernel/signal/state.h"
#include "kernel/work.h"
#include "kvm/arch/seam.h"
#include "mm/address_space.h"

namespace runsc::kernel {

class ThreadGroup;   // process: pid, signal actions, limits, children, timers (kernel/thread_group.h)
struct VforkWait;    // kernel/clone.h
class Namespaces;    // kernel/namespaces.h
class PidNamespace;  // kernel/pid_namespace.h
class NestedPid;

// A system call that restart_syscall(2) goes on with.
struct RestartBlock {
  enum class Kind : uint8_t { none, nanosleep, poll, futex } kind = Kind::none;
  uint64_t deadline_ns = 0;
  uint64_t a = 0, b = 0, c = 0;
  int clock = 0;
};

class SemUndoList;

// What a thread has read and written: /proc/PID/io (proc(5)). Counted by the thread alone, read by anybody.
struct IoCounts {
  std::atomic<uint64_t> read_chars{0}, written_chars{0}, read_calls{0}, write_calls{0};
  static void add(std::atomic<uint64_t>& count, uint64_t n) {
    count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
};

// What ioprio_set(2) gave: a task's own, or with CLONE_IO of several.
struct IoContext : RefCounted<IoContext> {
  std::atomic<uint32_t> priority{0};
};

class Task final : public RefCounted<Task>, public boost::intrusive::slist_base_hook<> {
 public:
  // Memory of tasks is only ever reused for tasks: an unpark() that comes late, when who was woken has
  // already run to its end, then hits a token that nobody minds.
  static void* operator new(size_t size, const std::nothrow_t&) noexcept;
  static void operator delete(void* p) noexcept;

  static Task& current() { return *static_cast<Task*>(arch::cpu_local().current); }
  static Result<Ref<Task>> create();

  // Its number in the first PID namespace, by which it goes inside the kernel, and that of its process.
  int32_t tid() const { return tid_; }
  int32_t pid() const;
  // The same as the task itself sees them: in its own PID namespace.
  int32_t own_tid() const { return own_tid_; }
  int32_t own_pid() const;
  PidNamespace& pid_namespace() const;
  // Null: its own is the first.
  NestedPid* nested_pid() const { return nested_pid_.get(); }
  ThreadGroup& group() const { return *group_; }

  // Only the task itself changes these (execve, setuid, unshare), and only it may use the references without
  // a Ref.
  mm::AddressSpace& mm() const { return *mm_; }
  fs::FdTable& files() const { return *files_; }
  fs::FsContext& fs() const { return *fs_; }
  const fs::Credentials& creds() const { return *creds_; }
  fs::WalkContext walk_context() const { return {*fs_, *creds_}; }
  Namespaces& namespaces() const { return *namespaces_; }
  arch::UserRegs& regs() { return regs_; }
  arch::UserState& user_state() { return *user_state_; }
  arch::UserState* user_state_or_null() { return user_state_; }
  arch::UserSpace* user_space_or_null() { return mm_ ? &mm_->user_space() : nullptr; }

  // From other tasks (procfs, signals): counted copies, null after exit.
  Ref<mm::AddressSpace> mm_ref() const;
  // Whether it uses `mm`; pages resident of its memory, and how many of them are files'. Under any spinlock.
  bool uses(const mm::AddressSpace& mm) const;
  struct Resident {
    bool any = false;
    uint64_t pages = 0, of_files = 0;
  };
  Resident resident() const;
  Ref<fs::FdTable> files_ref() const;
  Ref<fs::FsContext> fs_ref() const;
  Ref<fs::Credentials> creds_ref() const;
  Ref<Namespaces> namespaces_ref() const;
  Ref<IoContext> io_context_ref() const;  // null: it never had one
  // The one it has, or a new one. ENOMEM.
  Result<Ref<IoContext>> make_io_context();

  // The task itself replaces what it uses.
  void set_mm(Ref<mm::AddressSpace> mm);
  void set_files(Ref<fs::FdTable> files);
  void set_fs(Ref<fs::FsContext> fs);
  void set_creds(Ref<fs::Credentials> creds);
  void set_namespaces(Ref<Namespaces> namespaces);
  void set_io_context(Ref<IoContext> context);

  // RLIMIT_* (getrlimit(2)), soft.
  uint64_t limit(unsigned resource) const;
  // A signal waits that this task would take now: blocking calls give up with ERESTARTSYS.
  bool signal_pending() const { return work.has(Work::signal); }

  // For a new task, once, before it has a stack.
  void set_account(AccountId account);
  Result<void> make_stack();  // ENOMEM
  void free_stack();          // by whoever stands on another one

  // The name of the thread (PR_SET_NAME), at most 15 bytes.
  void set_comm(std::string_view name);
  struct Comm {
    char text[16];
  };
  Comm comm() const;

  WorkFlags work;
  SeccompState seccomp;
  SchedEntity sched{*this};
  TaskSignals signals;
  PtraceState ptrace;
  RestartBlock restart;

  // ---- Under g_tree_lock.
  Task* next_thread = nullptr;
  bool dead = false;  // through exit

  // ---- The task's own, unless said otherwise.
  uint64_t clear_child_tid = 0;
  uint64_t robust_list = 0;
  Ref<SemUndoList> sem_undo;
  uint64_t rseq_address = 0;
  uint32_t rseq_size = 0, rseq_signature = 0;
  std::atomic<int> parent_death_signal{0};
  VforkWait* vfork = nullptr;
  bool in_syscall_restart = false;
  int32_t exit_code = 0;  // wait status of this thread
  std::atomic<uint64_t> minor_faults{0}, major_faults{0};
  std::atomic<uint64_t> start_ns{0};
  std::atomic<uint32_t> personality{0};
  IoCounts io;
  // The last fault, as signal frames show it (struct sigcontext).
  struct FaultState {
    uint64_t trap = 0, error = 0, address = 0;
  } last_fault;
  uint64_t next_cpu_check_tsc = 0;
  // Who pays for what it takes, and for the task itself (set_account()).
  AccountId account = kNoAccount, paid_by = kNoAccount;
  // It ends: what the sentry needs for that is not refused (arch::CpuLocal::unrefused).
  bool unrefused = false;
  uint32_t failed_faults = 0;             // one after the other found no memory, and nothing to mend (oom.h)
  uint32_t memory_policy = 0;             // set_mempolicy(2): as Vma::policy
  void (*kernel_entry)(void*) = nullptr;  // kernel threads
  void* kernel_argument = nullptr;

 private:
  friend struct TaskInternals;  // kernel's own parts: clone, exec, exit, scheduler, signals
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Task();
  ~Task();
  friend class RefCounted<Task>;

  int32_t tid_ = 0, own_tid_ = 0;
  Ref<NestedPid> nested_pid_;
  Ref<ThreadGroup> group_;
  mutable SpinLock ref_lock_{LockRank::leaf};  // replacing what stands below against the *_ref() of others
  Ref<mm::AddressSpace> mm_;
  Ref<fs::FdTable> files_;
  Ref<fs::FsContext> fs_;
  Ref<fs::Credentials> creds_;
  Ref<Namespaces> namespaces_;
  Ref<IoContext> io_context_;
  char comm_[16] GUARDED_BY(ref_lock_) = {};
  arch::UserRegs regs_{};
  arch::UserState* user_state_ = nullptr;
};

// What the kernel's own parts may do to a task.
struct TaskInternals {
  static int32_t& tid(Task& t) { return t.tid_; }
  static int32_t& own_tid(Task& t) { return t.own_tid_; }
  static Ref<NestedPid>& nested_pid(Task& t) { return t.nested_pid_; }
  static Ref<ThreadGroup>& group(Task& t) { return t.group_; }
  static arch::UserState*& user_state(Task& t) { return t.user_state_; }
  static Ref<mm::AddressSpace>& mm(Task& t) { return t.mm_; }
  static Ref<fs::FdTable>& files(Task& t) { return t.files_; }
  static Ref<fs::FsContext>& fs(Task& t) { return t.fs_; }
  static Ref<fs::Credentials>& creds(Task& t) { return t.creds_; }
};

}  // namespace runsc::kernel
