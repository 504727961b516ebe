#include "kernel/inspect.h"

#include "fs/user_namespace.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

bool may_inspect(const Task& target, InspectAs as) {
  const Task& me = Task::current();
  if (&me.group() == &target.group()) return true;
  const fs::Credentials& mine = me.creds();
  Ref<fs::Credentials> theirs = target.creds_ref();
  if (!theirs) return false;
  if (fs::is_capable(mine, theirs->user_ns.get(), fs::Cap::sys_ptrace)) return true;
  const bool by_files = as == InspectAs::fs_creds;
  const uint32_t uid = by_files ? mine.fsuid : mine.uid, gid = by_files ? mine.fsgid : mine.gid;
  bool same = uid == theirs->euid && uid == theirs->suid && uid == theirs->uid && gid == theirs->egid &&
              gid == theirs->sgid && gid == theirs->gid;
  if (!same) return false;
  // What has ended has nothing to hide.
  if (target.group().dumpable.load(std::memory_order_relaxed) != 1 && target.mm_ref()) return false;
  const uint64_t caps = by_files ? mine.effective : mine.permitted;
  return mine.user_ns == theirs->user_ns && (theirs->permitted & ~caps) == 0;
}

}  // namespace runsc::kernel
