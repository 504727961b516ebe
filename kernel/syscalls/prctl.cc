// prctl(2), arch_prctl(2), personality(2).
#include "kernel/inspect.h"
#include "kernel/pid.h"
#include "kernel/syscalls/tasks.h"
#include "kernel/thread_group.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using fs::Cap;
using fs::Credentials;

namespace {

enum Prctl : int {
  kSetPdeathsig = 1,
  kGetPdeathsig = 2,
  kGetDumpable = 3,
  kSetDumpable = 4,
  kGetKeepcaps = 7,
  kSetKeepcaps = 8,
  kGetTiming = 13,
  kSetTiming = 14,
  kSetName = 15,
  kGetName = 16,
  kGetSeccomp = 21,
  kSetSeccomp = 22,
  kCapbsetRead = 23,
  kCapbsetDrop = 24,
  kGetTsc = 25,
  kSetTsc = 26,
  kPerfEventsDisable = 31,
  kPerfEventsEnable = 32,
  kGetSecurebits = 27,
  kSetSecurebits = 28,
  kSetTimerslack = 29,
  kGetTimerslack = 30,
  kSetMm = 35,
  kSetChildSubreaper = 36,
  kGetChildSubreaper = 37,
  kSetNoNewPrivs = 38,
  kGetNoNewPrivs = 39,
  kGetTidAddress = 40,
  kCapAmbient = 47,
  kSetVma = 0x53564d41,
};

constexpr uint32_t kKeepCaps = 0x10, kKeepCapsLocked = 0x20;

template <class F>
Result<void> change(Task& task, F&& f) {
  Ref<Credentials> c = TRY(task.creds().clone());
  TRY(f(*c));
  task.set_creds(std::move(c));
  return {};
}

constexpr uint64_t bit(uint64_t cap) { return uint64_t{1} << cap; }

Result<uint64_t> ambient(Task& task, uint64_t action, uint64_t cap, uint64_t b, uint64_t c) {
  constexpr uint64_t kIsSet = 1, kRaise = 2, kLower = 3, kClear = 4;
  if (b || c) return Errno::inval;
  if (action == kClear) {
    if (cap) return Errno::inval;
    TRY(change(task, [](Credentials& n) -> Result<void> {
      n.ambient = 0;
      return {};
    }));
    return uint64_t{0};
  }
  if (cap > 40 || action < kIsSet || action > kLower) return Errno::inval;
  if (action == kIsSet) return task.creds().ambient >> cap & 1;
  TRY(change(task, [&](Credentials& n) -> Result<void> {
    if (action == kRaise && (!(n.permitted & bit(cap)) || !(n.inheritable & bit(cap)))) return Errno::perm;
    n.ambient = action == kRaise ? n.ambient | bit(cap) : n.ambient & ~bit(cap);
    return {};
  }));
  return uint64_t{0};
}

Result<uint64_t> capability_option(Task& task, int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  const Credentials& creds = task.creds();
  switch (option) {
    case kCapbsetRead:
      if (a > 40) return Errno::inval;
      return creds.bounding >> a & 1;
    case kCapbsetDrop:
      if (!creds.has_own(Cap::setpcap)) return Errno::perm;
      if (a > 40) return Errno::inval;
      TRY(change(task, [&](Credentials& n) -> Result<void> {
        n.bounding &= ~bit(a);
        return {};
      }));
      return uint64_t{0};
    case kGetKeepcaps:
      return creds.securebits & kKeepCaps ? uint64_t{1} : 0;
    case kSetKeepcaps:
      if (a > 1) return Errno::inval;
      if (creds.securebits & kKeepCapsLocked) return Errno::perm;
      TRY(change(task, [&](Credentials& n) -> Result<void> {
        n.securebits = a ? n.securebits | kKeepCaps : n.securebits & ~kKeepCaps;
        return {};
      }));
      return uint64_t{0};
    case kGetSecurebits:
      return uint64_t{creds.securebits};
    case kSetSecurebits: {
      // A locked bit (the odd ones) keeps its neighbour as it is.
      uint32_t locked = (creds.securebits & 0xaa) >> 1;
      uint32_t fresh = static_cast<uint32_t>(a);
      if (a & ~uint64_t{0xff}) return Errno::perm;
      if ((fresh ^ creds.securebits) & locked || (creds.securebits & 0xaa & ~fresh)) return Errno::perm;
      if (!creds.has_own(Cap::setpcap)) return Errno::perm;
      TRY(change(task, [&](Credentials& n) -> Result<void> {
        n.securebits = fresh;
        return {};
      }));
      return uint64_t{0};
    }
    default:
      return ambient(task, a, b, c, d);
  }
}

Result<uint64_t> name_option(Task& task, int option, uint64_t address) {
  if (option == kGetName) {
    Task::Comm comm = task.comm();
    TRY(mm::copy_out_bytes(task.mm(), address, comm.text, sizeof comm.text));
    return uint64_t{0};
  }
  char text[16] = {};
  for (size_t i = 0; i < 15; ++i) {
    TRY(mm::copy_in_bytes(task.mm(), text + i, address + i, 1));
    if (text[i] == 0) break;
  }
  task.set_comm(text);
  return uint64_t{0};
}

Result<uint64_t> process_option(Task& task, int option, uint64_t a) {
  ThreadGroup& group = task.group();
  switch (option) {
    case kSetPdeathsig:
      if (a > 64) return Errno::inval;
      task.parent_death_signal.store(static_cast<int>(a));
      return uint64_t{0};
    case kGetPdeathsig:
      TRY(mm::copy_out(task.mm(), UserPtr<int32_t>(a), int32_t{task.parent_death_signal.load()}));
      return uint64_t{0};
    case kGetDumpable:
      return static_cast<uint64_t>(dumpable(group));
    case kSetDumpable:
      if (a > 1) return Errno::inval;
      set_dumpable(group, static_cast<int32_t>(a));
      return uint64_t{0};
    case kSetChildSubreaper: {
      LockGuard tree(g_tree_lock);
      group.subreaper = a != 0;
      return uint64_t{0};
    }
    case kGetChildSubreaper: {
      int32_t on = group.subreaper;
      TRY(mm::copy_out(task.mm(), UserPtr<int32_t>(a), on));
      return uint64_t{0};
    }
    case kSetTimerslack:
      group.timer_slack_ns.store(a ? a : 50000);
      return uint64_t{0};
    case kGetTimerslack:
      return group.timer_slack_ns.load();
    default:
      return Errno::inval;
  }
}

}  // namespace

