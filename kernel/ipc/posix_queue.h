// POSIX message queues (mq_overview(7)): messages by priority, those who wait for them or for room, and the
// one process that is told when something comes.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include "fs/credentials.h"
#include "kernel/base/format.h"
#include "kernel/base/vec.h"
#include "kernel/base/wait_queue.h"
#include "kernel/thread_group.h"
#include "net/endpoint.h"

namespace runsc::kernel {

inline constexpr uint32_t kMqPriorities = 32768;

// What the queues of a namespace have in common: /proc/sys/fs/mqueue, and how many there are.
struct PosixQueueSpace final : RefCounted<PosixQueueSpace> {
  std::atomic<uint32_t> queues_max{256}, msg_max{10}, msgsize_max{8192}, msg_default{10},
      msgsize_default{8192};
  std::atomic<uint32_t> queues{0};
  std::atomic<bool> ended{false};  // with its namespace: no queue is made any more
};

struct QueueAttributes {  // struct mq_attr
  int64_t flags, max_messages, message_size, messages, reserved[4];
};
static_assert(sizeof(QueueAttributes) == 64);

// A message, in pieces: large ones are not asked for in one.
class QueueMessage final : public HeapObject, public boost::intrusive::set_base_hook<> {
 public:
  // EFAULT, ENOMEM.
  static Result<Unique<QueueMessage>> read(mm::AddressSpace& space, uint64_t from, size_t size,
                                           uint32_t priority);
  Result<void> write(mm::AddressSpace& space, uint64_t to) const;
  QueueMessage(size_t size, uint32_t priority) : size_(size), priority_(priority) {}
  ~QueueMessage();
  size_t size() const { return size_; }
  uint32_t priority() const { return priority_; }

  uint64_t sequence = 0;  // of arrival; the queue's

 private:
  static constexpr size_t kPiece = 32768;
  size_t piece_size(size_t i) const { return size_ - i * kPiece < kPiece ? size_ - i * kPiece : kPiece; }
  const size_t size_;
  const uint32_t priority_;
  Vec<std::byte*> pieces_;
};

class PosixQueue {
 public:
  PosixQueue() = default;
  ~PosixQueue();
  // `wanted` null: what /proc/sys/fs/mqueue says. EINVAL, EOVERFLOW; ENOSPC: too many queues; EMFILE:
  // RLIMIT_MSGQUEUE of the user.
  Result<void> init(Task& task, Ref<PosixQueueSpace> space, const QueueAttributes* wanted);

  // mq_timedsend(3). Takes `message` unless it fails at once. EAGAIN unless `wait`; ETIMEDOUT, ERESTARTSYS.
  Result<void> send(Task& task, Unique<QueueMessage> message, bool wait, uint64_t deadline_ns);
  // mq_timedreceive(3): as send().
  Result<Unique<QueueMessage>> receive(Task& task, bool wait, uint64_t deadline_ns);

  enum class NotifyBy : int32_t { signal = 0, none = 1, thread = 2 };
  // For a thread of the C library a message goes to its netlink socket: a cookie, whose last byte says what
  // happened.
  static constexpr size_t kCookie = 32;
  struct Notification {
    NotifyBy by = NotifyBy::signal;
    int32_t signal = 0;
    uint64_t value = 0;
    Ref<net::Endpoint> socket;
    Vec<std::byte> cookie;
  };
  // mq_notify(3): EBUSY.
  Result<void> set_notification(Task& task, Notification notification);
  // The process wants no notification any more, if it is the one that would get it.
  void drop_notification(const ThreadGroup& group);

  QueueAttributes attributes() const;  // flags: 0
  int64_t message_size() const { return message_size_; }
  uint32_t poll() const;
  WaitQueue& readiness() { return readiness_; }
  // What a read(2) gives: QSIZE, NOTIFY, SIGNO, NOTIFY_PID.
  void describe(TextSink& out) const;

 private:
  // One that waits. Who comes for the other end hands over to it, so that nobody else comes between.
  struct Sleeper : boost::intrusive::list_base_hook<> {
    explicit Sleeper(Task& t);
    Task& task;
    const int32_t rank;  // the lower the sooner
    Unique<QueueMessage> message;
    bool done = false;
  };
  using Sleepers = boost::intrusive::list<Sleeper, boost::intrusive::constant_time_size<false>>;
  struct Before {
    bool operator()(const QueueMessage& a, const QueueMessage& b) const {
      return a.priority() != b.priority() ? a.priority() > b.priority() : a.sequence < b.sequence;
    }
  };
  using Messages = boost::intrusive::set<QueueMessage, boost::intrusive::compare<Before>,
                                         boost::intrusive::constant_time_size<false>>;
  // A notification that is due, sent without the lock.
  struct Due {
    Ref<ThreadGroup> owner;
    Notification what;
    int32_t exec_count = 0;
    void send(Task& sender);
    void tell_thread(uint8_t event);
  };

  static void enqueue(Sleepers& sleepers, Sleeper& s);
  static Sleeper* take_first(Sleepers& sleepers);
  void insert(Unique<QueueMessage> message) REQUIRES(lock_);
  Due arrived() REQUIRES(lock_);
  Result<void> sleep(Task& task, Sleeper& self, bool sends, uint64_t deadline_ns);

  int64_t max_messages_ = 0, message_size_ = 0;  // constant once init() is through
  uint32_t charged_uid_ = 0;
  uint64_t charged_bytes_ = 0;
  Ref<PosixQueueSpace> space_;  // in which it counts
  mutable SpinLock lock_{LockRank::ipc};
  Messages messages_ GUARDED_BY(lock_);
  Sleepers senders_ GUARDED_BY(lock_), receivers_ GUARDED_BY(lock_);
  int64_t count_ GUARDED_BY(lock_) = 0;
  uint64_t bytes_ GUARDED_BY(lock_) = 0, next_sequence_ GUARDED_BY(lock_) = 0;
  Due notify_ GUARDED_BY(lock_);
  WaitQueue readiness_;
};

}  // namespace runsc::kernel
