// Futexes with priority inheritance (futex(2)): the word holds the owner's tid, the kernel hands the lock
// over. The scheduler knows no priorities, so nothing is inherited; order is first come, first served.
#include "kernel/futex_table.h"
#include "kernel/pid.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace futex;

namespace {

constexpr uint32_t kWaiters = 0x80000000, kOwnerDied = 0x40000000, kTidMask = 0x3fffffff;

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
    take_out_locked(b, w);
    w.pi.store(PiState::chosen, std::memory_order_relaxed);
    w.bucket.store(nullptr, std::memory_order_release);
  }
  return chosen;
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

// One try without sleeping. True: got it; false: `word` is held by another and marked as waited for.
Result<bool> try_take(Task& task, uint64_t address, uint32_t& word, bool only_try) {
  auto tid = static_cast<uint32_t>(task.own_tid());
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
    if (TRY(try_take(task, address, word, only_try))) return {};
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
  if (next) release(*next, PiState::granted);
  return {};
}

}  // namespace runsc::kernel
