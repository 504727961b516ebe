// What the host tells the sentry without being asked: streams that became ready, signals, a new window size.
// One thread waits for all of it, keeps it for TakeEvents, sets Shared::events_pending and wakes a CPU.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "kernel/base/result.h"
#include "kvm/hostcall/boot_info.h"
#include "kvm/hostcall/calls.h"
#include "kvm/monitor/error.h"
#include "kvm/monitor/services/cpu_control.h"
#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

// Thread-safe. Pending events are bounded: one for each stream, each signal, and the window size.
class EventLoop {
 public:
  static Expected<std::unique_ptr<EventLoop>> create();

  // Before run(): whom to tell. Both outlive the loop.
  void attach(hostcall::Shared& shared, CpuControl& cpus, unsigned cpu_count);

  // Waits and dispatches until stop().
  void run();

  // Async-signal-safe.
  void stop();
  void signal(int signo);
  void window_size(std::uint16_t rows, std::uint16_t columns);
  void command();  // one waits for the sentry

  // One stream_ready event for the first of these poll(2) bits that comes true; adds to bits already armed.
  Result<void> arm(hostcall::Handle handle, int fd, std::uint32_t bits);
  // Changes of watched files are told by this descriptor; `drain` reads it, and says whether the sentry is to
  // be told (EventKind::changes). Always the same one.
  Result<void> listen(int fd, std::function<bool()> drain);
  // The same, found by somebody else.
  void changes();

  // There is something in the ring of a wire (Shared::wires_pending). Any thread, after attach().
  void wire(unsigned number);

  // No more events for the handle. Before its descriptor is closed.
  void forget(hostcall::Handle handle, int fd);

  // Moves pending events out; the answer is how many.
  unsigned take(std::span<hostcall::Event> out);

 private:
  struct Stream {
    int fd = -1;
    std::uint32_t armed = 0;  // bits waited for
    std::uint32_t ready = 0;  // bits to report
    bool registered = false;
  };
  EventLoop() = default;
  void poke();
  void on_stream(hostcall::Handle handle, std::uint32_t bits);
  void announce();
  void wake_a_cpu();

  UniqueFd epoll_;
  UniqueFd wake_;  // eventfd
  hostcall::Shared* shared_ = nullptr;
  CpuControl* cpus_ = nullptr;
  unsigned cpu_count_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> signals_{0};      // bit n: signal n has come
  std::atomic<std::uint64_t> window_size_{0};  // kNewSize | rows << 16 | columns
  std::atomic<bool> command_{false};
  std::atomic<bool> changes_{false};
  std::function<bool()> drain_;  // set before its descriptor is waited for
  std::mutex mutex_;
  std::map<hostcall::Handle, Stream> streams_;  // guarded by mutex_
};

}  // namespace runsc::monitor
