// clone(2), execve(2), exit(2), wait(2) and their families.
#include "fs/user_namespace.h"
#include "kernel/clone.h"
#include "kernel/exec.h"
#include "kernel/exit.h"
#include "kernel/inspect.h"
#include "kernel/pid.h"
#include "kernel/pidfd.h"
#include "kernel/signal/permission.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/rusage.h"
#include "kernel/syscalls/tasks.h"
#include "kernel/wait.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace abi;

Result<int32_t> sys_fork(Task& task) {
  CloneRequest r;
  r.exit_signal = sig::chld;
  return clone_task(task, r);
}

Result<int32_t> sys_vfork(Task& task) {
  CloneRequest r;
  r.flags = clone_flag::vfork | clone_flag::vm;
  r.exit_signal = sig::chld;
  return clone_task(task, r);
}

Result<int32_t> sys_clone(Task& task, uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid,
                          uint64_t tls) {
  constexpr uint64_t kSignalMask = 0xff;
  CloneRequest r;
  r.flags = (flags & 0xffffffff) & ~kSignalMask;
  r.exit_signal = static_cast<int>(flags & kSignalMask);
  if (r.exit_signal > sig::max) return Errno::inval;
  if (r.flags & clone_flag::pidfd && r.flags & clone_flag::parent_settid) return Errno::inval;
  r.stack = stack;
  r.tls = tls;
  r.parent_tid = r.pidfd = parent_tid;
  r.child_tid = child_tid;
  if (r.flags & clone_flag::settls && tls >= arch::kUserEnd) return Errno::perm;
  return clone_task(task, r);
}

namespace {

struct CloneArgs {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
      cgroup;
};

Result<CloneArgs> read_clone_args(Task& task, uint64_t address, uint64_t size) {
  constexpr uint64_t kFirstVersion = 64, kMost = 4096;
  if (size < kFirstVersion) return Errno::inval;
  if (size > kMost) return Errno::toobig;
  CloneArgs args{};
  TRY(mm::copy_in_bytes(task.mm(), &args, address, size < sizeof args ? size : sizeof args));
  // A larger struct of a newer kernel is fine while the rest is zero.
  for (uint64_t at = sizeof args; at < size; ++at)
    if (TRY(mm::copy_in(task.mm(), UserPtr<uint8_t>(address + at))) != 0) return Errno::toobig;
  return args;
}

}  // namespace

Result<int32_t> sys_clone3(Task& task, uint64_t address, uint64_t size) {
  CloneArgs a = TRY(read_clone_args(task, address, size));
  constexpr uint64_t kKnown = 0x3ffffffff & ~uint64_t{0xff & ~clone_flag::newtime};
  if (a.flags & ~kKnown || a.flags & clone_flag::detached) return Errno::inval;
  if (a.exit_signal > static_cast<uint64_t>(sig::max)) return Errno::inval;
  if (a.flags & (clone_flag::thread | clone_flag::parent) && a.exit_signal) return Errno::inval;
  if ((a.stack == 0) != (a.stack_size == 0)) return Errno::inval;
  if ((a.set_tid == 0) != (a.set_tid_size == 0) || a.set_tid_size > PidNamespace::kMaxLevel)
    return Errno::inval;
  if (a.flags & clone_flag::settls && a.tls >= arch::kUserEnd) return Errno::perm;
  CloneRequest r;
  int32_t set_tid[PidNamespace::kMaxLevel];
  r.set_tid = std::span(set_tid).first(a.set_tid_size);
  if (a.set_tid_size) TRY(mm::copy_in_bytes(task.mm(), set_tid, a.set_tid, a.set_tid_size * sizeof(int32_t)));
  r.flags = a.flags;
  r.exit_signal = static_cast<int>(a.exit_signal);
  if (a.stack) {
    if (a.stack >= arch::kUserEnd || a.stack_size > arch::kUserEnd - a.stack) return Errno::inval;
    r.stack = a.stack + a.stack_size;
  }
  r.tls = a.tls;
  r.parent_tid = a.parent_tid;
  r.child_tid = a.child_tid;
  r.pidfd = a.pidfd;
  return clone_task(task, r);
}

// ---- execve

