// io_setup(2), io_submit(2), io_getevents(2), io_pgetevents(2), io_cancel(2), io_destroy(2).
#include "kernel/aio/context.h"
#include "kernel/signal/temporary_mask.h"
#include "kernel/syscalls/blocking_io.h"
#include "kernel/syscalls/events.h"
#include "kernel/syscalls/tasks.h"
#include "kernel/syscalls/time_args.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

struct Iocb {  // struct iocb
  uint64_t data;
  uint32_t key, rw_flags;
  uint16_t opcode;
  int16_t priority;
  int32_t fd;
  uint64_t buffer, size;
  int64_t offset;
  uint64_t reserved;
  uint32_t flags;
  int32_t eventfd;
};
static_assert(sizeof(Iocb) == 64);
constexpr uint64_t kKeyOffset = 8;
constexpr uint32_t kFlagEventfd = 1, kFlagPriority = 2;

enum Opcode : uint16_t {
  kRead = 0,
  kWrite = 1,
  kSync = 2,
  kDataSync = 3,
  kPoll = 5,
  kReadv = 7,
  kWritev = 8
};

// preadv2(2) flags.
constexpr uint32_t kRwHighPriority = 1, kRwDataSync = 2, kRwSync = 4, kRwNoWait = 8, kRwAppend = 16;

// What is no stream of bytes to Linux.
bool transfers(fs::File& file) {
  switch (file.kind()) {
    case fs::FileKind::epoll:
    case fs::FileKind::pidfd:
    case fs::FileKind::inotify:
    case fs::FileKind::timerfd:
    case fs::FileKind::mqueue:
      return false;
    default:
      return !file.inode() || !file.inode()->is_dir();
  }
}

// A transfer's result belongs to its event, whatever it is.
int64_t event_result(const Result<size_t>& r) {
  if (r) return static_cast<int64_t>(*r);
  switch (r.error()) {
    case Errno::restartsys:
    case Errno::restartnointr:
    case Errno::restartnohand:
      return -static_cast<int64_t>(Errno::intr);
    default:
      return -static_cast<int64_t>(r.error());
  }
}

Result<size_t> write_out(Task& task, fs::File& file, IovecArgument& iov, uint64_t offset, uint32_t flags) {
  if ((flags & kRwAppend) && file.seekable()) offset = TRY(file.seek(0, 2, 0));
  size_t n = TRY(write_file_at(task, file, iov, offset, flags & kRwNoWait));
  if (n > 0 && (flags & (kRwDataSync | kRwSync)) && file.seekable()) TRY(file.sync(!(flags & kRwSync)));
  return n;
}

// An error is one of submission: no event comes.
Result<int64_t> transfer(Task& task, fs::File& file, const Iocb& cb) {
  const bool writes = cb.opcode == kWrite || cb.opcode == kWritev;
  if (cb.flags & kFlagPriority) TRY(check_io_priority(task, static_cast<uint16_t>(cb.priority)));
  if (cb.rw_flags & ~(kRwHighPriority | kRwDataSync | kRwSync | kRwNoWait | kRwAppend))
    return Errno::opnotsupp;
  if (!(writes ? file.writable() : file.readable())) return Errno::badf;
  if (!transfers(file)) return Errno::inval;
  IovecArgument iov;
  if (cb.opcode == kReadv || cb.opcode == kWritev)
    TRY(iov.read(task, cb.buffer, cb.size));
  else
    iov.set(cb.buffer, cb.size);
  if (cb.offset < 0) return Errno::inval;
  auto offset = static_cast<uint64_t>(cb.offset);
  if (writes) return event_result(write_out(task, file, iov, offset, cb.rw_flags));
  return event_result(read_file_at(task, file, iov.segments(), offset, cb.rw_flags & kRwNoWait));
}

Result<int64_t> synchronize(fs::File& file, const Iocb& cb) {
  if (cb.buffer || cb.offset || cb.size || cb.rw_flags) return Errno::inval;
  Result<void> r = file.sync(cb.opcode == kDataSync);
  if (r) return int64_t{0};
  if (r.error() == Errno::inval) return Errno::inval;
  return -static_cast<int64_t>(r.error());
}

// With room for its event.
Result<void> start(Task& task, AioContext& context, const Iocb& cb, uint64_t at) {
  Ref<fs::File> file = TRY(file_of(task, cb.fd)), eventfd;
  if (cb.flags & kFlagEventfd) {
    eventfd = TRY(file_of(task, cb.eventfd));
    if (eventfd->kind() != fs::FileKind::eventfd) return Errno::inval;
  }
  TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(at + kKeyOffset), uint32_t{0}));
  IoEvent event{cb.data, at, 0, 0};
  switch (cb.opcode) {
    case kRead:
    case kReadv:
    case kWrite:
    case kWritev:
      event.result = TRY(transfer(task, *file, cb));
      break;
    case kSync:
    case kDataSync:
      event.result = TRY(synchronize(*file, cb));
      break;
    case kPoll: {
      if (cb.buffer > 0xffff || cb.offset || cb.size || cb.rw_flags) return Errno::inval;
      auto events = static_cast<uint32_t>(cb.buffer) | fs::poll_bit::err | fs::poll_bit::hup;
      return context.poll(std::move(file), std::move(eventfd), event, events);
    }
    default:
      return Errno::inval;
  }
  context.complete(event, eventfd.get());
  return {};
}

