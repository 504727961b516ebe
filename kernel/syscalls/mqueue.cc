// mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2).
#include "kernel/ipc/mqueue_fs.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/sysv.h"
#include "kernel/syscalls/time_args.h"
#include "net/socket.h"

namespace runsc::kernel {

namespace {

// An open queue.
struct QueueArgument {
  Ref<fs::File> file;
  PosixQueue* queue = nullptr;
  Result<void> find(Task& task, int fd) {
    file = TRY(file_of(task, fd));
    queue = TRY(queue_of(*file));
    return {};
  }
};

struct SigEvent {  // struct sigevent
  uint64_t value;
  int32_t signo, notify, pad[12];
};
static_assert(sizeof(SigEvent) == 64);
constexpr int32_t kSigevSignal = 0, kSigevNone = 1, kSigevThread = 2;

// Threads are told through a netlink socket that the C library hands over in place of the signal's number.
Result<void> read_thread(Task& task, const SigEvent& event, PosixQueue::Notification& out) {
  TRY(out.cookie.resize(PosixQueue::kCookie));
  TRY(mm::copy_in_bytes(task.mm(), out.cookie.data(), event.value, PosixQueue::kCookie));
  Ref<fs::File> file = TRY(file_of(task, event.signo));
  net::Socket* socket = net::socket_of(*file);
  if (!socket) return Errno::notsock;
  if (socket->endpoint().domain() != net::family_number::netlink) return Errno::inval;
  out.socket = Ref<net::Endpoint>(socket->endpoint());
  return {};
}

}  // namespace

Result<int> sys_mq_open(Task& task, uint64_t name_at, uint32_t flags, uint32_t mode, uint64_t attributes) {
  QueueAttributes wanted{};
  if (attributes) wanted = TRY(mm::copy_in(task.mm(), UserPtr<QueueAttributes>(attributes)));
  String name = TRY(path_argument(task, name_at));
  if (name.empty()) return Errno::noent;
  int fd = TRY(task.files().reserve(task.limit(kLimitFiles)));
  Result<Ref<fs::File>> file = open_queue(task, name.view(), flags, mode, attributes ? &wanted : nullptr);
  if (!file) {
    task.files().release(fd);
    return file.error();
  }
  task.files().fill(fd, std::move(*file), true);
  return fd;
}

Result<void> sys_mq_unlink(Task& task, uint64_t name_at) {
  String name = TRY(path_argument(task, name_at));
  if (name.empty()) return Errno::noent;
  return unlink_queue(task, name.view());
}

Result<void> sys_mq_timedsend(Task& task, int fd, uint64_t message, uint64_t size, uint32_t priority,
                              uint64_t timeout) {
  uint64_t deadline = TRY(read_absolute_deadline(task, timeout, true));
  if (priority >= kMqPriorities) return Errno::inval;
  QueueArgument q;
  TRY(q.find(task, fd));
  if (!q.file->writable()) return Errno::badf;
  if (size > static_cast<uint64_t>(q.queue->message_size())) return Errno::msgsize;
  Unique<QueueMessage> m = TRY(QueueMessage::read(task.mm(), message, size, priority));
  return q.queue->send(task, std::move(m), !q.file->nonblocking(), deadline);
}

Result<uint64_t> sys_mq_timedreceive(Task& task, int fd, uint64_t message, uint64_t size,
                                     uint64_t priority_at, uint64_t timeout) {
  uint64_t deadline = TRY(read_absolute_deadline(task, timeout, true));
  QueueArgument q;
  TRY(q.find(task, fd));
  if (!q.file->readable()) return Errno::badf;
  if (size < static_cast<uint64_t>(q.queue->message_size())) return Errno::msgsize;
  Unique<QueueMessage> m = TRY(q.queue->receive(task, !q.file->nonblocking(), deadline));
  if (priority_at) TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(priority_at), m->priority()));
  TRY(m->write(task.mm(), message));
  return uint64_t{m->size()};
}

Result<void> sys_mq_notify(Task& task, int fd, uint64_t event_at) {
  SigEvent event{};
  if (event_at) {
    event = TRY(mm::copy_in(task.mm(), UserPtr<SigEvent>(event_at)));
    if (event.notify != kSigevSignal && event.notify != kSigevNone && event.notify != kSigevThread)
      return Errno::inval;
    if (event.notify == kSigevSignal && event.signo != 0 && !signal_valid(event.signo)) return Errno::inval;
  }
  PosixQueue::Notification wanted;
  wanted.by = static_cast<PosixQueue::NotifyBy>(event.notify);
  wanted.signal = event.signo;
  wanted.value = event.value;
  if (event_at && event.notify == kSigevThread) TRY(read_thread(task, event, wanted));
  QueueArgument q;
  TRY(q.find(task, fd));
  if (!event_at) {
    q.queue->drop_notification(task.group());
    return {};
  }
  return q.queue->set_notification(task, std::move(wanted));
}

Result<void> sys_mq_getsetattr(Task& task, int fd, uint64_t fresh_at, uint64_t old_at) {
  QueueAttributes fresh{};
  if (fresh_at) {
    fresh = TRY(mm::copy_in(task.mm(), UserPtr<QueueAttributes>(fresh_at)));
    if (fresh.flags & ~int64_t{fs::open_flag::nonblock}) return Errno::inval;
  }
  QueueArgument q;
  TRY(q.find(task, fd));
  QueueAttributes old = q.queue->attributes();
  old.flags = q.file->flags() & fs::open_flag::nonblock;
  if (fresh_at)
    q.file->set_flags((q.file->flags() & ~fs::open_flag::nonblock) | static_cast<uint32_t>(fresh.flags));
  if (old_at) TRY(mm::copy_out(task.mm(), UserPtr<QueueAttributes>(old_at), old));
  return {};
}

}  // namespace runsc::kernel
