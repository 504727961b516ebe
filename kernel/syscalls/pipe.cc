// pipe(2), eventfd(2).
#include "fs/pipe/pipe.h"

#include "fs/eventfd/eventfd.h"
#include "kernel/syscalls/events.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {
constexpr unsigned kNofile = 7;
}

Result<void> sys_pipe2(Task& task, uint64_t fds, uint32_t flags) {
  using namespace fs::open_flag;
  if (flags & ~(nonblock | cloexec | direct)) return Errno::inval;
  fs::PipeEnds ends = TRY(fs::make_pipe(flags));
  fs::SetAttr owner;
  owner.mask = fs::SetAttr::kUid | fs::SetAttr::kGid;
  owner.uid = task.creds().fsuid;
  owner.gid = task.creds().fsgid;
  TRY(ends.reader->set_attr(owner));
  TRY(ends.writer->set_attr(owner));
  const uint64_t limit = task.limit(kNofile);
  struct {
    int32_t reader, writer;
  } pair;
  pair.reader = TRY(task.files().install(ends.reader, flags & cloexec, limit));
  auto writer = task.files().install(ends.writer, flags & cloexec, limit);
  if (!writer) {
    (void)task.files().remove(pair.reader);
    return writer.error();
  }
  pair.writer = *writer;
  auto copied = mm::copy_out_bytes(task.mm(), fds, &pair, sizeof pair);
  if (!copied) {
    (void)task.files().remove(pair.reader);
    (void)task.files().remove(pair.writer);
  }
  return copied;
}

Result<void> sys_pipe(Task& task, uint64_t fds) { return sys_pipe2(task, fds, 0); }

Result<int> sys_eventfd2(Task& task, uint32_t initial, uint32_t flags) {
  using namespace fs::open_flag;
  if (flags & ~(nonblock | cloexec | fs::kEfdSemaphore)) return Errno::inval;
  Ref<fs::File> file = make_ref<fs::EventFd>(initial, flags, flags & fs::kEfdSemaphore);
  if (!file) return Errno::nomem;
  return task.files().install(std::move(file), flags & cloexec, task.limit(kNofile));
}

Result<int> sys_eventfd(Task& task, uint32_t initial) { return sys_eventfd2(task, initial, 0); }

}  // namespace runsc::kernel
