// signalfd(2).
#include "kernel/signal/signalfd.h"

#include "kernel/signal/signal.h"
#include "kernel/syscalls/events.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

Result<int> sys_signalfd4(Task& task, int fd, uint64_t mask_address, uint64_t mask_size, uint32_t flags) {
  using namespace fs::open_flag;
  if (flags & ~(nonblock | cloexec) || mask_size != sizeof(uint64_t)) return Errno::inval;
  uint64_t mask = TRY(mm::copy_in(task.mm(), UserPtr<uint64_t>(mask_address))) & ~kUnblockable;
  if (fd != -1) {
    Ref<fs::File> file = TRY(task.files().get(fd));
    if (file->kind() != fs::FileKind::signalfd) return Errno::inval;
    static_cast<SignalFd&>(*file).set_mask(mask);
    return fd;
  }
  Ref<fs::File> file = make_ref<SignalFd>(Ref<ThreadGroup>(task.group()), mask, flags);
  if (!file) return Errno::nomem;
  return task.files().install(std::move(file), flags & cloexec, task.limit(7 /* RLIMIT_NOFILE */));
}

Result<int> sys_signalfd(Task& task, int fd, uint64_t mask, uint64_t mask_size) {
  return sys_signalfd4(task, fd, mask, mask_size, 0);
}

}  // namespace runsc::kernel
