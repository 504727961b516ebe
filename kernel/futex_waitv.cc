// futex_waitv(2): one wait for any of several futexes.
#include "kernel/base/alloc.h"
#include "kernel/base/vec.h"
#include "kernel/futex_table.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace futex;

namespace {

struct Place : HeapObject {
  Waiter waiter;
};

// Takes out what still stands in queues. The last one that somebody has woken, or -1.
int leave(std::span<Unique<Place>> places) {
  int woken = -1;
  for (size_t i = 0; i < places.size(); ++i)
    if (!dequeue(places[i]->waiter)) woken = static_cast<int>(i);
  return woken;
}

bool any_woken(std::span<Unique<Place>> places) {
  for (Unique<Place>& p : places)
    if (!p->waiter.bucket.load(std::memory_order_acquire)) return true;
  return false;
}

}  // namespace

Result<int> futex_wait_any(Task& task, std::span<const FutexChoice> choices, uint64_t deadline_ns) {
  Vec<Unique<Place>> places;
  TRY(places.reserve(choices.size()));
  for (const FutexChoice& c : choices) {
    Unique<Place> p = make<Place>();
    if (!p) return Errno::nomem;
    p->waiter.parker = &task.sched;
    p->waiter.key = TRY(key_of(task, c.address, c.shared));
    p->waiter.mask = ~0u;
    TRY(places.push_back(std::move(p)));
  }
  for (size_t i = 0; i < choices.size(); ++i) {
    enqueue(places[i]->waiter);
    auto now = mm::load_user32(task.mm(), choices[i].address);
    if (now && *now == choices[i].value) continue;
    const int woken = leave(places.span().first(i + 1));
    if (woken >= 0) return woken;  // a wake-up was spent on us: it counts
    return now ? Errno::again : now.error();
  }
  for (;;) {
    if (any_woken(places.span())) return leave(places.span());
    auto parked = park_interruptible(task, deadline_ns);
    if (parked) continue;
    const int woken = leave(places.span());
    if (woken >= 0) return woken;
    return parked.error();
  }
}

}  // namespace runsc::kernel
