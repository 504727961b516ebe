// The waiters of futexes, in buckets by key. Private to futex*.cc.
#pragma once

#include <boost/intrusive/list.hpp>

#include "kernel/futex.h"

namespace runsc::kernel::futex {

using Key = mm::AddressSpace::FutexKey;

inline bool same(const Key& a, const Key& b) { return a.object == b.object && a.offset == b.offset; }

struct Bucket;

// How a waiter for a lock with priority inheritance stands: whoever unlocks chooses one, hands the lock over
// in user memory, and then lets it go on. Chosen it may not give up. `before`: it waits at another futex,
// from which FUTEX_CMP_REQUEUE_PI brings it here.
enum class PiState : uint32_t { none, before, queued, chosen, granted, retry };

// On the stack of who waits.
struct Waiter : boost::intrusive::list_base_hook<> {
  Parker* parker = nullptr;
  Key key{};
  uint32_t mask = 0;
  int32_t tid = 0;  // of a PI waiter
  Key lock{};       // before: of the lock
  std::atomic<PiState> pi{PiState::none};
  std::atomic<Bucket*> bucket{nullptr};  // null: taken out by a waker
};

struct alignas(64) Bucket {
  SpinLock lock{LockRank::futex_bucket};
  std::atomic<uint32_t> waiters{0};
  using List = boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>>;
  List list GUARDED_BY(lock);
};

Bucket& bucket_of(const Key& key);
// EINVAL: not aligned; EFAULT.
Result<Key> key_of(Task& task, uint64_t address, bool shared);
void enqueue(Waiter& w);
// True: it still stood there. False: somebody has taken it out.
bool dequeue(Waiter& w);
void take_out_locked(Bucket& b, Waiter& w) REQUIRES(b.lock);

}  // namespace runsc::kernel::futex
