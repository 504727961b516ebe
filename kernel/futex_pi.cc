// Futexes with priority inheritance (futex(2)): the word holds the owner's tid, the kernel hands the lock
// over. The scheduler knows no priorities, so nothing is inherited; order is first come, first served.
#include <algorithm>

#include "kernel/futex_table.h"
#include "kernel/pid.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace futex;

namespace {

constexpr uint32_t kWaiters = 0x80000000, kOwnerDied = 0x40000000, kTidMask = 0x3fffffff;

void choose_locked(Bucket& b, Waiter& w) REQUIRES(b.lock) {
  take_out_locked(b, w);
  w.pi.store(PiState::chosen, std::memory_order_relaxed);
  w.bucket.store(nullptr, std::memory_order_release);
}

// The first waiter of the key, taken out and marked; `more`: another one is left.
Waiter* choose(const Key& key, bool& more) {
  Bucket& b = bucket_of(key);
  Waiter* chosen = nullptr;
  more = false;
  LockGuard guard(b.lock);
  for (auto it = b.list.begin(); it != b.list.end();) {
    Waiter& w = *it++;
    if (!same(w.key, key) || w.pi.load(std::memory_order_relaxed) == PiState::none) continue;
    if (chosen) {
      more = true;
      break;
    }
    chosen = &w;
    choose_locked(b, w);
  }
  return chosen;
}

bool is_waited_for(const Key& key) {
  Bucket& b = bucket_of(key);
  LockGuard guard(b.lock);
  return std::any_of(b.list.begin(), b.list.end(), [&](const Waiter& w) {
    return same(w.key, key) && w.pi.load(std::memory_order_relaxed) != PiState::none;
  });
}

void release(Waiter& w, PiState state) {
  Parker* parker = w.parker;
  w.pi.store(state, std::memory_order_release);
  parker->unpark();
}

// Once chosen or woken, the waiter learns here what became of it: true, the lock is its own.
bool settle(Task& task, Waiter& w) {
  for (;;) {
    PiState state = w.pi.load(std::memory_order_acquire);
    if (state == PiState::granted) return true;
    if (state != PiState::chosen) return false;
    task.sched.park_event();
  }
}

// One try without sleeping, for the thread `tid` of the task's PID namespace. True: got it; false: `word` is
// held by another and marked as waited for.
Result<bool> try_take(Task& task, uint32_t tid, uint64_t address, uint32_t& word, bool only_try) {
  word = TRY(mm::load_user32(task.mm(), address));
  for (;;) {
    uint32_t owner = word & kTidMask;
    if (owner == tid) return Errno::deadlk;
    uint32_t wanted = owner == 0 ? tid | (word & (kWaiters | kOwnerDied)) : word | kWaiters;
    if (owner != 0) {
      if (only_try) return Errno::again;
      if (!find_task(task, static_cast<int32_t>(owner))) return Errno::srch;
    }
    uint32_t seen = wanted == word ? word : TRY(mm::cmpxchg_user32(task.mm(), address, word, wanted));
    if (seen == word) {
      word = wanted;
      return owner == 0;
    }
    word = seen;
  }
}

}  // namespace

Result<void> futex_lock_pi(Task& task, uint64_t address, bool shared, uint64_t deadline_ns, bool only_try) {
  Waiter w;
  w.parker = &task.sched;
  w.key = TRY(key_of(task, address, shared));
  w.mask = ~0u;
  w.tid = task.own_tid();
  for (;;) {
    uint32_t word = 0;
    if (TRY(try_take(task, static_cast<uint32_t>(task.own_tid()), address, word, only_try))) return {};
    w.pi.store(PiState::queued, std::memory_order_relaxed);
    enqueue(w);
    // The owner may have let go between the mark and the queue.
    auto now = mm::load_user32(task.mm(), address);
    bool stale = !now || *now != word;
    Result<void> parked;
    while (!stale && parked && w.bucket.load(std::memory_order_acquire))
      parked = park_interruptible(task, deadline_ns);
    if (!dequeue(w) && settle(task, w)) return {};
    if (!now) return now.error();
    if (!parked) return parked.error() == Errno::restartsys ? Errno::restartnointr : parked.error();
  }
}

namespace {

// The word has changed. Whoever queued since the look at the queue, and looked at the word before that, would
// wait for a change that has been; whoever looks at it later sees it.
void retry_all(const Key& key) {
  bool more = false;
  while (Waiter* late = choose(key, more)) release(*late, PiState::retry);
}

// The word is the new owner's, who does not know yet; it says that others wait if `more`.
void hand_over(Task& task, Waiter& next, const Key& key, uint64_t address, bool more) {
  auto word = static_cast<uint32_t>(next.tid);
  while (!more && is_waited_for(key)) {
    auto seen = mm::cmpxchg_user32(task.mm(), address, word, word | kWaiters);
    // Gone, or somebody has written it: those who wait look for themselves.
    if (!seen || (*seen & kTidMask) != static_cast<uint32_t>(next.tid)) {
      release(next, PiState::granted);
      return retry_all(key);
    }
    if (*seen == word || *seen & kWaiters) break;
    word = *seen;
  }
  release(next, PiState::granted);
}

}  // namespace

