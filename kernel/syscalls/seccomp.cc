// seccomp(2), and prctl(2)'s PR_SET_SECCOMP.
#include "kernel/seccomp/seccomp.h"

#include "kernel/pid.h"
#include "kernel/syscalls/tasks.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kTsync = 1, kLog = 2, kSpecAllow = 4, kTsyncEsrch = 16,
                   kKnownFlags = kTsync | kLog | kSpecAllow | kTsyncEsrch;

Result<void> enter_strict(Task& task) {
  if (task.seccomp.mode() == SeccompMode::filter) return Errno::inval;
  task.seccomp.set(SeccompMode::strict, {});
  task.work.set(Work::seccomp);
  return {};
}

Result<Vec<BpfInstruction>> read_program(Task& task, uint64_t address) {
  struct {
    uint16_t length;
    uint64_t instructions;
  } program;  // struct sock_fprog
  TRY(mm::copy_in_bytes(task.mm(), &program, address, sizeof program));
  if (program.length == 0 || program.length > kBpfMaxInstructions) return Errno::inval;
  if (!task.creds().no_new_privs && !task.seccomp.no_new_privs && !task.creds().has_own(fs::Cap::sys_admin))
    return Errno::acces;
  if (program.instructions == 0) return Errno::inval;
  Vec<BpfInstruction> text;
  TRY(text.reserve(program.length));
  for (unsigned i = 0; i < program.length; ++i) TRY(text.push_back({}));
  TRY(mm::copy_in_bytes(task.mm(), text.data(), program.instructions,
                        program.length * sizeof(BpfInstruction)));
  TRY(bpf_check(text.span()));
  return text;
}

// A thread whose filters are not the caller's older ones would lose some. 0: none.
int32_t thread_in_the_way_locked(Task& task, const SeccompFilter* mine) REQUIRES(g_tree_lock) {
  int32_t found = 0;
  for_each_thread_locked(task.group(), [&](Task& t) {
    if (found || &t == &task || t.dead || t.seccomp.mode() == SeccompMode::disabled) return;
    Ref<SeccompFilter> theirs = t.seccomp.filter();
    if (t.seccomp.mode() == SeccompMode::strict || (theirs && !(mine && mine->descends_from(theirs.get()))))
      found = t.tid();
  });
  return number_in_locked(task.pid_namespace(), found);
}

Result<uint64_t> add_filter(Task& task, uint32_t flags, uint64_t address) {
  if (flags & ~kKnownFlags) return Errno::inval;
  Vec<BpfInstruction> program = TRY(read_program(task, address));
  if (task.seccomp.mode() == SeccompMode::strict) return Errno::inval;
  Ref<SeccompFilter> fresh = TRY(SeccompFilter::create(std::move(program)));
  // The tree lock keeps other threads' synchronisation, and their children, apart from ours.
  LockGuard guard(g_tree_lock);
  Ref<SeccompFilter> mine = task.seccomp.filter();
  TRY(fresh->put_before(mine));
  if (flags & kTsync) {
    if (int32_t tid = thread_in_the_way_locked(task, mine.get()))
      return flags & kTsyncEsrch ? Result<uint64_t>(Errno::srch)
                                 : Result<uint64_t>(static_cast<uint64_t>(tid));
  }
  bool no_new_privs = task.creds().no_new_privs || task.seccomp.no_new_privs;
  for_each_thread_locked(task.group(), [&](Task& t) {
    if (&t != &task && !(flags & kTsync)) return;
    t.seccomp.set(SeccompMode::filter, fresh);
    if (no_new_privs) t.seccomp.no_new_privs.store(true);
    t.work.set(Work::seccomp);
  });
  return uint64_t{0};
}

Result<void> action_available(Task& task, uint64_t address) {
  uint32_t action = TRY(mm::copy_in(task.mm(), UserPtr<uint32_t>(address)));
  switch (action) {
    case seccomp_action::kill_process:
    case seccomp_action::kill_thread:
    case seccomp_action::trap:
    case seccomp_action::error:
    case seccomp_action::trace:
    case seccomp_action::log:
    case seccomp_action::allow:
      return {};
    default:
      return Errno::opnotsupp;
  }
}

}  // namespace

Result<uint64_t> sys_seccomp(Task& task, uint32_t operation, uint32_t flags, uint64_t argument) {
  enum : uint32_t { kSetStrict, kSetFilter, kGetActionAvailable };
  switch (operation) {
    case kSetStrict:
      if (flags != 0 || argument != 0) return Errno::inval;
      TRY(enter_strict(task));
      return uint64_t{0};
    case kSetFilter:
      return add_filter(task, flags, argument);
    case kGetActionAvailable:
      if (flags != 0) return Errno::inval;
      TRY(action_available(task, argument));
      return uint64_t{0};
    default:
      return Errno::inval;
  }
}

Result<uint64_t> prctl_set_seccomp(Task& task, uint64_t mode, uint64_t argument) {
  switch (mode) {
    case static_cast<uint64_t>(SeccompMode::strict):
      TRY(enter_strict(task));
      return uint64_t{0};
    case static_cast<uint64_t>(SeccompMode::filter):
      return add_filter(task, 0, argument);
    default:
      return Errno::inval;
  }
}

}  // namespace runsc::kernel