Result<uint64_t> sys_prctl(Task& task, int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  switch (option) {
    case kSetName:
    case kGetName:
      return name_option(task, option, a);
    case kCapbsetRead:
    case kCapbsetDrop:
    case kGetKeepcaps:
    case kSetKeepcaps:
    case kGetSecurebits:
    case kSetSecurebits:
    case kCapAmbient:
      return capability_option(task, option, a, b, c, d);
    case kSetNoNewPrivs:
      if (a != 1 || b || c || d) return Errno::inval;
      TRY(change(task, [](Credentials& n) -> Result<void> {
        n.no_new_privs = true;
        return {};
      }));
      return uint64_t{0};
    case kGetNoNewPrivs:
      if (a || b || c || d) return Errno::inval;
      return uint64_t{task.creds().no_new_privs || task.seccomp.no_new_privs.load()};
    case kGetTiming:
      return uint64_t{0};
    case kSetTiming:
      return a == 0 ? Result<uint64_t>(uint64_t{0}) : Errno::inval;
    case kGetTsc:
      TRY(mm::copy_out(task.mm(), UserPtr<int32_t>(a), int32_t{1}));
      return uint64_t{0};
    case kPerfEventsDisable:  // there are none
    case kPerfEventsEnable:
      return uint64_t{0};
    case kSetTsc:
      return a == 1 ? Result<uint64_t>(uint64_t{0}) : Errno::inval;
    case kGetSeccomp:
      return uint64_t{static_cast<uint8_t>(task.seccomp.mode())};
    case kSetSeccomp:
      return prctl_set_seccomp(task, a, b);
    case kSetMm:
      return Errno::perm;
    case kGetTidAddress:
      TRY(mm::copy_out(task.mm(), UserPtr<uint64_t>(a), task.clear_child_tid));
      return uint64_t{0};
    default:
      return process_option(task, option, a);
  }
}

Result<void> sys_arch_prctl(Task& task, int option, uint64_t address) {
  constexpr int kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004;
  switch (option) {
    case kSetFs:
      if (address >= arch::kUserEnd) return Errno::perm;
      arch::set_fs_base(task.user_state(), address);
      return {};
    case kSetGs:
      if (address >= arch::kUserEnd) return Errno::perm;
      arch::set_gs_base(task.user_state(), address);
      return {};
    case kGetFs:
      return mm::copy_out(task.mm(), UserPtr<uint64_t>(address), arch::fs_base(task.user_state()));
    case kGetGs:
      return mm::copy_out(task.mm(), UserPtr<uint64_t>(address), arch::gs_base(task.user_state()));
    default:
      return Errno::inval;
  }
}

Result<uint64_t> sys_personality(Task& task, uint32_t persona) {
  uint64_t old = task.personality.load(std::memory_order_relaxed);
  if (persona != 0xffffffff) task.personality.store(persona, std::memory_order_relaxed);
  return old;
}

}  // namespace runsc::kernel
