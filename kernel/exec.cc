#include "kernel/exec.h"

#include "fs/acl.h"
#include "fs/user_namespace.h"
#include "kernel/blocking.h"
#include "kernel/clone.h"
#include "kernel/executable.h"
#include "kernel/exit.h"
#include "kernel/file_caps.h"
#include "kernel/futex.h"
#include "kernel/inspect.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/signal.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace abi;

namespace {

// ---- Only one thread remains

bool alone(ThreadGroup& group) {
  LockGuard tree(g_tree_lock);
  return group.live_threads == 1 && group.zombie_threads == 0;
}

// Kills the other threads and waits for them. EAGAIN: another thread is at it, or the process dies.
Result<void> kill_other_threads(Task& task) {
  ThreadGroup& group = task.group();
  {
    LockGuard tree(g_tree_lock);
    LockGuard guard(group.signal_lock);
    if (group.must_leave.load(std::memory_order_relaxed)) return Errno::again;
    if (group.live_threads == 1 && group.zombie_threads == 0) return {};
    group.exec_task = &task;
    group.must_leave.store(true, std::memory_order_seq_cst);
    for_each_thread_locked(group, [&](Task& t) {
      if (&t != &task) signal_wake(t);
    });
  }
  group.continue_wait.wake_all();
  ParkWaiter waiter;
  group.exit_wait.add(waiter);
  while (!alone(group)) task.sched.park_event();
  group.exit_wait.remove(waiter);
  return {};
}

// The thread that executes becomes the leader, with its number (execve(2), "POSIX threads").
Ref<Task> take_leadership(Task& task) {
  ThreadGroup& group = task.group();
  LockGuard tree(g_tree_lock);
  Task* old = group.leader;
  if (old == &task) return nullptr;
  for (ThreadGroup& child : group.children)
    if (child.parent_task == old) child.parent_task = &task;
  pid_remove_locked(*old);
  pid_remove_locked(task);
  task.unref();  // the table's; the insert takes a new one
  TaskInternals::tid(task) = group.pid;
  TaskInternals::own_tid(task) = group.own_pid;
  TaskInternals::nested_pid(task) = Ref<NestedPid>(TaskInternals::nested_pid(*old));
  pid_insert_locked(task);
  Task** at = &group.threads;
  while (*at != old) at = &(*at)->next_thread;
  *at = old->next_thread;
  --group.thread_count;
  group.leader = &task;
  // Of the old one its tracer hears no more.
  if (Task* tracer = old->ptrace.tracer) {
    ptrace_unlink_locked(*old);
    tracer->group().child_wait.wake_all();
  }
  return Ref<Task>::adopt(old);
}

void end_single_threading(Task& task) {
  ThreadGroup& group = task.group();
  LockGuard tree(g_tree_lock);
  LockGuard guard(group.signal_lock);
  if (group.exec_task != &task) return;
  group.exec_task = nullptr;
  if (!group.exiting) group.must_leave.store(false, std::memory_order_seq_cst);
}

// ---- Credentials across execve (capabilities(7), "Transformation of capabilities during execve()")

struct FileIds {
  bool set_uid = false, set_gid = false;
  uint32_t uid = 0, gid = 0;
};

// Of a file system of others, or one that is not mounted where the task is, set-ID bits and capabilities mean
// nothing.
bool gives_privilege(const Task& task, const fs::File& file) {
  if (!file.inode() || !file.path() || fs::mount_flags(file.path()) & fs::kMsNosuid) return false;
  const auto* owner = static_cast<fs::UserNamespace*>(file.inode()->super().owner());
  return fs::is_within(task.creds().user_ns.get(), owner) && task.namespaces().mounts().contains(file.path());
}

FileIds set_id_bits(Task& task, fs::File& file, const fs::Attr& attr) {
  FileIds ids;
  if (task.creds().no_new_privs || task.seccomp.no_new_privs.load() || !gives_privilege(task, file))
    return ids;
  // Nor do the bits of an owner who is nobody here.
  const fs::UserNamespace* ns = task.creds().user_ns.get();
  if (fs::uid_in(ns, attr.uid) == fs::kNoId || fs::gid_in(ns, attr.gid) == fs::kNoId) return ids;
  ids.uid = attr.uid, ids.gid = attr.gid;
  ids.set_uid = attr.mode & fs::kSetUid;
  constexpr uint32_t kGroupExec = 010;
  ids.set_gid = attr.mode & fs::kSetGid && attr.mode & kGroupExec;
  return ids;
}

constexpr uint32_t kNoRoot = 1, kKeepCaps = 0x10;

struct NewCreds {
  Ref<fs::Credentials> creds;
  bool secure = false;    // AT_SECURE
  bool dumpable = false;  // others may look at the process
  uint32_t level = 0;     // of the user namespace whose privileged ones may do so in any case
};

// P'(permitted) before the ambient set, and whether it becomes effective. EPERM: a program that knows nothing
// of capabilities would lack some.
Result<bool> set_permitted(fs::Credentials& c, const FileCaps& caps) {
  bool effective = caps.effective;
  c.permitted = (c.bounding & caps.permitted) | (c.inheritable & caps.inheritable);
  if (effective && caps.permitted & ~c.permitted) return Errno::perm;
  const uint32_t root = fs::global_uid(c.user_ns.get(), 0);
  if (c.securebits & kNoRoot || (c.uid != root && c.euid != root)) return effective;
  if (caps.present && c.uid != root) return effective;  // set-user-ID root, but the file says it better
  c.permitted = c.inheritable | c.bounding;
  return effective || c.euid == root;
}

// Nobody gains by an execve(2) under the eyes of a tracer that could not have done it itself.
bool tracer_forbids_gain(const Task& task) {
  LockGuard tree(g_tree_lock);
  return is_traced(task) && !task.ptrace.tracer_is_capable;
}

// A program that the caller cannot read is hidden from root of namespaces to which its owner is nobody.
uint32_t level_for(const fs::UserNamespace* ns, const fs::Attr& attr, bool readable) {
  while (!readable && ns && (fs::uid_in(ns, attr.uid) == fs::kNoId || fs::gid_in(ns, attr.gid) == fs::kNoId))
    ns = ns->parent();
  return ns ? ns->level() : 0;
}

Result<NewCreds> exec_credentials(Task& task, fs::File& file) {
  const fs::Credentials& old = task.creds();
  const bool no_new_privs = old.no_new_privs || task.seccomp.no_new_privs.load();
  fs::Attr attr = TRY(file.get_attr());
  FileIds ids = set_id_bits(task, file, attr);
  FileCaps caps;
  if (gives_privilege(task, file)) caps = TRY(read_file_caps(*file.inode(), old));
  Ref<fs::Credentials> c = TRY(old.clone());
  if (ids.set_uid) c->euid = ids.uid;
  if (ids.set_gid) c->egid = ids.gid;
  const bool effective = TRY(set_permitted(*c, caps));
  const bool set_id = c->euid != old.uid || c->egid != old.gid;
  if ((set_id || c->permitted & ~old.permitted) && (no_new_privs || tracer_forbids_gain(task))) {
    if (no_new_privs || !old.has_own(fs::Cap::setuid)) c->euid = c->uid, c->egid = c->gid;
    c->permitted &= old.permitted;
  }
  c->suid = c->fsuid = c->euid;
  c->sgid = c->fsgid = c->egid;
  if (caps.present || set_id) c->ambient = 0;
  c->permitted |= c->ambient;
  c->effective = effective ? c->permitted : c->ambient;
  c->securebits &= ~kKeepCaps;
  const bool secure =
      set_id || (c->uid != fs::global_uid(c->user_ns.get(), 0) && (effective || c->permitted & ~c->ambient));
  bool readable = !file.inode() || fs::check_access(old, *file.inode(), attr, fs::kRead);
  bool dumpable = readable && c->euid == c->uid && c->egid == c->gid && !(c->permitted & ~old.permitted);
  const uint32_t level = level_for(old.user_ns.get(), attr, readable);
  return NewCreds{std::move(c), secure, dumpable, level};
}

// ---- The point of no return and after

std::string_view base_name(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void switch_space(Task& task, LoadedProgram& program) {
  if (TaskInternals::mm(task)) {
    exit_robust_list(task);
    if (task.clear_child_tid != 0) {
      uint32_t zero = 0;
      if (mm::copy_out_bytes(task.mm(), task.clear_child_tid, &zero, sizeof zero))
        futex_wake_address(task, task.clear_child_tid, 1);
    }
  }
  task.clear_child_tid = 0;
  task.robust_list = 0;
  task.rseq_address = 0;
  task.rseq_size = 0;
  task.group().membarrier.store(0);
  arch::user_switch(task.user_state_or_null(), task.user_state_or_null(), &program.space->user_space());
  task.set_mm(program.space);
}

void reset_signals(Task& task, Ref<SignalActions> actions) {
  ThreadGroup& group = task.group();
  {
    LockGuard guard(group.signal_lock);
    std::swap(group.actions, actions);
    task.signals.alt_stack = {0, kSsDisable, 0, 0};
  }
  group.timers.clear(false);
  TaskInternals::group(task)->exit_signal = sig::chld;
}

void start_registers(Task& task, uint64_t entry, uint64_t sp) {
  arch::user_state_reset(task.user_state());
  arch::UserRegs regs{};
  regs.rip = entry;
  regs.rsp = sp;
  regs.rflags = 0x202;
  // What a tracer sees of the call that this ends.
  regs.orig_rax = task.regs().orig_rax;
  regs.rax = static_cast<uint64_t>(-static_cast<int64_t>(Errno::nosys));
  task.regs() = regs;
}

// What cannot fail, or may only fail by killing the process.
Result<void> become(Task& task, LoadedProgram& program, const Arguments& args, NewCreds creds,
                    Ref<SignalActions> actions, Ref<fs::FdTable> own_files) {
  Ref<Task> old_leader = take_leadership(task);
  end_single_threading(task);
  {
    LockGuard tree(g_tree_lock);
    task.group().has_execed = true;
    task.group().exec_count.fetch_add(1, std::memory_order_relaxed);
  }
  if (own_files) task.set_files(std::move(own_files));
  task.files().close_on_exec_all();
  reset_signals(task, std::move(actions));
  switch_space(task, program);
  if (task.vfork) vfork_done(task);
  set_dumpable(task.group(), creds.dumpable ? 1 : 0, creds.level);
  if (creds.secure) task.parent_death_signal.store(0, std::memory_order_relaxed);
  task.set_creds(std::move(creds.creds));
  task.set_comm(base_name(program.path.view()));
  set_executable(task.group(), program.file->path(), std::move(program.claim));
  uint64_t sp = TRY(build_stack(task, program, args, creds.secure));
  start_registers(task, program.entry, sp);
  return {};
}

}  // namespace

Result<void> exec_program(Task& task, Ref<fs::File> file, std::string_view path, Arguments args) {
  LoadedProgram program = TRY(load_program(task, std::move(file), path, args));
  NewCreds creds = TRY(exec_credentials(task, *program.file));
  Ref<SignalActions> actions = TRY(task.group().actions->clone(true));
  Ref<fs::FdTable> own_files;
  if (task.files().ref_count() > 1) own_files = TRY(task.files().clone());
  TRY(kill_other_threads(task));
  const int32_t old_tid = number_for_tracer(task, task.tid());
  if (!become(task, program, args, std::move(creds), std::move(actions), std::move(own_files)))
    exit_group(task, death_status(sig::segv));
  ptrace_event(task, PtraceEvent::exec, static_cast<uint32_t>(old_tid));
  task.regs().rax = 0;
  return {};
}

}  // namespace runsc::kernel
