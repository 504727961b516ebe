// Robust futex lists: what a dying thread does for those who wait for its locks (get_robust_list(2),
// Documentation/locking/robust-futex-ABI in Linux).
#include "kernel/futex.h"
#include "mm/user_copy.h"
#include "mm/user_ptr.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kWaiters = 0x80000000, kOwnerDied = 0x40000000, kTidMask = 0x3fffffff;
constexpr int kMaxEntries = 2048;

struct RobustHead {
  uint64_t list;
  int64_t futex_offset;
  uint64_t pending;
};

void mark_dead(Task& task, uint64_t address, bool pending) {
  auto word = mm::load_user32(task.mm(), address);
  while (word) {
    // Died between taking the lock word to 0 and waking: the next waiter must not be lost.
    if (pending && *word == 0) return futex_wake_address(task, address, 1);
    if ((*word & kTidMask) != static_cast<uint32_t>(task.own_tid())) return;
    uint32_t fresh = (*word & kWaiters) | kOwnerDied;
    auto seen = mm::cmpxchg_user32(task.mm(), address, *word, fresh);
    if (!seen) return;
    if (*seen == *word) {
      if (*word & kWaiters) futex_wake_address(task, address, 1);
      return;
    }
    word = seen;
  }
}

}  // namespace

void exit_robust_list(Task& task) {
  if (task.robust_list == 0) return;
  auto head = mm::copy_in(task.mm(), mm::UserPtr<RobustHead>(task.robust_list));
  uint64_t head_address = std::exchange(task.robust_list, 0);
  if (!head) return;
  // Bit 0 of an entry marks a priority-inheriting lock.
  auto futex_of = [&](uint64_t entry) {
    return (entry & ~uint64_t{1}) + static_cast<uint64_t>(head->futex_offset);
  };
  uint64_t entry = head->list, pending = head->pending;
  for (int i = 0; i < kMaxEntries && (entry & ~uint64_t{1}) != head_address; ++i) {
    auto next = mm::copy_in(task.mm(), mm::UserPtr<uint64_t>(entry & ~uint64_t{1}));
    if ((entry & ~uint64_t{1}) != (pending & ~uint64_t{1})) mark_dead(task, futex_of(entry), false);
    if (!next) break;
    entry = *next;
  }
  if (pending) mark_dead(task, futex_of(pending), true);
}

}  // namespace runsc::kernel
