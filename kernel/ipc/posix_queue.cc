#include "kernel/ipc/posix_queue.h"

#include <algorithm>

#include "kernel/blocking.h"
#include "kernel/namespaces.h"
#include "kernel/notify.h"
#include "kernel/pid.h"
#include "kernel/signal/send.h"
#include "kernel/signal/signal.h"
#include "kernel/task.h"
#include "mm/user_copy.h"
#include "net/netlink/netlink_endpoint.h"

namespace runsc::kernel {

namespace {

constexpr int64_t kHardMessages = 65536, kHardMessageSize = 16 << 20;
// What Linux counts against RLIMIT_MSGQUEUE besides the bytes: a message's head, and a priority's node.
constexpr uint64_t kPerMessage = 48, kPerPriority = 48;

// Bytes of all queues of a user. Users that had queues once stay in the list: there are few.
struct UserBytes : HeapObject {
  UserBytes* next;
  uint32_t uid;
  uint64_t bytes;
};
constinit SpinLock g_lock{LockRank::leaf};
constinit UserBytes* g_users GUARDED_BY(g_lock) = nullptr;

UserBytes* find_user(uint32_t uid) REQUIRES(g_lock) {
  for (UserBytes* u = g_users; u; u = u->next)
    if (u->uid == uid) return u;
  return nullptr;
}

// EMFILE.
Result<void> charge(uint32_t uid, uint64_t bytes, uint64_t limit) {
  Unique<UserBytes> fresh = make<UserBytes>();
  if (!fresh) return Errno::nomem;
  LockGuard guard(g_lock);
  UserBytes* u = find_user(uid);
  if ((u ? u->bytes : 0) + bytes > limit) return Errno::mfile;
  if (!u) {
    u = fresh.release();
    u->uid = uid;
    u->bytes = 0;
    u->next = g_users;
    g_users = u;
  }
  u->bytes += bytes;
  return {};
}

// EINVAL, EOVERFLOW.
Result<uint64_t> charge_of(const PosixQueueSpace& space, int64_t messages, int64_t size, bool privileged) {
  if (messages <= 0 || size <= 0) return Errno::inval;
  int64_t most = privileged ? kHardMessages : int64_t{space.msg_max.load(std::memory_order_relaxed)};
  int64_t largest =
      privileged ? kHardMessageSize : int64_t{space.msgsize_max.load(std::memory_order_relaxed)};
  if (messages > most || size > largest) return Errno::inval;
  // No overflow: both are bounded.
  return static_cast<uint64_t>(messages * size) + static_cast<uint64_t>(messages) * kPerMessage +
         static_cast<uint64_t>(std::min<int64_t>(messages, kMqPriorities)) * kPerPriority;
}

// ENOSPC.
Result<void> count(PosixQueueSpace& space, bool privileged) {
  uint32_t n = space.queues.load(std::memory_order_relaxed);
  do {
    if (n >= space.queues_max.load(std::memory_order_relaxed) && !privileged) return Errno::nospc;
  } while (!space.queues.compare_exchange_weak(n, n + 1, std::memory_order_relaxed));
  return {};
}

}  // namespace

Result<Unique<QueueMessage>> QueueMessage::read(mm::AddressSpace& space, uint64_t from, size_t size,
                                                uint32_t priority) {
  Unique<QueueMessage> m = make<QueueMessage>(size, priority);
  if (!m) return Errno::nomem;
  for (size_t i = 0; i * kPiece < size; ++i) {
    TRY(m->pieces_.reserve(i + 1));
    auto* bytes = static_cast<std::byte*>(kalloc(m->piece_size(i)));
    if (!bytes) return Errno::nomem;
    TRY(m->pieces_.push_back(bytes));
    TRY(mm::copy_in_bytes(space, bytes, from + i * kPiece, m->piece_size(i)));
  }
  return m;
}

Result<void> QueueMessage::write(mm::AddressSpace& space, uint64_t to) const {
  for (size_t i = 0; i < pieces_.size(); ++i)
    TRY(mm::copy_out_bytes(space, to + i * kPiece, pieces_[i], piece_size(i)));
  return {};
}

QueueMessage::~QueueMessage() {
  for (size_t i = 0; i < pieces_.size(); ++i) kfree(pieces_[i], piece_size(i));
}

Result<void> PosixQueue::init(Task& task, Ref<PosixQueueSpace> space, const QueueAttributes* wanted) {
  const bool privileged = task.creds().has(fs::Cap::sys_resource);
  const PosixQueueSpace& limits = *space;
  TRY(count(*space, privileged));
  space_ = std::move(space);
  auto lesser = [](const std::atomic<uint32_t>& a, const std::atomic<uint32_t>& b) {
    return int64_t{std::min(a.load(std::memory_order_relaxed), b.load(std::memory_order_relaxed))};
  };
  max_messages_ = wanted ? wanted->max_messages : lesser(limits.msg_max, limits.msg_default);
  message_size_ = wanted ? wanted->message_size : lesser(limits.msgsize_max, limits.msgsize_default);
  uint64_t bytes = TRY(charge_of(limits, max_messages_, message_size_, privileged));
  uint64_t limit = task.limit(static_cast<unsigned>(Resource::msgqueue));
  TRY(charge(task.creds().uid, bytes, limit));
  charged_uid_ = task.creds().uid;
  charged_bytes_ = bytes;
  return {};
}

PosixQueue::~PosixQueue() NO_THREAD_SAFETY_ANALYSIS {
  if (space_) space_->queues.fetch_sub(1, std::memory_order_relaxed);
  while (!messages_.empty()) {
    Unique<QueueMessage> gone(&*messages_.begin());
    messages_.erase(messages_.begin());
  }
  LockGuard guard(g_lock);
  if (charged_bytes_)
    if (UserBytes* u = find_user(charged_uid_)) u->bytes -= charged_bytes_;
}

PosixQueue::Sleeper::Sleeper(Task& t)
    : task(t),
      rank(t.sched.rt_priority.load(std::memory_order_relaxed) > 0
               ? -100 - t.sched.rt_priority.load(std::memory_order_relaxed)
               : t.sched.nice.load(std::memory_order_relaxed)) {}

// Behind those of its rank.
void PosixQueue::enqueue(Sleepers& sleepers, Sleeper& s) {
  auto at = std::find_if(sleepers.begin(), sleepers.end(), [&](const Sleeper& o) { return o.rank > s.rank; });
  sleepers.insert(at, s);
}

PosixQueue::Sleeper* PosixQueue::take_first(Sleepers& sleepers) {
  if (sleepers.empty()) return nullptr;
  Sleeper& s = sleepers.front();
  sleepers.pop_front();
  return &s;
}

void PosixQueue::insert(Unique<QueueMessage> message) {
  message->sequence = next_sequence_++;
  ++count_;
  bytes_ += message->size();
  messages_.insert(*message.release());
}

// A message came that nobody waited for: the first one is told of, once.
PosixQueue::Due PosixQueue::arrived() {
  readiness_.wake_all(fs::poll_bit::in | fs::poll_bit::rdnorm);
  if (!notify_.owner || count_ != 1) return {};
  return std::exchange(notify_, Due{});
}

void PosixQueue::Due::tell_thread(uint8_t event) {
  if (what.by != NotifyBy::thread || !what.socket) return;
  what.cookie[kCookie - 1] = std::byte{event};
  static_cast<net::NetlinkEndpoint&>(*what.socket).take(std::move(what.cookie), 0);
}

void PosixQueue::Due::send(Task& sender) {
  constexpr uint8_t kWokenUp = 1;
  tell_thread(kWokenUp);
  // Not to a program that the process executes by now.
  if (!owner || what.by != NotifyBy::signal || what.signal == 0 || owner->exec_count.load() != exec_count)
    return;
  abi::SigInfo info(what.signal, abi::sig_code::mesgq);
  const PidNamespace& ns = owner->pid_namespace();
  {
    LockGuard tree(g_tree_lock);
    info.rt.pid = number_in_locked(ns, sender.pid());
    info.rt.uid = uid_shown_to(*owner, &sender);
  }
  info.rt.value = what.value;
  (void)queue_signal_to_group(*owner, info,
                              ns.contains(sender.pid_namespace()) ? Origin::user : Origin::outside);
}

// Until somebody has done what `self` waits for.
Result<void> PosixQueue::sleep(Task& task, Sleeper& self, bool sends, uint64_t deadline_ns) {
  for (;;) {
    auto parked = park_interruptible(task, deadline_ns);
    LockGuard guard(lock_);
    if (self.done) return {};
    if (parked) continue;
    Sleepers& among = sends ? senders_ : receivers_;
    among.erase(among.iterator_to(self));
    return parked;
  }
}

Result<void> PosixQueue::send(Task& task, Unique<QueueMessage> message, bool wait, uint64_t deadline_ns) {
  Sleeper self(task);
  Due due;
  bool full;
  {
    LockGuard guard(lock_);
    full = count_ >= max_messages_;
    if (full) {
      if (!wait) return Errno::again;
      self.message = std::move(message);
      enqueue(senders_, self);
    } else if (Sleeper* receiver = take_first(receivers_)) {
      receiver->message = std::move(message);
      receiver->done = true;
      receiver->task.sched.unpark();
    } else {
      insert(std::move(message));
      due = arrived();
    }
  }
  if (full) return sleep(task, self, true, deadline_ns);
  due.send(task);
  return {};
}

Result<Unique<QueueMessage>> PosixQueue::receive(Task& task, bool wait, uint64_t deadline_ns) {
  Sleeper self(task);
  {
    LockGuard guard(lock_);
    if (count_ > 0) {
      Unique<QueueMessage> first(&*messages_.begin());
      messages_.erase(messages_.begin());
      --count_;
      bytes_ -= first->size();
      if (Sleeper* sender = take_first(senders_)) {
        insert(std::move(sender->message));
        sender->done = true;
        sender->task.sched.unpark();
      } else {
        readiness_.wake_all(fs::poll_bit::out | fs::poll_bit::wrnorm);
      }
      return first;
    }
    if (!wait) return Errno::again;
    enqueue(receivers_, self);
  }
  TRY(sleep(task, self, false, deadline_ns));
  return std::move(self.message);
}

Result<void> PosixQueue::set_notification(Task& task, Notification notification) {
  LockGuard guard(lock_);
  if (notify_.owner) return Errno::busy;
  notify_ = {Ref<ThreadGroup>(task.group()), std::move(notification), task.group().exec_count.load()};
  return {};
}

void PosixQueue::drop_notification(const ThreadGroup& group) {
  constexpr uint8_t kRemoved = 2;
  Due gone;  // its count is dropped without the lock
  {
    LockGuard guard(lock_);
    if (notify_.owner.get() == &group) gone = std::exchange(notify_, Due{});
  }
  gone.tell_thread(kRemoved);
}

QueueAttributes PosixQueue::attributes() const {
  LockGuard guard(lock_);
  return {0, max_messages_, message_size_, count_, {}};
}

uint32_t PosixQueue::poll() const {
  LockGuard guard(lock_);
  uint32_t bits = 0;
  if (count_ > 0) bits |= fs::poll_bit::in | fs::poll_bit::rdnorm;
  if (count_ < max_messages_) bits |= fs::poll_bit::out | fs::poll_bit::wrnorm;
  return bits;
}

void PosixQueue::describe(TextSink& out) const {
  uint64_t bytes;
  int32_t by = 0, signal = 0, pid = 0;
  {
    LockGuard guard(lock_);
    bytes = bytes_;
    if (notify_.owner) {
      by = static_cast<int32_t>(notify_.what.by);
      if (notify_.what.by == NotifyBy::signal) signal = notify_.what.signal;
      pid = notify_.owner->pid;
    }
  }
  pid = number_for(Task::current(), pid);
  format(out, "QSIZE:{:<10} NOTIFY:{:<5} SIGNO:{:<5} NOTIFY_PID:{:<6}\n", bytes, by, signal, pid);
}

}  // namespace runsc::kernel
