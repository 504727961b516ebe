// What net/services.h wants of the kernel.
#include <new>

#include "kernel/random.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "net/services.h"

namespace runsc::net {

uint64_t monotonic_ns() { return kernel::monotonic_ns(); }
int64_t realtime_ns() { return kernel::realtime_ns(); }
void random_bytes(std::span<std::byte> out) { kernel::random_bytes(out); }
uint32_t random_u32() { return static_cast<uint32_t>(kernel::random_u64()); }
uint64_t random_u64() { return kernel::random_u64(); }

// The kernel's timer, in the room that the network's has for it.
struct TimerHost final : kernel::Timer {
  explicit TimerHost(net::Timer& o) : owner(o) {}
  void fire() override { owner.fire(); }
  // SAFETY: the constructor of net::Timer put it there.
  static TimerHost& of(const net::Timer& timer) {
    return *std::launder(reinterpret_cast<TimerHost*>(const_cast<std::byte*>(timer.room_)));
  }
  static void construct(net::Timer& timer) {
    static_assert(sizeof(TimerHost) <= net::Timer::kRoom && alignof(TimerHost) <= 16);
    new (timer.room_) TimerHost(timer);
  }
  net::Timer& owner;
};

Timer::Timer() { TimerHost::construct(*this); }
Timer::~Timer() { TimerHost::of(*this).~TimerHost(); }
void Timer::arm(uint64_t deadline_ns) { TimerHost::of(*this).arm(deadline_ns); }
bool Timer::cancel() { return TimerHost::of(*this).cancel(); }
bool Timer::try_cancel() { return TimerHost::of(*this).try_cancel(); }
bool Timer::armed() const { return TimerHost::of(*this).armed(); }

}  // namespace runsc::net
