// A sandbox whose sentry runs in guest ring 0.
#include <fmt/format.h>

#include "kvm/arch/ring0/boot_protocol.h"
#include "kvm/monitor/crash_report.h"
#include "kvm/monitor/elf_image.h"
#include "kvm/monitor/ring0_runner.h"
#include "kvm/monitor/sandbox_base.h"
#include "kvm/monitor/sentry_image.h"

namespace runsc::monitor {
namespace {

class Ring0Sandbox final : public SandboxBase {
 public:
  using SandboxBase::SandboxBase;

  Expected<void> prepare() override {
    image_ = std::make_unique<ElfImage>(MON_TRY(ElfImage::parse(sentry_image())));
    MON_TRY(make_vm());
    const std::uint64_t image_end = MON_TRY(load_sentry(vm_->memory(), *image_));
    BootAllocator allocator(vm_->memory(), image_end);
    cr3_ = MON_TRY(build_boot_tables(*vm_, allocator, *image_));
    runner_ = MON_TRY(Ring0Runner::create(*vm_, config_.cpus));
    const std::int64_t tsc_offset = runner_->vcpu(0).tsc_offset();
    MON_TRY(lay_out_boot(allocator, tsc_offset));
    MON_TRY(runner_->set_start(cr3_, image_->entry(), boot_info_phys_));
    return open_doors(*runner_, tsc_offset);
  }

 protected:
  void wire_added(unsigned number, int doorbell) override {
    // Without it, each is an exit to the runner.
    if (auto hung = vm_->hang_bell(hostcall::kWirePort, number, doorbell); !hung)
      log_line("monitor: " + hung.error().message);
  }
  void start_cpus() override {
    runner_->start({*server_, frames_phys_, tsc_hz_, [this] { timer_->poke(); },
                    [this](const Vcpu& vcpu, const std::string& reason) {
                      crash(crash_report(vcpu, vm_->memory(), &image_->symbols(), reason));
                    }});
  }
  void stop_cpus() override {
    runner_->stop();
    log_line("monitor: exits: " + runner_->describe_exits());
  }
  void end_of_cpu() override { runner_->request_stop(); }

  std::string panic_report(unsigned cpu, const ValidPanic& panic) override {
    const Vcpu& vcpu = runner_->vcpu(cpu);
    std::string report = fmt::format(
        "called from:\n{}", backtrace(vm_->memory(), cr3_, panic.rip, panic.rbp, &image_->symbols()));
    return report + crash_report(vcpu, vm_->memory(), &image_->symbols(), "state at the panic");
  }

 private:
  std::unique_ptr<ElfImage> image_;
  std::unique_ptr<Ring0Runner> runner_;
  std::uint64_t cr3_ = 0;
};

}  // namespace

std::unique_ptr<SandboxBase> make_ring0_sandbox(std::unique_ptr<KvmSystem> kvm, SandboxConfig config) {
  return std::make_unique<Ring0Sandbox>(std::move(kvm), std::move(config));
}

}  // namespace runsc::monitor
