#include "kernel/futex.h"

#include "kernel/futex_table.h"
#include "kernel/late.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace futex {

namespace {

constexpr size_t kBuckets = 256;

struct Table {
  Bucket bucket[kBuckets];
};
constinit Late<Table> g_table{};

}  // namespace

Bucket& bucket_of(const Key& key) {
  uint64_t h = reinterpret_cast<uintptr_t>(key.object) * 0x9e3779b97f4a7c15 ^ key.offset * 0xc2b2ae3d27d4eb4f;
  return g_table->bucket[(h >> 32 ^ h >> 12) % kBuckets];
}

Result<Key> key_of(Task& task, uint64_t address, bool shared) {
  if (address & 3) return Errno::inval;
  return task.mm().futex_key(address, shared);
}

void enqueue(Waiter& w) {
  Bucket& b = bucket_of(w.key);
  LockGuard guard(b.lock);
  w.bucket.store(&b, std::memory_order_relaxed);
  b.list.push_back(w);
  // seq_cst: before the caller's load of the futex word, as the waker's store comes before its look here.
  b.waiters.fetch_add(1, std::memory_order_seq_cst);
}

void take_out_locked(Bucket& b, Waiter& w) {
  b.list.erase(b.list.iterator_to(w));
  b.waiters.fetch_sub(1, std::memory_order_relaxed);
}

bool dequeue(Waiter& w) {
  for (;;) {
    Bucket* b = w.bucket.load(std::memory_order_acquire);
    if (!b) return false;
    LockGuard guard(b->lock);
    if (w.bucket.load(std::memory_order_relaxed) != b) continue;  // requeued meanwhile
    take_out_locked(*b, w);
    w.bucket.store(nullptr, std::memory_order_relaxed);
    return true;
  }
}

}  // namespace futex

using namespace futex;

namespace {

void wake_locked(Bucket& b, Waiter& w) REQUIRES(b.lock) {
  take_out_locked(b, w);
  Parker* parker = w.parker;
  if (w.pi.load(std::memory_order_relaxed) != PiState::none)
    w.pi.store(PiState::retry, std::memory_order_relaxed);
  // The waiter's frame may be gone once it sees null; its parker is part of a task, whose memory stays a
  // task's.
  w.bucket.store(nullptr, std::memory_order_release);
  parker->unpark();
}

// `pi`: waiters for locks with priority inheritance too (their owner died); else EINVAL where there are any.
Result<uint32_t> wake_key(const Key& key, uint32_t count, uint32_t mask, bool pi = false) {
  Bucket& b = bucket_of(key);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // the caller's store before this look
  if (b.waiters.load(std::memory_order_seq_cst) == 0) return uint32_t{0};
  uint32_t woken = 0;
  LockGuard guard(b.lock);
  for (auto it = b.list.begin(); it != b.list.end() && woken < count;) {
    Waiter& w = *it++;
    if (!same(w.key, key)) continue;
    if (!pi && w.pi.load(std::memory_order_relaxed) != PiState::none) return Errno::inval;
    if (!(w.mask & mask)) continue;
    wake_locked(b, w);
    ++woken;
  }
  return woken;
}

// Two buckets in address order; one bucket once.
class TwoBuckets {
 public:
  TwoBuckets(Bucket& a, Bucket& b) NO_THREAD_SAFETY_ANALYSIS : low_(&a < &b ? a : b), high_(&a < &b ? b : a) {
    low_.lock.lock();
    if (&low_ != &high_) high_.lock.lock();
  }
  ~TwoBuckets() NO_THREAD_SAFETY_ANALYSIS {
    if (&low_ != &high_) high_.lock.unlock();
    low_.lock.unlock();
  }

 private:
  Bucket &low_, &high_;
};

}  // namespace

void futex_init() { futex::g_table.init(); }

Result<void> futex_wait(Task& task, uint64_t address, bool shared, uint32_t value, uint32_t mask,
                        uint64_t deadline_ns) {
  if (mask == 0) return Errno::inval;
  Waiter w;
  w.parker = &task.sched;
  w.key = TRY(key_of(task, address, shared));
  w.mask = mask;
  // In the queue first, then the look at the word: a waker that changes it either is seen here or sees us.
  enqueue(w);
  auto now = mm::load_user32(task.mm(), address);
  if (!now || *now != value) {
    if (!dequeue(w)) return {};  // a wake-up was spent on us: it counts
    return now ? Errno::again : now.error();
  }
  for (;;) {
    if (!w.bucket.load(std::memory_order_acquire)) return {};
    auto parked = park_interruptible(task, deadline_ns);
    if (parked) continue;
    if (!dequeue(w)) return {};
    return parked.error();
  }
}

Result<size_t> futex_wake(Task& task, uint64_t address, bool shared, uint32_t count, uint32_t mask) {
  if (mask == 0) return Errno::inval;
  Key key = TRY(key_of(task, address, shared));
  return size_t{TRY(wake_key(key, count, mask))};
}

void futex_wake_address(Task& task, uint64_t address, uint32_t count) {
  // CLONE_CHILD_CLEARTID and robust lists do not say whether the word is shared.
  if (auto key = key_of(task, address, true)) (void)wake_key(*key, count, ~0u, true);
}

Result<size_t> futex_requeue(Task& task, uint64_t from, uint64_t to, bool shared, uint32_t wake,
                             uint32_t move, const uint32_t* expected) NO_THREAD_SAFETY_ANALYSIS {
  Key source = TRY(key_of(task, from, shared));
  Key target = TRY(key_of(task, to, shared));
  if (expected && TRY(mm::load_user32(task.mm(), from)) != *expected) return Errno::again;
  Bucket &a = bucket_of(source), &b = bucket_of(target);
  TwoBuckets locks(a, b);
  uint32_t woken = 0, moved = 0;
  for (auto it = a.list.begin(); it != a.list.end();) {
    Waiter& w = *it++;
    if (!same(w.key, source)) continue;
    if (w.pi.load(std::memory_order_relaxed) != PiState::none) return Errno::inval;
    if (woken < wake) {
      wake_locked(a, w);
      ++woken;
      continue;
    }
    if (moved >= move) break;
    ++moved;
    w.key = target;
    if (&a == &b) continue;
    take_out_locked(a, w);
    b.list.push_back(w);
    b.waiters.fetch_add(1, std::memory_order_seq_cst);
    w.bucket.store(&b, std::memory_order_release);
  }
  return woken + moved;
}

Result<size_t> futex_wake_op(Task& task, uint64_t address, uint64_t address2, bool shared, uint32_t wake,
                             uint32_t wake2, uint32_t encoded) {
  WakeOp op = TRY(decode_wake_op(encoded));
  Key key = TRY(key_of(task, address, shared));
  Key key2 = TRY(key_of(task, address2, shared));
  uint32_t old = TRY(mm::load_user32(task.mm(), address2));
  for (;;) {
    uint32_t seen = TRY(mm::cmpxchg_user32(task.mm(), address2, old, apply_wake_op(op, old)));
    if (seen == old) break;
    old = seen;
  }
  size_t woken = TRY(wake_key(key, wake, ~0u));
  if (compare_wake_op(op, old)) woken += TRY(wake_key(key2, wake2, ~0u));
  return woken;
}

}  // namespace runsc::kernel
