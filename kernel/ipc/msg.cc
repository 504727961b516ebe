#include "kernel/ipc/msg.h"

#include "kernel/blocking.h"
#include "kernel/namespaces.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

int64_t now() { return realtime_ns() / 1'000'000'000; }

// A call that waited is never restarted (signal(7)).
Errno interrupted(Errno e) { return e == Errno::restartsys ? Errno::intr : e; }

}  // namespace

IpcTable& msg_table(const Task& task) { return task.namespaces().ipc().messages(); }

Result<Ref<MessageQueue>> find_msg(const Task& task, int32_t id) {
  Ref<IpcObject> object = TRY(msg_table(task).find(id));
  return Ref<MessageQueue>(static_cast<MessageQueue&>(*object));
}

Result<Ref<MessageQueue>> MessageQueue::create() {
  Ref<MessageQueue> queue = make_ref<MessageQueue>();
  if (!queue) return Errno::nomem;
  LockGuard guard(queue->lock);
  queue->touch();
  return queue;
}

MessageQueue::~MessageQueue() NO_THREAD_SAFETY_ANALYSIS {
  while (!messages_.empty()) {
    Unique<Message> gone(&messages_.front());
    messages_.pop_front();
  }
}

void MessageQueue::touch() { changed_ = now(); }

void MessageQueue::set_limit(uint64_t bytes) {
  limit_ = bytes;
  touch();
  room_.wake_all();
}

MessageQueue::Use MessageQueue::use() const {
  return {sent_, received_, changed_, bytes_, count_, limit_, sender_, receiver_};
}

Result<void> MessageQueue::try_send(Task& task, Unique<Message>& message) {
  LockGuard guard(lock);
  if (removed) return Errno::idrm;
  TRY(owner.check(task.creds(), 0222));
  if (message->bytes.size() + bytes_ > limit_ || count_ + 1 > limit_) return Errno::again;
  bytes_ += message->bytes.size();
  ++count_;
  sent_ = now();
  sender_ = task.pid();
  messages_.push_back(*message.release());
  arrivals_.wake_all();
  return {};
}

Result<void> MessageQueue::send(Task& task, Unique<Message>& message, bool wait) {
  if (!wait) return try_send(task, message);
  auto sent = block_on(task, room_, ~0u, kNoDeadline, [&] { return try_send(task, message); });
  if (!sent) return interrupted(sent.error());
  return {};
}

// 0: the first. Above: the first of the type, or of another. Below: the first of the lowest up to -type.
Message* MessageQueue::find(int64_t type, bool except) {
  Message* found = nullptr;
  for (Message& m : messages_) {
    if (type == 0) return &m;
    if (type > 0) {
      if ((m.type == type) != except) return &m;
    } else if (type == INT64_MIN || m.type <= -type) {
      if (!found || m.type < found->type) found = &m;
    }
  }
  return found;
}

Result<Unique<Message>> MessageQueue::try_receive(Task& task, int64_t type, bool except, uint64_t room,
                                                  bool cut) {
  LockGuard guard(lock);
  if (removed) return Errno::idrm;
  TRY(owner.check(task.creds(), 0444));
  Message* found = find(type, except);
  if (!found) return Errno::again;
  if (found->bytes.size() > room && !cut) return Errno::toobig;
  messages_.erase(messages_.iterator_to(*found));
  bytes_ -= found->bytes.size();
  --count_;
  received_ = now();
  receiver_ = task.pid();
  room_.wake_all();
  return Unique<Message>(found);
}

Result<Unique<Message>> MessageQueue::receive(Task& task, int64_t type, bool except, uint64_t room, bool cut,
                                              bool wait) {
  auto attempt = [&] { return try_receive(task, type, except, room, cut); };
  auto got = wait ? block_on(task, arrivals_, ~0u, kNoDeadline, attempt) : attempt();
  if (got) return got;
  return got.error() == Errno::again ? Errno::nomsg : interrupted(got.error());
}

Result<Unique<Message>> MessageQueue::copy(Task& task, int64_t place, uint64_t room, bool cut) {
  Unique<Message> twin = make<Message>();
  if (!twin) return Errno::nomem;
  TRY(twin->bytes.reserve(task.namespaces().ipc().limits().msg_max.load(std::memory_order_relaxed)));
  LockGuard guard(lock);
  if (removed) return Errno::idrm;
  TRY(owner.check(task.creds(), 0444));
  for (Message& m : messages_) {
    if (place != 0) {
      if (place < 0) break;  // there is no such place
      --place;
      continue;
    }
    if (m.bytes.size() > room) return cut ? Errno::inval : Errno::toobig;
    twin->type = m.type;
    for (std::byte b : m.bytes) TRY(twin->bytes.push_back(b));
    return twin;
  }
  return Errno::nomsg;
}

void MessageQueue::destroy() {
  {
    LockGuard guard(lock);
    if (removed) return;
    removed = true;
    room_.wake_all();
    arrivals_.wake_all();
  }
  leave_table();
}

}  // namespace runsc::kernel
