// What the services ask of the CPUs, whichever way these run.
#pragma once

#include <cstdint>

namespace runsc::monitor {

class CpuControl {
 public:
  virtual ~CpuControl() = default;
  // Ends idle() of the CPU, now or at its next call, or pulls it out of user code. Any thread.
  virtual void wake(unsigned cpu) = 0;
  // Hostcall cpu_idle of a CPU, on its own thread. ~0: no deadline.
  virtual void idle(unsigned cpu, std::uint64_t deadline_tsc) = 0;
};

}  // namespace runsc::monitor
