// Polls of asynchronous I/O. What a file tells, it tells under the locks of its wait queue: a thread of the
// sentry looks again without them and completes.
#include "kernel/aio/context.h"
#include "kernel/clone.h"

namespace runsc::kernel {

// Those that something was told of.
struct AioReady {
  static constinit SpinLock lock;
  static constinit AioPoll* first GUARDED_BY(lock);  // each holds a count
  static constinit std::atomic<Task*> worker;

  // Under any lock before LockRank::parker.
  static void add(AioPoll& poll) {
    {
      LockGuard guard(lock);
      if (std::exchange(poll.ready_, true)) return;
      poll.ref();
      poll.next_ready_ = first;
      first = &poll;
    }
    worker.load(std::memory_order_acquire)->sched.unpark();
  }
  static Ref<AioPoll> take() {
    LockGuard guard(lock);
    AioPoll* poll = first;
    if (!poll) return {};
    first = poll->next_ready_;
    poll->ready_ = false;
    return Ref<AioPoll>::adopt(poll);
  }
  static void work(void*) {
    for (;;) {
      while (Ref<AioPoll> poll = take()) poll->context_->finish_poll(*poll);
      Task::current().sched.park_event();
    }
  }
  // ENOMEM.
  static Result<void> start() {
    static constinit Mutex starting{LockRank::file_position};
    if (worker.load(std::memory_order_acquire)) return {};
    LockGuard guard(starting);
    if (worker.load(std::memory_order_acquire)) return {};
    worker.store(TRY(start_kernel_thread("aio", work, nullptr)).leak(), std::memory_order_release);
    return {};
  }
};
constinit SpinLock AioReady::lock{LockRank::leaf};
constinit AioPoll* AioReady::first = nullptr;
constinit std::atomic<Task*> AioReady::worker{nullptr};

AioPoll::AioPoll(AioContext& context, Ref<fs::File> file, Ref<fs::File> eventfd, const IoEvent& event,
                 uint32_t events)
    : context_(context),
      file_(std::move(file)),
      eventfd_(std::move(eventfd)),
      event_(event),
      events_(events) {}

AioPoll::~AioPoll() = default;

bool AioPoll::notify(uint32_t) {
  AioReady::add(*this);
  return false;
}

Result<void> AioContext::poll(Ref<fs::File> file, Ref<fs::File> eventfd, const IoEvent& event,
                              uint32_t events) {
  TRY(AioReady::start());
  WaitQueue* queue = file->watch_queue();
  if (!queue && !(file->poll() & events)) return Errno::inval;
  Ref<AioPoll> poll = make_ref<AioPoll>(*this, std::move(file), std::move(eventfd), event, events);
  if (!poll) return Errno::nomem;
  {
    LockGuard guard(lock_);
    if (dead_) return Errno::inval;
    poll->ref();  // the list's
    polls_.push_back(*poll);
  }
  if (queue) queue->add(*poll, events);
  finish_poll(*poll);
  if (!queue) return {};
  // Somebody may have destroyed the context before it was on the queue.
  bool ended;
  {
    LockGuard guard(lock_);
    ended = !poll->hook_.is_linked();
  }
  if (ended) queue->remove(*poll);
  return {};
}

// Completes it if it is ready or cancelled, and nobody else has done so.
void AioContext::finish_poll(AioPoll& poll) {
  uint32_t ready = poll.file_->poll() & poll.events_;
  {
    LockGuard guard(lock_);
    if (!poll.hook_.is_linked()) return;
    if (poll.cancelled_)
      ready = 0;
    else if (!ready)
      return;
    polls_.erase(polls_.iterator_to(poll));
  }
  Ref<AioPoll> listed = Ref<AioPoll>::adopt(&poll);
  if (WaitQueue* queue = poll.file_->watch_queue()) queue->remove(poll);
  IoEvent event = poll.event_;
  event.result = ready;
  complete(event, poll.eventfd_.get());
}

Result<void> AioContext::cancel(uint64_t object) {
  Ref<AioPoll> found;
  {
    LockGuard guard(lock_);
    for (AioPoll& p : polls_) {
      if (p.event_.object != object || p.cancelled_) continue;
      p.cancelled_ = true;
      found = Ref<AioPoll>(p);
      break;
    }
  }
  if (!found) return Errno::inval;
  AioReady::add(*found);
  return Errno::inprogress;
}

// Without events: nobody will look at them.
void AioContext::drop_polls() {
  for (;;) {
    Ref<AioPoll> poll;
    {
      LockGuard guard(lock_);
      if (polls_.empty()) return;
      poll = Ref<AioPoll>::adopt(&polls_.front());
      polls_.pop_front();
      --in_flight_;
    }
    if (WaitQueue* queue = poll->file_->watch_queue()) queue->remove(*poll);
  }
}

}  // namespace runsc::kernel
