#include "kernel/blocking.h"

#include "kernel/task.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"

namespace runsc::kernel {

namespace {

class WakeTimer final : public Timer {
 public:
  explicit WakeTimer(SchedEntity& sleeper) : sleeper_(sleeper) {}
  ~WakeTimer() { cancel(); }

 private:
  void fire() override { sleeper_.unpark(); }
  SchedEntity& sleeper_;
};

}  // namespace

void park_until(Task& task, uint64_t deadline_ns) {
  WakeTimer timer(task.sched);
  timer.arm(deadline_ns);
  task.sched.park_event();
}

Result<void> park_interruptible(Task& task, uint64_t deadline_ns) {
  if (task.signal_pending()) return Errno::restartsys;
  if (deadline_ns == kNoDeadline) {
    task.sched.park_event();
  } else {
    if (monotonic_ns() >= deadline_ns) return Errno::timedout;
    park_until(task, deadline_ns);
  }
  return {};
}

}  // namespace runsc::kernel
