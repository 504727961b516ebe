#include "kernel/syscalls/poll_set.h"

#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kAlways = fs::poll_bit::err | fs::poll_bit::hup | fs::poll_bit::nval;

size_t ask_all(std::span<PollEntry> entries) {
  size_t n = 0;
  for (auto& e : entries) {
    if (e.file) e.ready = e.file->poll() & (e.events | kAlways);
    n += e.ready != 0;
  }
  return n;
}

// Waiters of one wait, on their queues while it lasts.
class Waits {
 public:
  explicit Waits(std::span<PollEntry> entries) : entries_(entries) {}
  ~Waits() {
    for (size_t i = 0; i < added_; ++i)
      if (WaitQueue* q = queue_of(i)) q->remove(waiter(i));
    for (size_t i = added_; i-- > 0;) waiter(i).~ParkWaiter();
    if (heap_) kfree(heap_, entries_.size() * sizeof(ParkWaiter));
  }
  Result<void> join() {
    if (entries_.size() > kInline) {
      heap_ = static_cast<std::byte*>(kalloc(entries_.size() * sizeof(ParkWaiter)));
      if (!heap_) return Errno::nomem;
    }
    for (; added_ < entries_.size(); ++added_) {
      new (&waiter(added_)) ParkWaiter();
      if (WaitQueue* q = queue_of(added_)) q->add(waiter(added_), entries_[added_].events | kAlways);
    }
    return {};
  }

 private:
  static constexpr size_t kInline = 4;
  WaitQueue* queue_of(size_t i) { return entries_[i].file ? entries_[i].file->wait_queue() : nullptr; }
  ParkWaiter& waiter(size_t i) {
    std::byte* room = heap_ ? heap_ : inline_;
    return *reinterpret_cast<ParkWaiter*>(room + i * sizeof(ParkWaiter));
  }

  std::span<PollEntry> entries_;
  size_t added_ = 0;
  std::byte* heap_ = nullptr;
  alignas(ParkWaiter) std::byte inline_[kInline * sizeof(ParkWaiter)];
};

}  // namespace

Result<size_t> wait_for_any(Task& task, std::span<PollEntry> entries, uint64_t deadline_ns) {
  if (size_t n = ask_all(entries); n > 0 || deadline_ns == 0) return n;
  Waits waits(entries);
  TRY(waits.join());
  for (;;) {
    if (size_t n = ask_all(entries)) return n;
    auto parked = park_interruptible(task, deadline_ns);
    if (parked) continue;
    if (parked.error() == Errno::timedout) return ask_all(entries);
    if (size_t n = ask_all(entries)) return n;
    return parked.error();
  }
}

uint64_t deadline_of_ms(int timeout_ms) {
  if (timeout_ms < 0) return kNoDeadline;
  if (timeout_ms == 0) return 0;
  return monotonic_ns() + static_cast<uint64_t>(timeout_ms) * 1'000'000;
}

Result<uint64_t> deadline_of_timespec(const TimeSpec& t) {
  if (t.sec < 0 || t.nsec < 0 || t.nsec >= 1'000'000'000) return Errno::inval;
  if (t.sec == 0 && t.nsec == 0) return uint64_t{0};
  constexpr int64_t kForever = int64_t{1} << 33;
  if (t.sec >= kForever) return kNoDeadline;
  return monotonic_ns() + static_cast<uint64_t>(t.sec) * 1'000'000'000 + static_cast<uint64_t>(t.nsec);
}

TimeSpec remaining_until(uint64_t deadline_ns) {
  uint64_t now = monotonic_ns();
  if (deadline_ns == 0 || deadline_ns <= now) return {0, 0};
  uint64_t left = deadline_ns - now;
  return {static_cast<int64_t>(left / 1'000'000'000), static_cast<int64_t>(left % 1'000'000'000)};
}

}  // namespace runsc::kernel
