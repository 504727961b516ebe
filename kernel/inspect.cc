#include "kernel/inspect.h"

#include "fs/user_namespace.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

namespace {

// Of ThreadGroup::dumpable: the value, and the level above it.
constexpr int32_t kValueMask = 0xff;
constexpr unsigned kLevelShift = 8;

bool is_capable_over(const fs::Credentials& creds, const fs::UserNamespace* ns) {
  return fs::is_capable(creds, ns, fs::Cap::sys_ptrace);
}

// Who can read its memory sees the program, too: a capability where it was executed is needed then. From
// there namespaces only lead down.
const fs::UserNamespace* executed_in(const ThreadGroup& group, const fs::Credentials& creds) {
  const auto level = static_cast<uint32_t>(group.dumpable.load(std::memory_order_relaxed)) >> kLevelShift;
  const fs::UserNamespace* ns = creds.user_ns.get();
  while (ns && ns->level() > level) ns = ns->parent();
  return ns;
}

bool is_caller(const fs::Credentials& mine, const fs::Credentials& theirs, InspectAs as) {
  const bool by_files = as == InspectAs::fs_creds;
  const uint32_t uid = by_files ? mine.fsuid : mine.uid, gid = by_files ? mine.fsgid : mine.gid;
  return uid == theirs.euid && uid == theirs.suid && uid == theirs.uid && gid == theirs.egid &&
         gid == theirs.sgid && gid == theirs.gid;
}

}  // namespace

int32_t dumpable(const ThreadGroup& group) {
  return group.dumpable.load(std::memory_order_relaxed) & kValueMask;
}

void set_dumpable(ThreadGroup& group, int32_t value) {
  int32_t old = group.dumpable.load(std::memory_order_relaxed);
  while (!group.dumpable.compare_exchange_weak(old, (old & ~kValueMask) | value, std::memory_order_relaxed)) {
  }
}

void set_dumpable(ThreadGroup& group, int32_t value, uint32_t namespace_level) {
  group.dumpable.store(value | static_cast<int32_t>(namespace_level << kLevelShift),
                       std::memory_order_relaxed);
}

bool may_inspect(const Task& target, InspectAs as) {
  const Task& me = Task::current();
  if (&me.group() == &target.group()) return true;
  const fs::Credentials& mine = me.creds();
  Ref<fs::Credentials> theirs = target.creds_ref();
  if (!theirs) return false;
  const bool privileged = is_capable_over(mine, theirs->user_ns.get());
  if (!is_caller(mine, *theirs, as) && !privileged) return false;
  // What has ended has nothing to hide.
  if (dumpable(target.group()) != 1 && target.mm_ref() &&
      !is_capable_over(mine, executed_in(target.group(), *theirs)))
    return false;
  const uint64_t caps = as == InspectAs::fs_creds ? mine.effective : mine.permitted;
  return privileged || (mine.user_ns == theirs->user_ns && (theirs->permitted & ~caps) == 0);
}

}  // namespace runsc::kernel
