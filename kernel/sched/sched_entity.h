// SchedEntity: what the scheduler knows of one execution in the sentry (a task or a kernel thread).
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "kernel/base/lock.h"
#include "kernel/sched/cpu_time.h"
#include "kvm/arch/seam.h"

namespace runsc::kernel {

class Task;

// What becomes of an execution that leaves its CPU.
enum class Fate : uint8_t { yield, park, park_event, die };

// Two tokens, set together by unpark() and taken apart: park() (locks) must not swallow the wake-up that a
// park_event() (waiting for events) further up the stack relies on.
class SchedEntity final : public Parker, public boost::intrusive::list_base_hook<> {
 public:
  explicit SchedEntity(Task& task) : task(task) {}
  void park() override;
  void unpark() override;
  // As park(), for event waits.
  void park_event();

  Task& task;
  arch::Context context;
  static constexpr uint32_t kLockToken = 1, kEventToken = 2, kParked = 4;
  std::atomic<uint32_t> tokens{0};
  std::atomic<uint64_t> affinity{~uint64_t{0}};
  std::atomic<uint32_t> cpu{0};  // where it runs or ran last
  std::atomic<bool> on_cpu{false};
  std::atomic<bool> asleep{false};  // parked in an event wait: 'S' in /proc
  std::atomic<int32_t> nice{0};
  std::atomic<int32_t> policy{0}, rt_priority{0};
  std::atomic<bool> reset_on_fork{false};  // SCHED_RESET_ON_FORK
  std::atomic<uint64_t> voluntary_switches{0}, involuntary_switches{0};
  CpuTimeAccount account;
  bool started = false;
};

}  // namespace runsc::kernel
