// One vCPU: registers, KVM_RUN, kicks.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "kvm/monitor/cpuid.h"
#include "kvm/monitor/error.h"
#include "kvm/monitor/kvm_ioctl.h"
#include "kvm/monitor/kvm_system.h"
#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

// Used by one thread at a time, which may change between runs; kick() alone is for any thread.
class Vcpu {
 public:
  // Creates vCPU `id` of the VM with the CPUID of `model`, its XCR0, and a TSC that equals the host's where
  // KVM lets us say so (tsc_offset() tells). `cpu` is the CPU whose APIC id it shows.
  static Expected<std::unique_ptr<Vcpu>> create(const KvmSystem& kvm, int vm_fd, const CpuidModel& model,
                                                unsigned id, unsigned cpu);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  unsigned id() const { return id_; }
  int fd() const { return fd_.get(); }
  // The page shared with KVM. Set kvm_valid_regs/kvm_dirty_regs in it to have registers travel with KVM_RUN.
  kvm_run& run_page() const { return *run_; }
  // Guest TSC minus host TSC.
  std::int64_t tsc_offset() const { return tsc_offset_; }

  Expected<kvm_regs> regs() const;
  Expected<void> set_regs(const kvm_regs& regs);
  Expected<kvm_sregs> sregs() const;
  Expected<void> set_sregs(const kvm_sregs& sregs);
  Expected<std::uint64_t> msr(std::uint32_t index) const;
  Expected<void> set_msrs(std::span<const kvm_msr_entry> msrs);
  // Vector state in the XSAVE layout; the spans are KvmSystem::xsave_size() bytes.
  Expected<void> get_xsave(std::span<std::byte> area) const;
  Expected<void> set_xsave(std::span<const std::byte> area);
  // Queues an exception for the next entry. For a fault the saved RIP is the instruction the vCPU stands at.
  Expected<void> inject_exception(std::uint8_t vector, std::optional<std::uint32_t> error_code);
  // KVM_INTERRUPT: needs EFLAGS.IF and no interrupt shadow in the guest
  // (run_page().ready_for_interrupt_injection).
  Expected<void> interrupt(std::uint8_t vector);

  enum class RunResult {
    exited,        // run_page().exit_reason tells why
    interrupted,   // a signal or kick(); no exit reason
    memory_fault,  // EFAULT: guest memory that the host cannot supply; the vCPU stands at the instruction
  };
  // KVM_RUN once. An error is one that ends the VM.
  Expected<RunResult> run();

  // Pulls the vCPU out of guest code, or keeps it from entering: run() answers `interrupted`, now or at its
  // next call, until clear_kick(). Async-signal-safe. Protocol without lost kicks: the kicker publishes its
  // work, then kicks; the vCPU's thread calls clear_kick(), then looks for work, then run().
  void kick();
  void clear_kick();

  // The signal that kick() sends; its handler, installed once for the process by install_kick_handler(), does
  // nothing.
  static int kick_signal();
  static Expected<void> install_kick_handler();

 private:
  Vcpu() = default;
  Expected<void> set_cpuid(const CpuidModel& model, unsigned cpu);
  Expected<void> set_xcr0(std::uint64_t value);
  Expected<void> match_host_tsc();

  UniqueFd fd_;
  kvm_run* run_ = nullptr;
  std::size_t run_size_ = 0;
  unsigned id_ = 0;
  bool has_xsave2_ = false;
  std::size_t xsave_size_ = 0;
  std::int64_t tsc_offset_ = 0;
  // Thread inside KVM_RUN, 0 when none. Stored before KVM reads immediate_exit, which kick() stores before
  // reading this: one of the two sides sees the other (both sequentially consistent).
  std::atomic<pid_t> runner_{0};
};

}  // namespace runsc::monitor
