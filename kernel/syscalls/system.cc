// uname(2), sysinfo(2), syslog(2), getrandom(2), getcpu(2), membarrier(2), reboot(2).
#include <algorithm>

#include "fs/user_namespace.h"
#include "kernel/base/cpu_hooks.h"
#include "kernel/control/containers.h"
#include "kernel/exit.h"
#include "kernel/klog.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/random.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/tasks.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"
#include "mm/phys.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

void put(char (&to)[65], std::string_view s) {
  size_t n = std::min(s.size(), sizeof to - 1);
  std::copy(s.begin(), s.begin() + n, to);
}

Result<void> set_name(Task& task, uint64_t address, uint64_t size,
                      Result<void> (UtsNamespace::*set)(std::string_view)) {
  if (!fs::is_capable(task.creds(), task.namespaces().uts().owner(), fs::Cap::sys_admin)) return Errno::perm;
  if (size > kUtsMax) return Errno::inval;
  char text[kUtsMax];
  TRY(mm::copy_in_bytes(task.mm(), text, address, size));
  return (task.namespaces().uts().*set)({text, size});
}

}  // namespace

Result<void> sys_uname(Task& task, uint64_t buffer) {
  struct {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
  } u = {};
  UtsNamespace& uts = task.namespaces().uts();
  put(u.sysname, kSysName);
  put(u.nodename, uts.hostname().view());
  put(u.release, kRelease);
  put(u.version, kVersion);
  put(u.machine, kMachine);
  put(u.domainname, uts.domainname().view());
  return mm::copy_out_bytes(task.mm(), buffer, &u, sizeof u);
}

Result<void> sys_sethostname(Task& task, uint64_t name, uint64_t size) {
  return set_name(task, name, size, &UtsNamespace::set_hostname);
}
Result<void> sys_setdomainname(Task& task, uint64_t name, uint64_t size) {
  return set_name(task, name, size, &UtsNamespace::set_domainname);
}

Result<void> sys_sysinfo(Task& task, uint64_t buffer) {
  struct Info {
    int64_t uptime;
    uint64_t loads[3], total, free, shared, buffers, total_swap, free_swap;
    uint16_t procs, pad;
    uint32_t pad2;
    uint64_t total_high, free_high;
    uint32_t unit, pad3;
  } i = {};
  static_assert(sizeof(Info) == 112);
  const VisibleMemory memory = visible_memory(*task.group().container);
  i.uptime = static_cast<int64_t>(monotonic_ns() / 1'000'000'000);
  sched_load_average(i.loads);
  for (uint64_t& l : i.loads) l <<= 5;  // 1/2048 here, 1/65536 there
  i.total = memory.total * mm::kPageSize;
  i.free = memory.free * mm::kPageSize;
  i.procs = static_cast<uint16_t>(task_count());
  i.unit = 1;
  return mm::copy_out(task.mm(), UserPtr<Info>(buffer), i);
}

namespace {

Result<size_t> copy_log(Task& task, uint64_t buffer, int size) {
  if (size < 0 || buffer == 0) return Errno::inval;
  Vec<char> text;
  TRY(text.resize(std::min<size_t>(static_cast<size_t>(size), kKlogSize)));
  size_t n = klog_read_all(text.span());
  TRY(mm::copy_out_bytes(task.mm(), buffer, text.data(), n));
  return n;
}

}  // namespace

Result<size_t> sys_syslog(Task& task, int action, uint64_t buffer, int size) {
  constexpr int kClose = 0, kOpen = 1, kRead = 2, kReadAll = 3, kReadClear = 4, kClear = 5, kConsoleOff = 6,
                kConsoleOn = 7, kConsoleLevel = 8, kSizeUnread = 9, kSizeBuffer = 10;
  bool privileged = task.creds().has(fs::Cap::syslog) || task.creds().has(fs::Cap::sys_admin);
  switch (action) {
    case kReadAll:
      return copy_log(task, buffer, size);
    case kSizeBuffer:
      return kKlogSize;
    case kClose:
    case kOpen:
      return size_t{0};
    case kRead:
    case kReadClear:
    case kClear:
    case kConsoleOff:
    case kConsoleOn:
    case kConsoleLevel:
    case kSizeUnread:
      if (!privileged) return Errno::perm;
      if (action == kRead || action == kReadClear) return copy_log(task, buffer, size);
      return size_t{0};
    default:
      return Errno::inval;
  }
}

Result<size_t> sys_getrandom(Task& task, uint64_t buffer, size_t size, uint32_t flags) {
  constexpr uint32_t kNonblock = 1, kRandom = 2, kInsecure = 4;
  if (flags & ~(kNonblock | kRandom | kInsecure)) return Errno::inval;
  if ((flags & (kRandom | kInsecure)) == (kRandom | kInsecure)) return Errno::inval;
  size = std::min<size_t>(size, 0x7ffff000);
  std::byte chunk[256];
  for (size_t done = 0; done < size;) {
    size_t n = std::min(size - done, sizeof chunk);
    random_bytes(std::span(chunk, n));
    auto copied = mm::copy_out_bytes(task.mm(), buffer + done, chunk, n);
    if (!copied) return done > 0 ? Result<size_t>(done) : copied.error();
    done += n;
    if (task.signal_pending() && done < size && done >= 256) return done;
  }
  return size;
}

Result<void> sys_getcpu(Task& task, uint64_t cpu, uint64_t node, uint64_t) {
  uint32_t number = arch::cpu_local().id, zero = 0;
  if (cpu) TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(cpu), number));
  if (node) TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(node), zero));
  return {};
}

