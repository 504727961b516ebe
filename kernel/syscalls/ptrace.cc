// ptrace(2).
#include "kernel/syscalls/ptrace.h"

#include "kernel/ptrace/ptrace.h"
#include "kernel/ptrace/registers.h"
#include "kernel/signal/signal.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace abi;

namespace {

enum class Request : int64_t {
  traceme = 0,
  peektext = 1,
  peekdata = 2,
  peekuser = 3,
  poketext = 4,
  pokedata = 5,
  pokeuser = 6,
  cont = 7,
  kill = 8,
  singlestep = 9,
  getregs = 12,
  setregs = 13,
  getfpregs = 14,
  setfpregs = 15,
  attach = 16,
  detach = 17,
  syscall = 24,
  arch_prctl = 30,
  sysemu = 31,
  sysemu_singlestep = 32,
  setoptions = 0x4200,
  geteventmsg = 0x4201,
  getsiginfo = 0x4202,
  setsiginfo = 0x4203,
  getregset = 0x4204,
  setregset = 0x4205,
  seize = 0x4206,
  interrupt = 0x4207,
  listen = 0x4208,
  peeksiginfo = 0x4209,
  getsigmask = 0x420a,
  setsigmask = 0x420b,
  get_syscall_info = 0x420e,
};

// Linux's ptrace_check_attach(): ESRCH unless it is ours and stands still for requests.
Result<void> check_tracee(Task& task, Task& target, Request request) {
  const PtraceState& p = target.ptrace;
  LockGuard guard(target.group().signal_lock);
  if (p.tracer != &task) return Errno::srch;
  if (request == Request::kill || request == Request::interrupt) return {};
  if (!p.stopped || p.listening || fatal_signal_pending_locked(target)) return Errno::srch;
  return {};
}

// ---- Memory

Result<void> peek(Task& task, Task& tracee, uint64_t address, uint64_t out) {
  Ref<mm::AddressSpace> space = tracee.mm_ref();
  uint64_t value = 0;
  if (!space) return Errno::io;
  auto got = space->read_remote(address, std::as_writable_bytes(std::span(&value, 1)));
  if (!got || *got != sizeof value) return Errno::io;
  return mm::copy_out(task.mm(), UserPtr<uint64_t>(out), value);
}

Result<void> poke(Task& tracee, uint64_t address, uint64_t value) {
  Ref<mm::AddressSpace> space = tracee.mm_ref();
  if (!space) return Errno::io;
  auto put = space->write_remote(address, std::as_bytes(std::span(&value, 1)));
  if (!put || *put != sizeof value) return Errno::io;
  return {};
}

// ---- Going on

Result<void> resume(Task& task, Task& tracee, Request request, uint64_t signal) {
  if (signal > static_cast<uint64_t>(sig::max)) return Errno::io;
  bool emulate = request == Request::sysemu || request == Request::sysemu_singlestep;
  bool step = request == Request::singlestep || request == Request::sysemu_singlestep;
  PtraceState& p = tracee.ptrace;
  {
    LockGuard guard(tracee.group().signal_lock);
    if (p.tracer != &task || !p.stopped) return Errno::srch;
    p.emulate = emulate;
    p.step = step;
    tracee.work.assign(Work::ptrace_syscall, emulate || request == Request::syscall);
    tracee.work.assign(Work::ptrace_step, step);
    p.code = static_cast<int>(signal);
    p.stopped = false;
  }
  tracee.sched.unpark();
  return {};
}

Result<void> detach(Task& task, Task& tracee, uint64_t signal) {
  if (signal > static_cast<uint64_t>(sig::max)) return Errno::io;
  LockGuard tree(g_tree_lock);
  {
    LockGuard guard(tracee.group().signal_lock);
    if (tracee.ptrace.tracer != &task || !tracee.ptrace.stopped) return Errno::srch;
    tracee.ptrace.code = static_cast<int>(signal);
  }
  ptrace_unlink_locked(tracee);
  return {};
}

Result<void> interrupt(Task& tracee) {
  LockGuard guard(tracee.group().signal_lock);
  PtraceState& p = tracee.ptrace;
  if (!p.seized) return Errno::io;
  p.trap_pending = true;
  if (p.listening) p.stopped = p.listening = false;
  signal_wake(tracee);
  return {};
}

Result<void> listen(Task& tracee) {
  LockGuard guard(tracee.group().signal_lock);
  PtraceState& p = tracee.ptrace;
  if (!p.seized || !p.has_info || p.info.code >> 8 != static_cast<int>(PtraceEvent::stop)) return Errno::io;
  p.listening = true;
  // What changed before it listens is to be told, too.
  if (p.notify_pending) {
    p.stopped = p.listening = false;
    signal_wake(tracee);
  }
  return {};
}

Result<void> kill(Task& tracee) {
  const bool inside = tracee.pid_namespace().contains(Task::current().pid_namespace());
  (void)queue_signal(tracee, false, SigInfo(sig::kill, sig_code::user),
                     inside ? Origin::user : Origin::outside);
  return {};
}

Result<void> set_options(Task& tracee, uint64_t options) {
  if (options & ~uint64_t{ptrace_option::all}) return Errno::inval;
  LockGuard tree(g_tree_lock);
  LockGuard guard(tracee.group().signal_lock);
  tracee.ptrace.options = static_cast<uint32_t>(options);
  return {};
}

// ---- Signals

// EINVAL: a stop of job control has none.
Result<SigInfo> stop_info(Task& tracee) {
  LockGuard guard(tracee.group().signal_lock);
  if (!tracee.ptrace.stopped) return Errno::srch;
  if (!tracee.ptrace.has_info) return Errno::inval;
  return tracee.ptrace.info;
}

Result<void> get_siginfo(Task& task, Task& tracee, uint64_t out) {
  SigInfo info = TRY(stop_info(tracee));
  return mm::copy_out_bytes(task.mm(), out, &info, sizeof info);
}

Result<void> set_siginfo(Task& task, Task& tracee, uint64_t in) {
  SigInfo info;
  TRY(mm::copy_in_bytes(task.mm(), &info, in, sizeof info));
  LockGuard guard(tracee.group().signal_lock);
  if (!tracee.ptrace.stopped) return Errno::srch;
  if (!tracee.ptrace.has_info) return Errno::inval;
  tracee.ptrace.info = info;
  return {};
}

Result<int64_t> peek_siginfo(Task& task, Task& tracee, uint64_t arguments, uint64_t out) {
  struct Arguments {
    uint64_t offset;
    uint32_t flags;
    int32_t count;
  };
  constexpr uint32_t kShared = 1;
  auto a = TRY(mm::copy_in(task.mm(), UserPtr<Arguments>(arguments)));
  if (a.flags & ~kShared || a.count < 0) return Errno::inval;
  int32_t done = 0;
  for (; done < a.count; ++done) {
    SigInfo info;
    {
      LockGuard guard(tracee.group().signal_lock);
      const SignalQueue& queue = a.flags & kShared ? tracee.group().queue : tracee.signals.queue;
      const SigInfo* found = queue.peek(a.offset + static_cast<uint64_t>(done));
      if (!found) break;
      info = *found;
    }
    const uint64_t to = out + static_cast<uint64_t>(done) * sizeof info;
    if (auto copied = mm::copy_out_bytes(task.mm(), to, &info, sizeof info); !copied) {
      if (done == 0) return copied.error();
      break;
    }
  }
  return done;
}

Result<void> get_sigmask(Task& task, Task& tracee, uint64_t size, uint64_t out) {
  if (size != sizeof(uint64_t)) return Errno::inval;
  // While sigsuspend(2) waits to give the mask back, that one counts.
  uint64_t mask = tracee.work.has(Work::restore_mask)
                      ? tracee.signals.saved_mask
                      : tracee.signals.blocked.load(std::memory_order_relaxed);
  return mm::copy_out(task.mm(), UserPtr<uint64_t>(out), mask);
}

Result<void> set_sigmask(Task& task, Task& tracee, uint64_t size, uint64_t in) {
  if (size != sizeof(uint64_t)) return Errno::inval;
  uint64_t mask = TRY(mm::copy_in(task.mm(), UserPtr<uint64_t>(in)));
  return in_tracee(task, tracee, [&](Task& t) {
    t.work.clear(Work::restore_mask);
    set_blocked(t, mask);
  });
}

// ---- PTRACE_GET_SYSCALL_INFO

struct SyscallInfo {  // struct ptrace_syscall_info
  uint8_t op;
  uint8_t pad[3];
  uint32_t arch;
  uint64_t ip, sp;
  union {
    struct {
      uint64_t nr, args[6];
      uint32_t data;  // seccomp alone
    } entry;
    struct {
      int64_t value;
      uint8_t is_error;
    } exit;
  };
};
constexpr size_t kInfoHead = offsetof(SyscallInfo, entry);

size_t fill_syscall_info(Task& t, SyscallInfo& info) {
  enum : uint8_t { kNone, kEntry, kExit, kSeccomp };
  constexpr uint32_t kAuditArchX86_64 = 0xc000003e;
  constexpr int kSyscallStop = sig::trap | 0x80;
  constexpr int kSeccompStop = sig::trap | static_cast<int>(PtraceEvent::seccomp) << 8;
  constexpr uint64_t kMessageEntry = 1, kMessageExit = 2;
  const arch::UserRegs& r = t.regs();
  const PtraceState& p = t.ptrace;
  info.arch = kAuditArchX86_64;
  info.ip = r.rip;
  info.sp = r.rsp;
  info.op = kNone;
  if (!p.has_info) return kInfoHead;
  if (p.info.code == kSyscallStop && p.message == kMessageExit) {
    constexpr int64_t kMaxErrno = 4095;
    info.op = kExit;
    info.exit.value = static_cast<int64_t>(r.rax);
    info.exit.is_error = info.exit.value < 0 && info.exit.value >= -kMaxErrno;
    return offsetof(SyscallInfo, exit.is_error) + sizeof info.exit.is_error;
  }
  const bool entry = p.info.code == kSyscallStop && p.message == kMessageEntry;
  if (!entry && p.info.code != kSeccompStop) return kInfoHead;
  info.op = entry ? kEntry : kSeccomp;
  info.entry = {r.orig_rax, {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}, static_cast<uint32_t>(p.message)};
  return offsetof(SyscallInfo, entry.data) + (entry ? 0 : sizeof info.entry.data);
}

Result<int64_t> get_syscall_info(Task& task, Task& tracee, uint64_t size, uint64_t out) {
  SyscallInfo info{};
  size_t actual = 0;
  TRY(in_tracee(task, tracee, [&](Task& t) { actual = fill_syscall_info(t, info); }));
  TRY(mm::copy_out_bytes(task.mm(), out, &info, size < actual ? size : actual));
  return static_cast<int64_t>(actual);
}

Result<void> get_message(Task& task, Task& tracee, uint64_t out) {
  uint64_t message = 0;
  {
    LockGuard guard(tracee.group().signal_lock);
    message = tracee.ptrace.message;
  }
  return mm::copy_out(task.mm(), UserPtr<uint64_t>(out), message);
}

// ARCH_GET_FS and the like, from outside.
Result<void> remote_arch_prctl(Task& task, Task& tracee, uint64_t out_or_base, int option) {
  enum { kSetGs = 0x1001, kSetFs, kGetFs, kGetGs };
  constexpr uint64_t kFsBaseAt = 21 * 8, kGsBaseAt = 22 * 8;
  switch (option) {
    case kGetFs:
    case kGetGs:
      return ptrace_peek_user(task, tracee, option == kGetFs ? kFsBaseAt : kGsBaseAt, out_or_base);
    case kSetFs:
    case kSetGs:
      if (out_or_base >= arch::kUserEnd) return Errno::perm;
      return ptrace_poke_user(task, tracee, option == kSetFs ? kFsBaseAt : kGsBaseAt, out_or_base);
    default:
      return Errno::inval;
  }
}

Result<void> plain_request(Task& task, Task& t, Request request, uint64_t address, uint64_t data) {
  switch (request) {
    case Request::peektext:
    case Request::peekdata:
      return peek(task, t, address, data);
    case Request::poketext:
    case Request::pokedata:
      return poke(t, address, data);
    case Request::peekuser:
      return ptrace_peek_user(task, t, address, data);
    case Request::pokeuser:
      return ptrace_poke_user(task, t, address, data);
    case Request::getregs:
      return ptrace_get_regs(task, t, data);
    case Request::setregs:
      return ptrace_set_regs(task, t, data);
    case Request::getfpregs:
      return ptrace_get_fpregs(task, t, data);
    case Request::setfpregs:
      return ptrace_set_fpregs(task, t, data);
    case Request::getregset:
      return ptrace_register_set(task, t, static_cast<uint32_t>(address), data, RegisterSet::get);
    case Request::setregset:
      return ptrace_register_set(task, t, static_cast<uint32_t>(address), data, RegisterSet::set);
    case Request::arch_prctl:
      return remote_arch_prctl(task, t, address, static_cast<int>(data));
    case Request::geteventmsg:
      return get_message(task, t, data);
    case Request::getsiginfo:
      return get_siginfo(task, t, data);
    case Request::setsiginfo:
      return set_siginfo(task, t, data);
    case Request::getsigmask:
      return get_sigmask(task, t, address, data);
    case Request::setsigmask:
      return set_sigmask(task, t, address, data);
    default:
      return Errno::io;
  }
}

Result<int64_t> control_request(Task& task, Task& t, Request request, uint64_t address, uint64_t data) {
  auto zero = [](Result<void> r) -> Result<int64_t> {
    if (!r) return r.error();
    return int64_t{0};
  };
  switch (request) {
    case Request::cont:
    case Request::syscall:
    case Request::singlestep:
    case Request::sysemu:
    case Request::sysemu_singlestep:
      return zero(resume(task, t, request, data));
    case Request::detach:
      return zero(detach(task, t, data));
    case Request::kill:
      return zero(kill(t));
    case Request::interrupt:
      return zero(interrupt(t));
    case Request::listen:
      return zero(listen(t));
    case Request::setoptions:
      return zero(set_options(t, data));
    case Request::peeksiginfo:
      return peek_siginfo(task, t, address, data);
    case Request::get_syscall_info:
      return get_syscall_info(task, t, address, data);
    default:
      return zero(plain_request(task, t, request, address, data));
  }
}

Result<void> begin_tracing(Task& task, Task& target, Request request, uint64_t address, uint64_t data) {
  const bool seize = request == Request::seize;
  if (seize && (address != 0 || data & ~uint64_t{ptrace_option::all})) return Errno::io;
  return ptrace_attach(task, target, seize, seize ? static_cast<uint32_t>(data) : 0);
}

}  // namespace

Result<int64_t> sys_ptrace(Task& task, int64_t number, int64_t pid, uint64_t address, uint64_t data) {
  const auto request = static_cast<Request>(number);
  if (request == Request::traceme) {
    TRY(ptrace_traceme(task));
    return int64_t{0};
  }
  Ref<Task> target = find_task(task, static_cast<int32_t>(pid));
  if (!target) return Errno::srch;
  if (request == Request::attach || request == Request::seize) {
    TRY(begin_tracing(task, *target, request, address, data));
    return int64_t{0};
  }
  TRY(check_tracee(task, *target, request));
  return control_request(task, *target, request, address, data);
}

}  // namespace runsc::kernel
