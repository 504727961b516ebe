#include "kvm/monitor/sandbox.h"

#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm/monitor/mode_probe.h"
#include "kvm/monitor/sandbox_base.h"
#include "kvm/monitor/tsc.h"

namespace runsc::monitor {
namespace {

Expected<void> check(const SandboxConfig& config) {
  if (config.cpus < 1 || config.cpus > hostcall::kMaxCpus) {
    return fail(fmt::format("a sandbox has 1 to {} CPUs, not {}", hostcall::kMaxCpus, config.cpus));
  }
  if (config.memory_limit == 0) return fail("a sandbox needs a memory limit");
  return {};
}

Expected<ModeChoice> mode_of(const KvmSystem& kvm, SandboxConfig::Mode wish) {
  switch (wish) {
    case SandboxConfig::Mode::ring0:
      return ModeChoice{true, "ring0: as asked"};
    case SandboxConfig::Mode::hosted:
      return ModeChoice{false, "hosted: as asked"};
    case SandboxConfig::Mode::automatic:
      break;
  }
  return choose_mode(kvm);
}

void write_all(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    ssize_t n = ::write(fd, text.data() + at, text.size() - at);
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
}

}  // namespace

std::expected<std::unique_ptr<Sandbox>, Error> Sandbox::create(SandboxConfig config) {
  MON_TRY(check(config));
  auto kvm = std::make_unique<KvmSystem>(MON_TRY(KvmSystem::open()));
  ModeChoice mode = MON_TRY(mode_of(*kvm, config.mode));
  if (config.debug_log_fd >= 0)
    write_all(config.debug_log_fd, fmt::format("monitor: mode {}\n", mode.reason));
  // The sentry applies the umask of its tasks; a pipe without readers is an errno, not the end of the
  // sandbox.
  ::umask(0);
  ::signal(SIGPIPE, SIG_IGN);
  // Told, malloc need not ask the host how many CPUs there are, which the jail does not allow.
  ::mallopt(M_ARENA_MAX, static_cast<int>(config.cpus) + 2);
  auto sandbox = mode.ring0 ? make_ring0_sandbox(std::move(kvm), std::move(config))
                            : make_hosted_sandbox(std::move(kvm), std::move(config));
  MON_TRY(sandbox->prepare());
  return sandbox;
}

Expected<void> SandboxBase::make_vm() {
  std::vector<HostFileRef> donated;
  for (int fd : config_.donated) donated.push_back(adopt_donated(UniqueFd(fd)));
  files_ = std::make_unique<FileTable>(std::move(donated));
  events_ = MON_TRY(EventLoop::create());
  watches_.attach([this](int fd) { return events_->listen(fd, [this] { return watches_.drain(); }); },
                  [this] { events_->changes(); });
  commands_ = MON_TRY(CommandQueue::create());
  MON_TRY(Vcpu::install_kick_handler());
  vm_ = MON_TRY(Vm::create(*kvm_, config_.memory_limit, config_.cpus));
  tsc_hz_ = MON_TRY(tsc_frequency(*kvm_, vm_->fd()));
  return {};
}

Expected<void> SandboxBase::lay_out_boot(BootAllocator& allocator, std::int64_t tsc_offset) {
  BootOptions options{config_.cpus, config_.log_level, config_.strace, tsc_hz_, tsc_offset};
  boot_info_phys_ = MON_TRY(write_boot_info(*vm_, allocator, options, config_.container));
  shared_phys_ = boot_info().shared_phys;
  frames_phys_ = boot_info().frames_phys;
  config_.container.clear();
  return {};
}

Expected<void> SandboxBase::open_doors(CpuControl& cpus, std::int64_t tsc_offset) {
  events_->attach(shared(), cpus, config_.cpus);
  Bounds bounds{vm_->memory().limit(), config_.cpus, config_.host_fifo};
  services_ =
      std::unique_ptr<Services>(new Services{vm_->memory(), *files_, *events_, watches_, *commands_, wires_,
                                             cpus, *this, bounds, config_.debug_log_fd, tsc_offset});
  server_ = std::make_unique<HostcallServer>(*services_, config_.cpus);
  timer_ = std::make_unique<PreemptTimer>(shared(), cpus, config_.cpus, tsc_hz_, tsc_offset);
  return {};
}

std::expected<int, Error> SandboxBase::run() {
  timer_->start();
  start_cpus();
  events_->run();
  timer_->stop();
  stop_cpus();
  for (unsigned i = 0; WirePump* wire = wires_.find(i); ++i) wire->stop();
  log_line("monitor: hostcalls by number: " + server_->describe_counts());
  std::scoped_lock lock(end_mutex_);
  if (crashed_) return fail(*crashed_);
  return static_cast<int>(wait_status_);
}

std::uint32_t SandboxBase::command(Command command) {
  const std::uint32_t id = commands_->submit(std::move(command));
  events_->command();
  return id;
}

std::expected<Donation, Error> SandboxBase::donate(std::vector<UniqueFd> fds) {
  Donation donation;
  for (UniqueFd& fd : fds) {
    const HostFileRef file = adopt_as_it_is(std::move(fd));
    const Result<hostcall::Handle> handle = file ? files_->add(file) : Errno::badf;
    if (handle) {
      donation.handles.push_back(*handle);
      donation.files.emplace_back(file);
      continue;
    }
    withdraw(donation);
    return fail_errno("a descriptor for the sandbox", static_cast<int>(handle.error()));
  }
  return donation;
}

std::expected<void, Error> SandboxBase::add_wires(std::vector<WireFds> wires) {
  for (WireFds& fds : wires) {
    auto pump = std::make_unique<WirePump>(
        std::move(fds), vm_->memory(), [this, number = wires_.count()] { events_->wire(number); },
        [this](const std::string& line) { log_line(line); });
    const int doorbell = pump->doorbell();
    if (const auto added = wires_.add(std::move(pump)); !added)
      return fail_errno("a network interface for the sandbox", static_cast<int>(added.error()));
    wire_added(wires_.count() - 1, doorbell);
  }
  return {};
}

void SandboxBase::withdraw(const Donation& donation) {
  for (std::size_t i = 0; i < donation.handles.size(); ++i)
    files_->withdraw(donation.handles[i], donation.files[i]);
}

void SandboxBase::finish(std::uint32_t wait_status) {
  {
    std::scoped_lock lock(end_mutex_);
    if (!ended_) {
      ended_ = true;
      wait_status_ = wait_status;
    }
  }
  events_->stop();
  end_of_cpu();
}

void SandboxBase::panic(unsigned cpu, const ValidPanic& panic) {
  crash(fmt::format("sentry panic on CPU {}: {}:{}: {}\n{}", cpu, panic.file, panic.line, panic.reason,
                    panic_report(cpu, panic)));
  end_of_cpu();
}

void SandboxBase::log_line(const std::string& line) {
  if (config_.debug_log_fd >= 0) write_all(config_.debug_log_fd, line + '\n');
}

void SandboxBase::crash(const std::string& report) {
  {
    std::scoped_lock lock(end_mutex_);
    // Later crashes are mostly echoes of the first; a container that has ended is not un-ended.
    if (ended_) return;
    ended_ = true;
    crashed_ = report.substr(0, report.find('\n'));
  }
  write_all(STDERR_FILENO, report);
  if (config_.debug_log_fd >= 0) write_all(config_.debug_log_fd, report);
  events_->stop();
}

}  // namespace runsc::monitor
