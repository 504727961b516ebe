// What sandboxes of both modes are made of. Internal to this folder.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "kvm/monitor/boot_image.h"
#include "kvm/monitor/preempt_timer.h"
#include "kvm/monitor/sandbox.h"
#include "kvm/monitor/services/event_loop.h"
#include "kvm/monitor/services/file_table.h"
#include "kvm/monitor/services/hostcall_server.h"
#include "kvm/monitor/vm.h"

namespace runsc::monitor {

class SandboxBase : public Sandbox, public SandboxEnd {
 public:
  SandboxBase(std::unique_ptr<KvmSystem> kvm, SandboxConfig config)
      : kvm_(std::move(kvm)), config_(std::move(config)) {}

  std::expected<int, Error> run() override;
  void signal(int signo) override { events_->signal(signo); }
  void window_size(std::uint16_t rows, std::uint16_t columns) override {
    events_->window_size(rows, columns);
  }

  std::uint32_t command(Command command) override;
  CommandQueue& commands() override { return *commands_; }
  std::expected<Donation, Error> donate(std::vector<UniqueFd> fds) override;
  void withdraw(const Donation& donation) override;
  std::expected<void, Error> add_wires(std::vector<WireFds> wires) override;

  // SandboxEnd
  void finish(std::uint32_t wait_status) override;
  void panic(unsigned cpu, const ValidPanic& panic) override;

  // Everything up to the first instruction.
  virtual Expected<void> prepare() = 0;

 protected:
  Expected<void> make_vm();
  // Boot data from `start` on; sets boot_info_.
  Expected<void> lay_out_boot(BootAllocator& allocator, std::int64_t tsc_offset);
  // After lay_out_boot(): the services, and whom events go to.
  Expected<void> open_doors(CpuControl& cpus, std::int64_t tsc_offset);

  virtual void start_cpus() = 0;
  // The sentry may wake the thread of a wire by other means than a hostcall.
  virtual void wire_added(unsigned number, int doorbell) {
    (void)number;
    (void)doorbell;
  }
  // After the end of the container: CPUs stop as far as the mode can make them.
  virtual void stop_cpus() = 0;
  // Keeps the calling CPU from running on after the sandbox has ended.
  virtual void end_of_cpu() = 0;
  virtual std::string panic_report(unsigned cpu, const ValidPanic& panic) = 0;

  void crash(const std::string& report);
  void log_line(const std::string& line);
  hostcall::BootInfo& boot_info() { return boot_info_at(vm_->memory(), boot_info_phys_); }
  hostcall::Shared& shared() { return *reinterpret_cast<hostcall::Shared*>(vm_->memory().at(shared_phys_)); }

  std::unique_ptr<KvmSystem> kvm_;
  SandboxConfig config_;
  std::unique_ptr<Vm> vm_;
  std::unique_ptr<EventLoop> events_;
  HostWatches watches_;
  std::unique_ptr<CommandQueue> commands_;
  WireSet wires_;
  std::unique_ptr<FileTable> files_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<HostcallServer> server_;
  std::unique_ptr<PreemptTimer> timer_;
  std::uint64_t boot_info_phys_ = 0;
  // Read from BootInfo before the sentry could change it.
  std::uint64_t shared_phys_ = 0, frames_phys_ = 0, tsc_hz_ = 0;

 private:
  std::mutex end_mutex_;
  bool ended_ = false;                  // guarded by end_mutex_
  std::uint32_t wait_status_ = 0;       // guarded by end_mutex_
  std::optional<std::string> crashed_;  // guarded by end_mutex_; first line of the report
};

std::unique_ptr<SandboxBase> make_ring0_sandbox(std::unique_ptr<KvmSystem> kvm, SandboxConfig config);
std::unique_ptr<SandboxBase> make_hosted_sandbox(std::unique_ptr<KvmSystem> kvm, SandboxConfig config);

}  // namespace runsc::monitor