namespace {

constexpr size_t kPathMax = 4096;
constexpr uint32_t kAtSymlinkNofollow = 0x100, kAtEmptyPath = 0x1000;
constexpr int kAtFdcwd = -100;

Result<fs::Path> start_of(Task& task, int dirfd, std::string_view path) {
  if (dirfd == kAtFdcwd || (!path.empty() && path[0] == '/')) return task.fs().cwd();
  Ref<fs::File> file = TRY(task.files().get(dirfd));
  return fs::Path(file->path());
}

// The name that a program executed through a descriptor gets, as in Linux.
Result<String> fd_path(int dirfd, std::string_view path) {
  char room[40];
  FixedText text(room);
  format(text, "/dev/fd/{}", dirfd);
  if (path.empty()) return String::from(text.view());
  String with_slash = TRY(String::concat(text.view(), "/"));
  return String::concat(with_slash.view(), path);
}

}  // namespace

Result<Flow> sys_execveat(Task& task, int dirfd, uint64_t path_address, uint64_t argv, uint64_t envp,
                          uint32_t flags) {
  if (flags & ~(kAtSymlinkNofollow | kAtEmptyPath)) return Errno::inval;
  String path = TRY(mm::copy_in_string(task.mm(), path_address, kPathMax));
  if (path.empty() && !(flags & kAtEmptyPath)) return Errno::noent;
  fs::Path start = TRY(start_of(task, dirfd, path.view()));
  if (flags & kAtSymlinkNofollow && !path.empty()) {
    fs::Path at = TRY(fs::walk(task.walk_context(), start, path.view(), 0));
    if (fs::inode_of(at).type() == fs::kSymlink) return Errno::loop;
  }
  uint32_t walk_flags = path.empty() ? uint32_t{fs::kEmptyPath} : 0;
  Ref<fs::File> file = TRY(open_executable(task, start, path.view(), walk_flags));
  bool by_fd = dirfd != kAtFdcwd && (path.empty() || path.view()[0] != '/');
  String name = by_fd ? TRY(fd_path(dirfd, path.view())) : TRY(path.clone());
  Arguments args(task.limit(static_cast<unsigned>(Resource::stack)));
  TRY(args.read_user(task.mm(), argv, envp));
  // The interpreter would look for it after the descriptor is closed.
  if (by_fd) args.script_unreachable = TRY(task.files().close_on_exec(dirfd));
  TRY(exec_program(task, std::move(file), name.view(), std::move(args)));
  return Flow::registers;
}

Result<Flow> sys_execve(Task& task, uint64_t path, uint64_t argv, uint64_t envp) {
  return sys_execveat(task, kAtFdcwd, path, argv, envp, 0);
}

// ---- The end, and waiting for it

Result<Flow> sys_exit(Task& task, int code) { exit_task(task, exit_status(code)); }
Result<Flow> sys_exit_group(Task& task, int code) { exit_group(task, exit_status(code)); }

Result<int32_t> sys_set_tid_address(Task& task, uint64_t address) {
  task.clear_child_tid = address;
  return task.own_tid();
}

Result<int32_t> sys_wait4(Task& task, int pid, uint64_t status, uint32_t options, uint64_t usage) {
  using namespace wait_flag;
  if (options & ~(nohang | untraced | continued | nothread | all | wait_flag::clone)) return Errno::inval;
  if (pid == INT32_MIN) return Errno::srch;
  WaitRequest r;
  r.flags = options | exited;
  if (pid > 0) {
    r.who = WaitRequest::Who::pid;
    r.id = id_meant_by(task, pid);
  } else if (pid != -1) {
    r.who = WaitRequest::Who::group;
    r.id = pid == 0 ? task.group().pgid.load() : id_meant_by(task, -pid);
  }
  WaitOutcome o = TRY(wait_for_child(task, r));
  if (o.pid == 0) return 0;
  if (status) TRY(mm::copy_out(task.mm(), UserPtr<int32_t>(status), o.status));
  if (usage) TRY(copy_out_usage(task, usage, o.usage));
  return o.pid;
}

