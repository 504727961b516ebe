// Ring0 mode: one thread for each CPU of the sentry, which runs its vCPU, serves its hostcalls and delivers
// its kicks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kvm/hostcall/frame.h"
#include "kvm/monitor/services/cpu_control.h"
#include "kvm/monitor/services/hostcall_server.h"
#include "kvm/monitor/vcpu_stats.h"
#include "kvm/monitor/vm.h"

namespace runsc::monitor {

class Ring0Runner final : public CpuControl {
 public:
  // How a CPU tells that it cannot go on; called on its thread, which stops afterwards.
  using OnCrash = std::function<void(const Vcpu& vcpu, const std::string& reason)>;

  // Makes `cpus` vCPUs at the first instruction of the boot protocol. `tsc_hz` as the sentry knows it.
  static Expected<std::unique_ptr<Ring0Runner>> create(Vm& vm, unsigned cpus);
  ~Ring0Runner() override;

  Vcpu& vcpu(unsigned cpu) { return *cpus_[cpu]->vcpu; }
  // Registers as the boot protocol has them.
  Expected<void> set_start(std::uint64_t cr3, std::uint64_t entry, std::uint64_t boot_info_phys);

  struct Doors {
    HostcallServer& server;
    std::uint64_t frames_phys;
    std::uint64_t tsc_hz;
    std::function<void()> left_idle;  // may be empty
    OnCrash on_crash;
  };
  void start(Doors doors);
  // Stops every CPU at its next exit and joins the threads. Not from a CPU's thread.
  void stop();
  // The CPUs run no further than their next exit. From any thread.
  void request_stop();

  // Exits of all CPUs by their cause, for the log.
  std::string describe_exits() const;

  void wake(unsigned cpu) override;
  void idle(unsigned cpu, std::uint64_t deadline_tsc) override;

 private:
  struct Cpu {
    unsigned number = 0;
    std::unique_ptr<Vcpu> vcpu;
    std::optional<VcpuStats> stats;  // where KVM has them
    std::thread thread;
    std::atomic<std::uint32_t> woken{0};    // futex: a wake that no idle() has taken yet
    std::atomic<bool> kick_pending{false};  // an interrupt to deliver
    // Statistics, written by the CPU's thread alone.
    std::atomic<std::uint64_t> doorbells{0}, windows{0}, interruptions{0}, memory_faults{0}, kicks{0};
  };
  explicit Ring0Runner(Vm& vm) : vm_(vm) {}
  void run(Cpu& cpu);
  Expected<void> deliver_kick(Cpu& cpu);
  // False: the CPU cannot go on, and on_crash has been told.
  bool serve_exit(Cpu& cpu);
  bool serve_memory_fault(Cpu& cpu);

  Vm& vm_;
  std::vector<std::unique_ptr<Cpu>> cpus_;
  std::unique_ptr<Doors> doors_;
  std::atomic<bool> stop_{false};
};

}  // namespace runsc::monitor
