// Contexts of asynchronous I/O (io_setup(2)). Transfers are done by the time io_submit(2) returns, as Linux
// does those of buffered files; what waits is polls.
#pragma once

#include <boost/intrusive/list.hpp>

#include "fs/file.h"
#include "kernel/aio/ring.h"
#include "mm/address_space.h"

namespace runsc::kernel {

class Task;
class AioContext;

// A poll that waits (IOCB_CMD_POLL).
class AioPoll final : public RefCounted<AioPoll>, public Waiter {
 public:
  AioPoll(AioContext& context, Ref<fs::File> file, Ref<fs::File> eventfd, const IoEvent& event,
          uint32_t events);
  ~AioPoll() override;
  bool notify(uint32_t events) override;

 private:
  friend class AioContext;
  friend struct AioReady;
  const Ref<AioContext> context_;
  const Ref<fs::File> file_, eventfd_;
  const IoEvent event_;
  const uint32_t events_;
  // Under the context's lock.
  boost::intrusive::list_member_hook<> hook_;
  bool cancelled_ = false;
  // Under the lock of those that are ready.
  AioPoll* next_ready_ = nullptr;
  bool ready_ = false;
};

class AioContext final : public RefCounted<AioContext> {
 public:
  // Mapped, and found by its address from now on. EINVAL, EAGAIN (/proc/sys/fs/aio-max-nr), ENOMEM.
  static Result<Ref<AioContext>> create(Task& task, uint32_t events);
  // EINVAL.
  static Result<Ref<AioContext>> find(Task& task, uint64_t id);
  ~AioContext();

  uint64_t id() const { return ring_->address(); }
  uint32_t slots() const { return ring_->slots(); }
  // io_destroy(2): waits for what other threads have in flight. EINVAL: somebody else did it.
  Result<void> destroy(Task& task);
  // The process is gone.
  void abandon();

  // Room for the event of a request: EAGAIN. Ends with release() or complete().
  Result<void> reserve();
  void release();
  void complete(const IoEvent& event, fs::File* eventfd);
  // IOCB_CMD_POLL, with room reserved, which it uses if it succeeds. EINVAL, ENOMEM.
  Result<void> poll(Ref<fs::File> file, Ref<fs::File> eventfd, const IoEvent& event, uint32_t events);
  // io_cancel(2): EINPROGRESS when it is found, EINVAL when not.
  Result<void> cancel(uint64_t object);

  // Events copied to the application, at most `most`. EFAULT, EINVAL (destroyed); none is no error.
  Result<size_t> take(mm::AddressSpace& space, uint64_t to, size_t most);
  WaitQueue& arrivals() { return arrivals_; }

 private:
  friend class AioPoll;
  friend struct AioReady;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  AioContext() = default;
  using Polls = boost::intrusive::list<
      AioPoll, boost::intrusive::member_hook<AioPoll, boost::intrusive::list_member_hook<>, &AioPoll::hook_>,
      boost::intrusive::constant_time_size<false>>;

  uint32_t waiting_locked() const REQUIRES(lock_);
  void finish_poll(AioPoll& poll);
  void drop_polls();
  bool kill();

  Ref<AioRing> ring_;      // constant
  uint32_t requests_ = 0;  // constant: what is counted of it in aio-nr

  // One taker of events at a time, held while they are copied.
  Mutex take_lock_{LockRank::file_position};
  SpinLock lock_{LockRank::ipc};
  uint32_t tail_ GUARDED_BY(lock_) = 0, in_flight_ GUARDED_BY(lock_) = 0;
  bool dead_ GUARDED_BY(lock_) = false;
  Polls polls_ GUARDED_BY(lock_);  // each holds a count
  WaitQueue arrivals_, idle_;
};

// /proc/sys/fs/aio-nr, aio-max-nr.
uint64_t aio_requests();
extern constinit std::atomic<uint64_t> g_aio_max;

}  // namespace runsc::kernel