namespace {

// Every CPU that runs user code enters the kernel, which is a full barrier there.
void interrupt_other_cpus() {
  unsigned self = arch::cpu_local().id;
  for (unsigned i = 0; i < arch::cpu_count(); ++i) {
    if (i == self) continue;
    auto& state = arch::shared().cpu[i].state;
    if (state.load(std::memory_order_seq_cst) != hostcall::CpuShared::user) continue;
    arch::cpu_wake(i);
    for (uint32_t round = 0;
         round < 100000 && state.load(std::memory_order_seq_cst) == hostcall::CpuShared::user; ++round)
      spin_relax(round);
  }
}

}  // namespace

Result<uint64_t> sys_membarrier(Task& task, int command, uint32_t flags, int cpu) {
  constexpr int kQuery = 0, kGlobal = 1, kGlobalExpedited = 2, kRegisterGlobal = 4, kPrivate = 8,
                kRegisterPrivate = 16, kSyncCore = 32, kRegisterSyncCore = 64, kRseq = 128,
                kRegisterRseq = 256, kGetRegistrations = 512;
  constexpr uint32_t kFlagCpu = 1;
  if (flags & ~(command == kRseq ? kFlagCpu : 0)) return Errno::inval;
  std::atomic<uint64_t>& registered = task.group().membarrier;
  switch (command) {
    case kQuery:
      return uint64_t{kGlobal | kGlobalExpedited | kRegisterGlobal | kPrivate | kRegisterPrivate | kSyncCore |
                      kRegisterSyncCore | kRseq | kRegisterRseq | kGetRegistrations};
    case kGetRegistrations: {
      const uint64_t now = registered.load();
      return now | (now & (kRegisterSyncCore | kRegisterRseq) ? uint64_t{kRegisterPrivate} : 0);
    }
    case kRegisterGlobal:
    case kRegisterPrivate:
    case kRegisterSyncCore:
    case kRegisterRseq:
      registered.fetch_or(static_cast<uint64_t>(command));
      return uint64_t{0};
    case kSyncCore:
      if (!(registered.load() & kRegisterSyncCore)) return Errno::perm;
      sched_run_afresh(kOtherCpus);
      return uint64_t{0};
    case kRseq:
      if (!(registered.load() & kRegisterRseq)) return Errno::perm;
      if (!(flags & kFlagCpu)) cpu = static_cast<int>(kOtherCpus);
      sched_run_afresh(static_cast<unsigned>(cpu));
      return uint64_t{0};
    case kPrivate:
      if (!(registered.load() & kRegisterPrivate)) return Errno::perm;
      [[fallthrough]];
    case kGlobal:
    case kGlobalExpedited:
      std::atomic_thread_fence(std::memory_order_seq_cst);
      interrupt_other_cpus();
      return uint64_t{0};
    default:
      return Errno::inval;
  }
}

namespace {

// The signal by which the init of a PID namespace seems to have died (reboot(2), "Behavior inside PID
// namespaces"). EINVAL.
Result<int> reboot_signal(uint32_t command) {
  constexpr uint32_t kRestart = 0x01234567, kRestart2 = 0xa1b2c3d4, kHalt = 0xcdef0123,
                     kPowerOff = 0x4321fedc;
  if (command == kRestart || command == kRestart2) return abi::sig::hup;
  if (command == kHalt || command == kPowerOff) return abi::sig::intr;
  return Errno::inval;
}

}  // namespace

// In a namespace of the container it ends the init there. The container's own is the runtime's to restart.
Result<void> sys_reboot(Task& task, uint32_t magic1, uint32_t magic2, uint32_t command, uint64_t) {
  constexpr uint32_t kMagic1 = 0xfee1dead, kMagic2 = 672274793, kMagic2a = 85072278, kMagic2b = 369367448,
                     kMagic2c = 537993216;
  if (!fs::is_capable(task.creds(), task.pid_namespace().owner(), fs::Cap::sys_boot)) return Errno::perm;
  if (magic1 != kMagic1 ||
      (magic2 != kMagic2 && magic2 != kMagic2a && magic2 != kMagic2b && magic2 != kMagic2c))
    return Errno::inval;
  PidNamespace& ns = task.pid_namespace();
  if (ns.is_first()) return Errno::perm;
  const int signal = TRY(reboot_signal(command));
  Ref<ThreadGroup> init;
  {
    LockGuard tree(g_tree_lock);
    if (ns.init) init = Ref<ThreadGroup>(*ns.init);
  }
  if (init) begin_group_exit(*init, death_status(signal));
  init = nullptr;
  exit_group(task, exit_status(0));
}

}  // namespace runsc::kernel