Result<void> futex_unlock_pi(Task& task, uint64_t address, bool shared) {
  Key key = TRY(key_of(task, address, shared));
  uint32_t word = TRY(mm::load_user32(task.mm(), address));
  if ((word & kTidMask) != static_cast<uint32_t>(task.own_tid())) return Errno::perm;
  bool more = false;
  Waiter* next = choose(key, more);
  for (;;) {
    uint32_t wanted = next ? static_cast<uint32_t>(next->tid) | (more ? kWaiters : 0) : 0;
    auto seen = mm::cmpxchg_user32(task.mm(), address, word, wanted);
    if (!seen || (*seen & kTidMask) != static_cast<uint32_t>(task.own_tid())) {
      if (next) release(*next, PiState::retry);
      return seen ? Errno::again : seen.error();
    }
    if (*seen == word) break;
    word = *seen;
  }
  if (next)
    hand_over(task, *next, key, address, more);
  else
    retry_all(key);
  return {};
}

namespace {

// What becomes of one that waits to be moved, or has been. Comes back when it knows, with nothing queued.
Result<void> wait_to_be_moved(Task& task, Waiter& w, uint64_t address, bool shared, uint64_t deadline_ns) {
  for (;;) {
    const PiState state = w.pi.load(std::memory_order_acquire);
    if (state == PiState::granted) return {};
    if (state == PiState::retry) {
      auto taken = futex_lock_pi(task, address, shared, deadline_ns, false);
      // It has been moved: the call cannot be made again as it was.
      if (!taken && taken.error() == Errno::restartnointr) return Errno::again;
      return taken;
    }
    if (state == PiState::chosen) {
      task.sched.park_event();
      continue;
    }
    auto parked = park_interruptible(task, deadline_ns);
    if (parked || !dequeue(w)) continue;
    if (parked.error() != Errno::restartsys) return parked.error();
    return w.pi.load(std::memory_order_relaxed) == PiState::before ? Errno::restartnointr : Errno::again;
  }
}

// The first that waits at `from`, taken out and marked; null: nobody does. EINVAL: it waits for something
// else.
Result<Waiter*> choose_to_move(const Key& from, const Key& lock) {
  Bucket& b = bucket_of(from);
  LockGuard guard(b.lock);
  for (Waiter& w : b.list) {
    if (!same(w.key, from)) continue;
    if (w.pi.load(std::memory_order_relaxed) != PiState::before || !same(w.lock, lock)) return Errno::inval;
    choose_locked(b, w);
    return &w;
  }
  return nullptr;
}

// It was marked, and now waits on.
void put_back(Waiter& w, PiState state) {
  Parker* parker = w.parker;
  w.pi.store(state, std::memory_order_release);
  enqueue(w);
  parker->unpark();
}

// To those who wait for the lock; one that has let go meanwhile did not see it.
void queue_for_lock(Task& task, Waiter& w, const Key& lock, uint64_t address, uint32_t word) {
  w.key = lock;
  put_back(w, PiState::queued);
  auto now = mm::load_user32(task.mm(), address);
  if (now && *now == word) return;
  // Whoever stands first tries by itself.
  bool more = false;
  if (Waiter* first = choose(lock, more)) release(*first, PiState::retry);
}

}  // namespace

Result<void> futex_wait_requeue_pi(Task& task, uint64_t address, bool shared, uint32_t value, uint32_t mask,
                                   uint64_t deadline_ns, uint64_t lock) {
  if (address == lock || mask == 0) return Errno::inval;
  Waiter w;
  w.parker = &task.sched;
  w.lock = TRY(key_of(task, lock, shared));
  w.key = TRY(key_of(task, address, shared));
  if (same(w.key, w.lock)) return Errno::inval;
  w.mask = mask;
  w.tid = task.own_tid();
  w.pi.store(PiState::before, std::memory_order_relaxed);
  enqueue(w);
  auto now = mm::load_user32(task.mm(), address);
  if ((!now || *now != value) && dequeue(w)) return now ? Errno::again : now.error();
  return wait_to_be_moved(task, w, lock, shared, deadline_ns);
}

Result<size_t> futex_cmp_requeue_pi(Task& task, uint64_t from, uint64_t lock, bool shared, uint32_t wake,
                                    uint32_t move, uint32_t expected) {
  if (from == lock || wake != 1) return Errno::inval;
  const Key source = TRY(key_of(task, from, shared)), target = TRY(key_of(task, lock, shared));
  if (same(source, target)) return Errno::inval;
  if (TRY(mm::load_user32(task.mm(), from)) != expected) return Errno::again;
  size_t moved = 0;
  for (; moved <= move; ++moved) {
    Waiter* w = TRY(choose_to_move(source, target));
    if (!w) break;
    uint32_t word = 0;
    auto taken = try_take(task, static_cast<uint32_t>(w->tid), lock, word, false);
    if (!taken) {
      // It stays where it was, behind the others.
      put_back(*w, PiState::before);
      return taken.error();
    }
    if (*taken)
      release(*w, PiState::granted);
    else
      queue_for_lock(task, *w, target, lock, word);
  }
  return moved;
}

}  // namespace runsc::kernel
