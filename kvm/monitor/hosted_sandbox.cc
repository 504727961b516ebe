// A sandbox whose sentry runs on threads of this process; the guest has ring 3 alone.
#include <execinfo.h>
#include <fmt/format.h>
#include <pthread.h>

#include <condition_variable>
#include <cstdlib>
#include <thread>

#include "kvm/arch/hosted/boot.h"
#include "kvm/monitor/fault_report.h"
#include "kvm/monitor/sandbox_base.h"

namespace runsc::monitor {
namespace {

// Guest-physical address 0 stays unused: a null frame number is then never a valid one.
constexpr std::uint64_t kBootStart = kGuestPageSize;
constexpr int kMostFrames = 64;

// Hosted CPUs sleep and wake by themselves; the monitor only ever kicks them.
class HostedCpus final : public CpuControl {
 public:
  void wake(unsigned cpu) override { arch::hosted::kick(cpu); }
  void idle(unsigned, std::uint64_t) override {}
};

class HostedSandbox final : public SandboxBase {
 public:
  using SandboxBase::SandboxBase;

  Expected<void> prepare() override {
    MON_TRY(make_vm());
    BootAllocator allocator(vm_->memory(), kBootStart);
    MON_TRY(lay_out_boot(allocator, 0));
    MON_TRY(open_doors(cpus_, 0));
    MON_TRY(install_fault_report(config_.debug_log_fd));
    return arch::hosted::boot({*vm_, boot_info(), &HostedSandbox::serve, this});
  }

 protected:
  void start_cpus() override {
    for (unsigned i = 0; i < config_.cpus; ++i) {
      std::thread thread([i] {
        ::pthread_setname_np(::pthread_self(), fmt::format("cpu-{}", i).c_str());
        arch::hosted::enter_cpu(i);
      });
      thread.detach();
    }
  }

  // The sentry's threads run inside the sentry and cannot be called back; they end with the process.
  void stop_cpus() override {}
  void end_of_cpu() override {
    std::unique_lock lock(for_ever_);
    std::condition_variable never;
    for (;;) never.wait(lock);
  }

  std::string panic_report(unsigned, const ValidPanic&) override {
    void* frames[kMostFrames];
    const int count = ::backtrace(frames, kMostFrames);
    char** names = ::backtrace_symbols(frames, count);
    std::string report = "backtrace:\n";
    for (int i = 0; names != nullptr && i < count; ++i) report += fmt::format("  #{:<2} {}\n", i, names[i]);
    std::free(names);
    return report;
  }

 private:
  static void serve(void* context, unsigned cpu, hostcall::Frame& frame) {
    static_cast<HostedSandbox*>(context)->server_->serve(cpu, frame);
  }

  HostedCpus cpus_;
  std::mutex for_ever_;
};

}  // namespace

std::unique_ptr<SandboxBase> make_hosted_sandbox(std::unique_ptr<KvmSystem> kvm, SandboxConfig config) {
  return std::make_unique<HostedSandbox>(std::move(kvm), std::move(config));
}

}  // namespace runsc::monitor
