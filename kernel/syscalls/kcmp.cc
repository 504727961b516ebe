// kcmp(2).
#include "fs/epoll/epoll.h"
#include "kernel/inspect.h"
#include "kernel/ipc/sem.h"
#include "kernel/pid.h"
#include "kernel/random.h"
#include "kernel/syscalls/admin.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

enum Type : int { kFile, kVm, kFiles, kFs, kSighand, kIo, kSysvsem, kEpollTarget, kTypes };

// Addresses are compared behind a random order of their own for each type, so that the answers sort them but
// tell nothing of where things lie.
struct Disguise {
  SpinLock lock{LockRank::leaf};
  bool made GUARDED_BY(lock) = false;
  uint64_t mask[kTypes] GUARDED_BY(lock) = {}, factor[kTypes] GUARDED_BY(lock) = {};
};
constinit Disguise g_disguise;

uint64_t disguised(const void* p, int type) {
  Disguise& d = g_disguise;
  uint64_t fresh[2 * kTypes];
  random_bytes(std::as_writable_bytes(std::span(fresh)));
  LockGuard guard(d.lock);
  if (!d.made) {
    for (int i = 0; i < kTypes; ++i) {
      d.mask[i] = fresh[2 * i];
      d.factor[i] = fresh[2 * i + 1] | 1;  // odd: no two addresses become one
    }
    d.made = true;
  }
  return (reinterpret_cast<uintptr_t>(p) ^ d.mask[type]) * d.factor[type];
}

// 0: equal, 1: less, 2: greater.
int compare(const void* a, const void* b, int type) {
  if (a == b) return 0;
  return disguised(a, type) < disguised(b, type) ? 1 : 2;
}

Result<Ref<fs::File>> file_at(Task& task, uint64_t fd) {
  Ref<fs::FdTable> files = task.files_ref();
  if (!files) return Errno::badf;
  return files->get(static_cast<int>(static_cast<uint32_t>(fd)));
}

struct EpollSlot {  // struct kcmp_epoll_slot
  uint32_t efd, tfd, toff;
};

Result<int> compare_epoll_target(Task& caller, Task& a, Task& b, uint64_t fd, uint64_t slot_at) {
  EpollSlot slot = TRY(mm::copy_in(caller.mm(), UserPtr<EpollSlot>(slot_at)));
  Ref<fs::File> file = TRY(file_at(a, fd));
  Ref<fs::File> epoll = TRY(file_at(b, slot.efd));
  if (epoll->kind() != fs::FileKind::epoll) return Errno::inval;
  const void* target = TRY(static_cast<fs::Epoll&>(*epoll).target(static_cast<int>(slot.tfd), slot.toff));
  return compare(file.get(), target, kFile);
}

const void* signal_actions_of(Task& task) {
  LockGuard guard(task.group().signal_lock);
  return task.group().actions.get();
}

}  // namespace

Result<int> sys_kcmp(Task& task, int pid1, int pid2, int type, uint64_t a, uint64_t b) {
  Ref<Task> first = find_task(task, pid1), second = find_task(task, pid2);
  if (!first || !second) return Errno::srch;
  if (!may_inspect(*first, InspectAs::real_creds) || !may_inspect(*second, InspectAs::real_creds))
    return Errno::perm;
  switch (type) {
    case kFile: {
      Ref<fs::File> x = TRY(file_at(*first, a)), y = TRY(file_at(*second, b));
      return compare(x.get(), y.get(), type);
    }
    case kVm:
      return compare(first->mm_ref().get(), second->mm_ref().get(), type);
    case kFiles:
      return compare(first->files_ref().get(), second->files_ref().get(), type);
    case kFs:
      return compare(first->fs_ref().get(), second->fs_ref().get(), type);
    case kSighand:
      return compare(signal_actions_of(*first), signal_actions_of(*second), type);
    case kIo:
      return compare(first->io_context_ref().get(), second->io_context_ref().get(), type);
    case kSysvsem:
      return compare(sem_undo_identity(*first), sem_undo_identity(*second), type);
    case kEpollTarget:
      return compare_epoll_target(task, *first, *second, a, b);
    default:
      return Errno::inval;
  }
}

}  // namespace runsc::kernel