Result<void> submit_one(Task& task, AioContext& context, uint64_t at) {
  Iocb cb = TRY(mm::copy_in(task.mm(), UserPtr<Iocb>(at)));
  if (cb.reserved || static_cast<int64_t>(cb.size) < 0) return Errno::inval;
  TRY(context.reserve());
  Result<void> r = start(task, context, cb, at);
  if (!r) context.release();
  return r;
}

// A relative time as a deadline; none is infinite, and what is not positive has passed.
Result<uint64_t> deadline_of(Task& task, uint64_t address) {
  if (address == 0) return kNoDeadline;
  auto t = TRY(mm::copy_in(task.mm(), UserPtr<UserTimespec>(address)));
  if (t.sec < 0 || (t.sec == 0 && t.nsec <= 0)) return uint64_t{0};
  constexpr int64_t kLong = 1 << 30;
  if (t.sec > kLong || t.nsec < 0) return kNoDeadline;
  return monotonic_ns() + static_cast<uint64_t>(t.sec) * 1'000'000'000 + static_cast<uint64_t>(t.nsec);
}

// What was there in time; ERESTARTSYS only without any.
Result<size_t> get_events(Task& task, uint64_t id, int64_t least, int64_t most, uint64_t events,
                          uint64_t deadline) {
  Ref<AioContext> context = TRY(AioContext::find(task, id));
  if (least < 0 || least > most) return Errno::inval;
  size_t have = 0;
  auto attempt = [&]() -> Result<size_t> {
    Result<size_t> n =
        context->take(task.mm(), events + have * sizeof(IoEvent), static_cast<size_t>(most) - have);
    if (!n) return have > 0 ? Result<size_t>(have) : n;
    have += *n;
    if (have < static_cast<size_t>(least)) return Errno::again;
    return have;
  };
  Result<size_t> got =
      deadline == 0 ? attempt() : block_on(task, context->arrivals(), ~0u, deadline, attempt);
  if (got) return got;
  const Errno e = got.error();
  if (e == Errno::again || e == Errno::timedout || (e == Errno::restartsys && have > 0)) return have;
  return e;
}

}  // namespace

Result<void> sys_io_setup(Task& task, uint32_t events, uint64_t id_at) {
  uint64_t old = TRY(mm::copy_in(task.mm(), UserPtr<uint64_t>(id_at)));
  if (old != 0 || events == 0) return Errno::inval;
  Ref<AioContext> context = TRY(AioContext::create(task, events));
  auto told = mm::copy_out(task.mm(), UserPtr<uint64_t>(id_at), context->id());
  if (!told) (void)context->destroy(task);
  return told;
}

Result<void> sys_io_destroy(Task& task, uint64_t id) {
  return TRY(AioContext::find(task, id))->destroy(task);
}

Result<int64_t> sys_io_submit(Task& task, uint64_t id, int64_t count, uint64_t list) {
  if (count < 0) return Errno::inval;
  Ref<AioContext> context = TRY(AioContext::find(task, id));
  if (count > context->slots()) count = context->slots();
  for (int64_t i = 0; i < count; ++i) {
    auto at = mm::copy_in(task.mm(), UserPtr<uint64_t>(list + static_cast<uint64_t>(i) * sizeof(uint64_t)));
    Result<void> r = at ? submit_one(task, *context, *at) : Result<void>(at.error());
    if (!r) return i > 0 ? Result<int64_t>(i) : r.error();
  }
  return count;
}

Result<void> sys_io_cancel(Task& task, uint64_t id, uint64_t iocb, uint64_t) {
  uint32_t key = TRY(mm::copy_in(task.mm(), UserPtr<uint32_t>(iocb + kKeyOffset)));
  if (key != 0) return Errno::inval;
  return TRY(AioContext::find(task, id))->cancel(iocb);
}

Result<size_t> sys_io_getevents(Task& task, uint64_t id, int64_t least, int64_t most, uint64_t events,
                                uint64_t timeout) {
  uint64_t deadline = TRY(deadline_of(task, timeout));
  auto got = get_events(task, id, least, most, events, deadline);
  if (!got && got.error() == Errno::restartsys) return Errno::intr;
  if (got && *got == 0 && task.signal_pending()) return Errno::intr;
  return got;
}

Result<size_t> sys_io_pgetevents(Task& task, uint64_t id, int64_t least, int64_t most, uint64_t events,
                                 uint64_t timeout, uint64_t mask_at) {
  struct MaskArgument {  // struct __aio_sigset
    uint64_t address, size;
  };
  uint64_t deadline = TRY(deadline_of(task, timeout));
  if (mask_at) {
    auto mask = TRY(mm::copy_in(task.mm(), UserPtr<MaskArgument>(mask_at)));
    TRY(set_temporary_mask(task, mask.address, mask.size));
  }
  auto got = get_events(task, id, least, most, events, deadline);
  if (!got && got.error() == Errno::restartsys) return Errno::restartnohand;
  if (got && *got == 0 && task.signal_pending()) return Errno::restartnohand;
  return got;
}

}  // namespace runsc::kernel