namespace {

Result<WaitRequest> waitid_request(Task& task, int type, int id, Ref<ThreadGroup>& exact) {
  constexpr int kAll = 0, kPid = 1, kPgid = 2, kPidfd = 3;
  WaitRequest r;
  switch (type) {
    case kAll:
      return r;
    case kPid:
      if (id <= 0) return Errno::inval;
      r.who = WaitRequest::Who::pid;
      r.id = id_meant_by(task, id);
      return r;
    case kPgid:
      if (id < 0) return Errno::inval;
      r.who = WaitRequest::Who::group;
      r.id = id == 0 ? task.group().pgid.load() : id_meant_by(task, id);
      return r;
    case kPidfd:
      if (id < 0) return Errno::inval;
      exact = TRY(group_of_pidfd(task, id));
      if (TRY(task.files().get(id))->nonblocking()) r.flags = wait_flag::nohang;
      r.who = WaitRequest::Who::pidfd;
      r.exact = exact.get();
      return r;
    default:
      return Errno::inval;
  }
}

// si_status: the exit code or the signal.
int32_t status_for_siginfo(const WaitOutcome& o) {
  switch (o.code) {
    case sig_code::cld_exited:
      return o.status >> 8 & 0xff;
    case sig_code::cld_stopped:
      return o.status >> 8 & 0xff;
    case sig_code::cld_trapped:  // with the event
      return o.status >> 8;
    case sig_code::cld_continued:
      return sig::cont;
    default:
      return o.status & 0x7f;
  }
}

}  // namespace

Result<void> sys_waitid(Task& task, int type, int id, uint64_t info_address, uint32_t options,
                        uint64_t usage) {
  using namespace wait_flag;
  if (options & ~(nohang | nowait | exited | stopped | continued | nothread | all | wait_flag::clone) ||
      !(options & (exited | stopped | continued)))
    return Errno::inval;
  Ref<ThreadGroup> exact;
  WaitRequest r = TRY(waitid_request(task, type, id, exact));
  bool nonblocking = r.flags & nohang && !(options & nohang);  // PIDFD_NONBLOCK
  r.flags |= options;
  WaitOutcome o = TRY(wait_for_child(task, r));
  if (o.pid == 0 && nonblocking) return Errno::again;
  if (usage && o.pid) TRY(copy_out_usage(task, usage, o.usage));
  if (!info_address) return {};
  SigInfo info;
  if (o.pid) {
    info = SigInfo(sig::chld, o.code);
    info.child.pid = o.pid;
    info.child.uid = fs::shown_uid(task.creds(), o.uid);
    info.child.status = status_for_siginfo(o);
  }
  // Linux fills the fields up to si_status and leaves the rest alone.
  return mm::copy_out_bytes(task.mm(), info_address, &info, 28);
}

Result<int> sys_pidfd_open(Task& task, int pid, uint32_t flags) {
  constexpr uint32_t kNonblock = fs::open_flag::nonblock;
  if (flags & ~kNonblock || pid <= 0) return Errno::inval;
  Ref<Task> target = find_task(task, pid);
  if (!target) return Errno::srch;
  if (target->group().pid != target->tid()) return Errno::inval;  // a thread, not a process
  return open_pidfd(task, target->group(), flags);
}

Result<int> sys_pidfd_getfd(Task& task, int pidfd, int fd, uint32_t flags) {
  if (flags != 0) return Errno::inval;
  Ref<ThreadGroup> group = TRY(group_of_pidfd(task, pidfd));
  Ref<Task> target;
  {
    LockGuard tree(g_tree_lock);
    if (group->leader && !group->leader->dead) target = Ref<Task>(*group->leader);
  }
  if (!target) return Errno::srch;
  if (!may_inspect(*target, InspectAs::real_creds)) return Errno::perm;
  Ref<fs::FdTable> files = target->files_ref();
  if (!files) return Errno::srch;
  Ref<fs::File> file = TRY(files->get(fd));
  return task.files().install(std::move(file), true, task.limit(static_cast<unsigned>(Resource::nofile)));
}

Result<void> sys_pidfd_send_signal(Task& task, int fd, int signal, uint64_t info_address, uint32_t flags) {
  if (flags != 0) return Errno::inval;
  Ref<ThreadGroup> group = TRY(group_to_signal(task, fd));
  if (!task.pid_namespace().contains(group->pid_namespace())) return Errno::inval;
  if (signal != 0 && !signal_valid(signal)) return Errno::inval;
  SigInfo info = user_signal_info(task, signal, sig_code::user);
  if (info_address) {
    info = TRY(mm::copy_in(task.mm(), UserPtr<SigInfo>(info_address)));
    if (info.signo != signal) return Errno::inval;
    if (group->pid != task.pid() && (info.code >= 0 || info.code == sig_code::tkill)) return Errno::perm;
  }
  return signal_group_checked(task, *group, info);
}

}  // namespace runsc::kernel
