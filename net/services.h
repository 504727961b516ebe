// What the network needs of the kernel above it: time, timers, chance. Defined in kernel/net_services.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace runsc::net {

// CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds. Any context.
uint64_t monotonic_ns();
int64_t realtime_ns();

// Random bytes that nobody can guess. Any context that may take a leaf spinlock.
void random_bytes(std::span<std::byte> out);
uint32_t random_u32();
uint64_t random_u64();

// Wakes the host's side of devices that packets were given to. May call the host: no spinlocks held.
void ring_doorbells();

// Something that happens at a time: kernel::Timer, for this room.
class Timer {
 public:
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires once at `deadline_ns` (monotonic clock), soon if it is past. Arming an armed timer moves it. Under
  // locks of rank < timer.
  void arm(uint64_t deadline_ns);
  // After return fire() is not running and will not run (unless called from fire() itself). False: it was not
  // armed. The caller must hold no lock that fire() takes.
  bool cancel();
  // As cancel(), but does not wait for a fire() that runs on another CPU.
  bool try_cancel();
  bool armed() const;

 protected:
  Timer();
  virtual ~Timer();  // not while armed
  // Runs without locks on some CPU, perhaps its idle context: must not sleep. May arm() itself again. Whoever
  // sends packets in it calls Stack::drain() at its end.
  virtual void fire() = 0;

 private:
  friend struct TimerHost;
  static constexpr size_t kRoom = 128;
  alignas(16) std::byte room_[kRoom];
};

}  // namespace runsc::net
