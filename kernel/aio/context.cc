#include "kernel/aio/context.h"

#include <algorithm>

#include "kernel/blocking.h"
#include "kernel/syscalls/memory.h"
#include "kernel/task.h"
#include "mm/flags.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

constinit std::atomic<uint64_t> g_aio_max{65536};

namespace {

constinit SpinLock g_lock{LockRank::leaf};
constinit uint64_t g_requests GUARDED_BY(g_lock) = 0;

// The contexts of an address space.
class AioTable final : public mm::SpaceAttachment {
 public:
  ~AioTable() override {
    for (Ref<AioContext>& c : contexts_)
      if (c) c->abandon();
  }
  static Result<AioTable*> of(mm::AddressSpace& space) {
    if (mm::SpaceAttachment* there = space.attachment()) return static_cast<AioTable*>(there);
    Unique<AioTable> fresh = make<AioTable>();
    if (!fresh) return Errno::nomem;
    return static_cast<AioTable*>(&space.attach(Unique<mm::SpaceAttachment>(fresh.release())));
  }
  uint32_t next_id() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  Result<void> add(Ref<AioContext> context) {
    LockGuard guard(lock_);
    for (Ref<AioContext>& c : contexts_)
      if (!c) {
        c = std::move(context);
        return {};
      }
    return contexts_.push_back(std::move(context));
  }
  Ref<AioContext> find(uint64_t id) {
    LockGuard guard(lock_);
    for (Ref<AioContext>& c : contexts_)
      if (c && c->id() == id) return c;
    return {};
  }
  void remove(AioContext& context) {
    Ref<AioContext> gone;
    LockGuard guard(lock_);
    for (Ref<AioContext>& c : contexts_)
      if (c.get() == &context) std::swap(gone, c);
  }

 private:
  std::atomic<uint32_t> next_id_{0};
  Mutex lock_{LockRank::file_position};
  Vec<Ref<AioContext>> contexts_ GUARDED_BY(lock_);
};

Result<void> charge(uint64_t requests) {
  LockGuard guard(g_lock);
  if (g_requests + requests > g_aio_max.load(std::memory_order_relaxed)) return Errno::again;
  g_requests += requests;
  return {};
}

}  // namespace

uint64_t aio_requests() {
  LockGuard guard(g_lock);
  return g_requests;
}

Result<Ref<AioContext>> AioContext::create(Task& task, uint32_t events) {
  constexpr uint32_t kMost = 0x10000000 / sizeof(IoEvent);
  const uint64_t slots = 2 * std::max<uint64_t>(events, uint64_t{arch::cpu_count()} * 4);
  if (slots > kMost) return Errno::inval;
  if (events > g_aio_max.load(std::memory_order_relaxed)) return Errno::again;
  AioTable& table = *TRY(AioTable::of(task.mm()));
  Ref<AioContext> context = make_ref<AioContext>();
  if (!context) return Errno::nomem;
  context->ring_ = TRY(AioRing::create(task.mm(), static_cast<uint32_t>(slots) + 2, table.next_id()));
  TRY(charge(events));
  context->requests_ = events;
  mm::MmapRequest r;
  r.size = context->ring_->size();
  r.prot = mm::Prot::read | mm::Prot::write;
  r.flags = mm::kMapShared;
  r.file = mm::MappableRef(*context->ring_);
  uint64_t address = TRY(task.mm().mmap(std::move(r), address_space_limits(task)));
  if (Result<void> added = table.add(context); !added) {
    (void)task.mm().munmap(address, context->ring_->size());
    return added.error();
  }
  return context;
}

Result<Ref<AioContext>> AioContext::find(Task& task, uint64_t id) {
  // A ring that is unmapped names no context.
  if (!mm::copy_in(task.mm(), mm::UserPtr<uint32_t>(id))) return Errno::inval;
  auto* table = static_cast<AioTable*>(task.mm().attachment());
  Ref<AioContext> found = table ? table->find(id) : Ref<AioContext>();
  if (!found) return Errno::inval;
  return found;
}

AioContext::~AioContext() {
  LockGuard guard(g_lock);
  g_requests -= requests_;
}

// False: it is dead already.
bool AioContext::kill() {
  LockGuard guard(lock_);
  return !std::exchange(dead_, true);
}

void AioContext::abandon() {
  if (kill()) drop_polls();
}

Result<void> AioContext::destroy(Task& task) {
  if (!kill()) return Errno::inval;
  Ref<AioContext> keep(*this);
  static_cast<AioTable*>(task.mm().attachment())->remove(*this);
  drop_polls();
  arrivals_.wake_all();
  ParkWaiter waiter;
  idle_.add(waiter);
  auto busy = [&] {
    LockGuard guard(lock_);
    return in_flight_ > 0;
  };
  while (busy()) task.sched.park_event();
  idle_.remove(waiter);
  // As Linux: also when the application has mapped something else there.
  (void)task.mm().munmap(id(), ring_->size());
  return {};
}

// Events in the ring that nobody has taken.
uint32_t AioContext::waiting_locked() const {
  uint32_t head = ring_->head();
  return tail_ >= head ? tail_ - head : tail_ + slots() - head;
}

Result<void> AioContext::reserve() {
  LockGuard guard(lock_);
  if (dead_) return Errno::inval;
  if (in_flight_ + waiting_locked() >= slots() - 1) return Errno::again;
  ++in_flight_;
  return {};
}

void AioContext::release() {
  {
    LockGuard guard(lock_);
    --in_flight_;
  }
  idle_.wake_all();
}

void AioContext::complete(const IoEvent& event, fs::File* eventfd) {
  {
    LockGuard guard(lock_);
    ring_->put(tail_, event);
    tail_ = (tail_ + 1) % slots();
    ring_->set_tail(tail_);
    --in_flight_;
  }
  if (eventfd) {
    uint64_t one = 1;
    mm::IoBuf buf = mm::IoBuf::kernel(std::as_writable_bytes(std::span(&one, 1)));
    (void)eventfd->write(buf, 0);
  }
  idle_.wake_all();
  arrivals_.wake_all();
}

Result<size_t> AioContext::take(mm::AddressSpace& space, uint64_t to, size_t most) {
  LockGuard guard(take_lock_);
  uint32_t head = ring_->head(), tail;
  {
    LockGuard state(lock_);
    if (dead_) return Errno::inval;
    tail = tail_;
  }
  size_t n = 0;
  for (; n < most && head != tail; ++n, head = (head + 1) % slots()) {
    const IoEvent event = ring_->event(head);
    auto copied = mm::copy_out(space, mm::UserPtr<IoEvent>(to + n * sizeof(IoEvent)), event);
    if (copied) continue;
    if (n == 0) return copied.error();
    break;
  }
  if (n > 0) ring_->set_head(head);
  return n;
}

}  // namespace runsc::kernel
