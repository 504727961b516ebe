// Time and chance for unit tests of the network: the same at every run.
#include "net/services.h"

#include <algorithm>
#include <map>
#include <new>

#include "tests/unit/fake_net/fake_net.h"

namespace runsc::net {

namespace {
uint64_t g_state = 0x9e3779b97f4a7c15;
uint64_t g_now = 1'000'000'000;
constexpr int64_t kEpoch = 1'700'000'000'000'000'000;
}  // namespace

uint64_t monotonic_ns() { return g_now; }
int64_t realtime_ns() { return kEpoch + static_cast<int64_t>(g_now) - 1'000'000'000; }
uint64_t random_u64() {
  g_state ^= g_state << 13;
  g_state ^= g_state >> 7;
  g_state ^= g_state << 17;
  return g_state;
}
void ring_doorbells() {}
uint32_t random_u32() { return static_cast<uint32_t>(random_u64() >> 16); }
void random_bytes(std::span<std::byte> out) {
  for (std::byte& b : out) b = static_cast<std::byte>(random_u64() >> 24);
}

// What stands in a Timer's room.
struct TimerHost {
  using Queue = std::multimap<uint64_t, TimerHost*>;
  static Queue& queue() {
    static Queue all;
    return all;
  }
  explicit TimerHost(Timer& t) : owner(t) {}
  static TimerHost& of(const Timer& timer) {
    // SAFETY: the constructor of Timer put it there.
    return *std::launder(reinterpret_cast<TimerHost*>(const_cast<std::byte*>(timer.room_)));
  }
  static void construct(Timer& timer) {
    static_assert(sizeof(TimerHost) <= Timer::kRoom);
    new (timer.room_) TimerHost(timer);
  }
  bool take() {
    if (!armed) return false;
    queue().erase(place);
    armed = false;
    return true;
  }
  void fire() { owner.fire(); }
  Timer& owner;
  bool armed = false;
  Queue::iterator place;
};

Timer::Timer() { TimerHost::construct(*this); }
Timer::~Timer() { TimerHost::of(*this).take(); }
void Timer::arm(uint64_t deadline_ns) {
  TimerHost& host = TimerHost::of(*this);
  host.take();
  host.place = TimerHost::queue().emplace(deadline_ns, &host);
  host.armed = true;
}
bool Timer::cancel() { return TimerHost::of(*this).take(); }
bool Timer::try_cancel() { return cancel(); }
bool Timer::armed() const { return TimerHost::of(*this).armed; }

namespace testing {

void run_for(uint64_t ns) {
  const uint64_t end = g_now + ns;
  auto& queue = TimerHost::queue();
  while (!queue.empty() && queue.begin()->first <= end) {
    TimerHost& next = *queue.begin()->second;
    g_now = std::max(g_now, queue.begin()->first);
    next.take();
    next.fire();
  }
  g_now = end;
}

size_t armed_timers() { return TimerHost::queue().size(); }

}  // namespace testing

}  // namespace runsc::net
