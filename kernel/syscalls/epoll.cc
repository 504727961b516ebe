// epoll_create(2), epoll_ctl(2), epoll_wait(2).
#include "fs/epoll/epoll.h"

#include "kernel/signal/temporary_mask.h"
#include "kernel/syscalls/events.h"
#include "kernel/syscalls/poll_set.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constexpr uint64_t kNofile = 7;
enum Operation : int { kAdd = 1, kDelete = 2, kModify = 3 };

Result<Ref<fs::File>> epoll_file(Task& task, int fd) {
  Ref<fs::File> file = TRY(task.files().get(fd));
  if (file->kind() != fs::FileKind::epoll) return Errno::inval;
  return file;
}

class UserEvents final : public fs::EventSink {
 public:
  UserEvents(Task& task, uint64_t address) : mm_(task.mm()), at_(address) {}
  bool put(const fs::EpollEvent& event) override {
    if (!mm::copy_out_bytes(mm_, at_, &event, sizeof event)) return false;
    at_ += sizeof event;
    return true;
  }

 private:
  mm::AddressSpace& mm_;
  uint64_t at_;
};

Result<size_t> wait_for_events(Task& task, fs::Epoll& epoll, size_t max, UserEvents& out, uint64_t deadline) {
  fs::EpollSleeper sleeper;
  for (;;) {
    size_t n = TRY(epoll.collect(max, out));
    if (n > 0 || deadline == 0) return n;
    if (!epoll.add_sleeper(sleeper)) continue;
    auto parked = park_interruptible(task, deadline);
    epoll.remove_sleeper(sleeper);
    if (parked) continue;
    // An event may have chosen this sleeper meanwhile: nobody else was woken for it.
    n = TRY(epoll.collect(max, out));
    if (n > 0 || parked.error() == Errno::timedout) return n;
    return parked.error() == Errno::restartsys ? Errno::intr : parked.error();
  }
}

Result<size_t> do_wait(Task& task, int epfd, uint64_t events, int max, uint64_t deadline) {
  constexpr int kMax = 0x7fffffff / static_cast<int>(sizeof(fs::EpollEvent));
  if (max <= 0 || max > kMax) return Errno::inval;
  Ref<fs::File> file = TRY(epoll_file(task, epfd));
  UserEvents out(task, events);
  return wait_for_events(task, static_cast<fs::Epoll&>(*file), static_cast<size_t>(max), out, deadline);
}

}  // namespace

Result<int> sys_epoll_create1(Task& task, int flags) {
  constexpr int kCloexec = 02000000;
  if (flags & ~kCloexec) return Errno::inval;
  Ref<fs::File> file = TRY(fs::Epoll::create());
  return task.files().install(std::move(file), flags & kCloexec, task.limit(kNofile));
}

Result<int> sys_epoll_create(Task& task, int size) {
  if (size <= 0) return Errno::inval;
  return sys_epoll_create1(task, 0);
}

Result<void> sys_epoll_ctl(Task& task, int epfd, int operation, int fd, uint64_t event_address) {
  fs::EpollEvent event{};
  if (operation != kDelete) event = TRY(mm::copy_in(task.mm(), UserPtr<fs::EpollEvent>(event_address)));
  Ref<fs::File> epoll_ref = TRY(task.files().get(epfd));
  Ref<fs::File> file = TRY(task.files().get(fd));
  if (epoll_ref->kind() != fs::FileKind::epoll || epoll_ref.get() == file.get()) return Errno::inval;
  auto& epoll = static_cast<fs::Epoll&>(*epoll_ref);
  constexpr uint32_t kExclusiveOk = fs::poll_bit::in | fs::poll_bit::out | fs::poll_bit::err |
                                    fs::poll_bit::hup | fs::epoll_bit::wakeup | fs::epoll_bit::edge |
                                    fs::epoll_bit::exclusive;
  if (event.events & fs::epoll_bit::exclusive) {
    if (operation == kModify || file->kind() == fs::FileKind::epoll || (event.events & ~kExclusiveOk))
      return Errno::inval;
  }
  switch (operation) {
    case kAdd:
      return epoll.add(fd, *file, event);
    case kDelete:
      return epoll.remove(fd, *file);
    case kModify:
      return epoll.modify(fd, *file, event);
    default:
      return Errno::inval;
  }
}

Result<size_t> sys_epoll_wait(Task& task, int epfd, uint64_t events, int max, int timeout_ms) {
  return do_wait(task, epfd, events, max, deadline_of_ms(timeout_ms));
}

Result<size_t> sys_epoll_pwait(Task& task, int epfd, uint64_t events, int max, int timeout_ms, uint64_t mask,
                               uint64_t mask_size) {
  TRY(set_temporary_mask(task, mask, mask_size));
  return do_wait(task, epfd, events, max, deadline_of_ms(timeout_ms));
}

Result<size_t> sys_epoll_pwait2(Task& task, int epfd, uint64_t events, int max, uint64_t timeout,
                                uint64_t mask, uint64_t mask_size) {
  uint64_t deadline = kNoDeadline;
  if (timeout) deadline = TRY(deadline_of_timespec(TRY(mm::copy_in(task.mm(), UserPtr<TimeSpec>(timeout)))));
  TRY(set_temporary_mask(task, mask, mask_size));
  return do_wait(task, epfd, events, max, deadline);
}

}  // namespace runsc::kernel
