#include "kvm/monitor/preempt_timer.h"

#include <algorithm>
#include <chrono>

#include "kvm/monitor/tsc.h"

namespace runsc::monitor {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kTick{2};
constexpr milliseconds kLongestRest{32};
constexpr std::uint64_t kNone = ~std::uint64_t{0};

}  // namespace

PreemptTimer::PreemptTimer(hostcall::Shared& shared, CpuControl& cpus, unsigned cpu_count,
                           std::uint64_t tsc_hz, std::int64_t tsc_offset)
    : shared_(shared), cpus_(cpus), cpu_count_(cpu_count), tsc_hz_(tsc_hz), tsc_offset_(tsc_offset) {}

PreemptTimer::~PreemptTimer() { stop(); }

void PreemptTimer::start() {
  thread_ = std::thread([this] { run(); });
}

void PreemptTimer::stop() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void PreemptTimer::poke() {
  if (!resting_.load(std::memory_order_relaxed)) return;
  {
    std::scoped_lock lock(mutex_);
    poked_ = true;
  }
  changed_.notify_one();
}

bool PreemptTimer::look() {
  const std::uint64_t now = read_tsc() + static_cast<std::uint64_t>(tsc_offset_);
  bool busy = false;
  for (unsigned i = 0; i < cpu_count_; ++i) {
    hostcall::CpuShared& cpu = shared_.cpu[i];
    const std::uint32_t state = cpu.state.load(std::memory_order_relaxed);
    busy |= state != hostcall::CpuShared::idle;
    if (state == hostcall::CpuShared::idle) continue;
    std::atomic<std::uint32_t>& samples =
        state == hostcall::CpuShared::user ? cpu.user_samples : cpu.system_samples;
    samples.store(samples.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (state != hostcall::CpuShared::user) continue;
    const std::uint64_t deadline = cpu.timer_deadline_tsc.load(std::memory_order_relaxed);
    // One kick for each deadline: the CPU that has been pulled out sets a new one.
    if (deadline == kNone || deadline > now || deadline == kicked_[i]) continue;
    kicked_[i] = deadline;
    cpus_.wake(i);
  }
  return busy;
}

void PreemptTimer::run() {
  milliseconds rest = kTick;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    // Resting grows step by step: a sandbox that idles costs next to nothing.
    rest = look() ? kTick : std::min(rest * 2, kLongestRest);
    resting_.store(rest > kTick, std::memory_order_relaxed);
    lock.lock();
    if (changed_.wait_for(lock, rest, [this] { return stopping_ || poked_; })) rest = kTick;
    poked_ = false;
  }
}

}  // namespace runsc::monitor
