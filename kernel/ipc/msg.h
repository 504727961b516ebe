// System V message queues (msgget(2)).
#pragma once

#include <boost/intrusive/list.hpp>
#include <span>

#include "kernel/base/vec.h"
#include "kernel/base/wait_queue.h"
#include "kernel/ipc/ipc.h"

namespace runsc::kernel {

inline constexpr uint64_t kMsgMax = 8192, kMsgMnb = 16384;  // bytes of a message, of a queue
inline constexpr uint32_t kMsgMni = 32000;

struct Message : HeapObject, boost::intrusive::list_base_hook<> {
  int64_t type = 0;
  Vec<std::byte> bytes;
};

class MessageQueue final : public IpcObject {
 public:
  static Result<Ref<MessageQueue>> create();
  ~MessageQueue() override;

  // msgsnd(2). Takes `message` if it succeeds. EACCES, EAGAIN, EIDRM, EINTR.
  Result<void> send(Task& task, Unique<Message>& message, bool wait);
  // msgrcv(2). E2BIG (unless `cut`), EACCES, ENOMSG, EIDRM, EINTR.
  Result<Unique<Message>> receive(Task& task, int64_t type, bool except, uint64_t room, bool cut, bool wait);
  // MSG_COPY: the message at this place stays. ENOMSG, E2BIG.
  Result<Unique<Message>> copy(Task& task, int64_t place, uint64_t room, bool cut);
  // IPC_RMID.
  void destroy() override;

  struct Use {
    int64_t sent, received, changed;  // seconds
    uint64_t bytes, count, limit;
    int32_t sender, receiver;
  };
  Use use() const REQUIRES(lock);
  void set_limit(uint64_t bytes) REQUIRES(lock);
  void touch() REQUIRES(lock);

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  MessageQueue() = default;
  Message* find(int64_t type, bool except) REQUIRES(lock);
  Result<void> try_send(Task& task, Unique<Message>& message);
  Result<Unique<Message>> try_receive(Task& task, int64_t type, bool except, uint64_t room, bool cut);

  boost::intrusive::list<Message, boost::intrusive::constant_time_size<false>> messages_ GUARDED_BY(lock);
  uint64_t bytes_ GUARDED_BY(lock) = 0, count_ GUARDED_BY(lock) = 0, limit_ GUARDED_BY(lock) = kMsgMnb;
  int64_t sent_ GUARDED_BY(lock) = 0, received_ GUARDED_BY(lock) = 0, changed_ GUARDED_BY(lock) = 0;
  int32_t sender_ GUARDED_BY(lock) = 0, receiver_ GUARDED_BY(lock) = 0;
  WaitQueue room_, arrivals_;
};

// Of the task's namespace.
IpcTable& msg_table(const Task& task);
// EINVAL.
Result<Ref<MessageQueue>> find_msg(const Task& task, int32_t id);

}  // namespace runsc::kernel
