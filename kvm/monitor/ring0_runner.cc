#include "kvm/monitor/ring0_runner.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "kvm/arch/ring0/boot_protocol.h"
#include "kvm/monitor/boot_image.h"
#include "kvm/monitor/crash_report.h"
#include "kvm/monitor/tsc.h"

namespace runsc::monitor {
namespace {

namespace ring0 = arch::ring0;

constexpr std::uint64_t kNoDeadline = ~std::uint64_t{0};
constexpr std::int64_t kSecond = 1'000'000'000;
// The longest single wait: a deadline farther away is waited for in parts.
constexpr std::uint64_t kLongestWait = 3600ULL * kSecond;

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t value, const timespec* timeout) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, timeout, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void count(std::atomic<std::uint64_t>& counter) {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

kvm_segment kernel_segment(std::uint16_t selector, std::uint8_t type, bool code) {
  kvm_segment s{};
  s.selector = selector;
  s.limit = 0xffffffff;
  s.type = type;
  s.present = 1;
  s.s = 1;
  s.l = code;
  s.db = !code;
  s.g = 1;
  return s;
}

kvm_segment null_segment() {
  kvm_segment s{};
  s.unusable = 1;
  return s;
}

}  // namespace

Expected<std::unique_ptr<Ring0Runner>> Ring0Runner::create(Vm& vm, unsigned cpus) {
  if (!vm.cpuid().has_xsave()) return fail("unsupported CPU: ring0 mode needs XSAVE");
  std::unique_ptr<Ring0Runner> runner(new Ring0Runner(vm));
  for (unsigned i = 0; i < cpus; ++i) {
    auto cpu = std::make_unique<Cpu>();
    cpu->number = i;
    cpu->vcpu = MON_TRY(vm.create_vcpu(i));
    cpu->stats = VcpuStats::open(cpu->vcpu->fd());
    runner->cpus_.push_back(std::move(cpu));
  }
  return runner;
}

Ring0Runner::~Ring0Runner() { stop(); }

Expected<void> Ring0Runner::set_start(std::uint64_t cr3, std::uint64_t entry, std::uint64_t boot_info_phys) {
  for (auto& cpu : cpus_) {
    kvm_sregs s = MON_TRY(cpu->vcpu->sregs());
    s.cr0 = ring0::kBootCr0;
    s.cr3 = cr3;
    s.cr4 = ring0::boot_cr4(boot_features(vm_.cpuid()));
    s.efer = ring0::kBootEfer;
    s.cs = kernel_segment(ring0::kKernelCs, 11, true);
    s.ss = kernel_segment(ring0::kKernelSs, 3, false);
    s.ds = s.es = s.fs = s.gs = null_segment();
    s.ldt = null_segment();
    MON_TRY(cpu->vcpu->set_sregs(s));
    kvm_regs r{};
    r.rip = entry;
    r.rdi = boot_info_phys;
    r.rsi = cpu->number;
    r.rflags = 2;
    MON_TRY(cpu->vcpu->set_regs(r));
  }
  return {};
}

void Ring0Runner::start(Doors doors) {
  doors_ = std::make_unique<Doors>(std::move(doors));
  for (auto& cpu : cpus_) {
    cpu->thread = std::thread([this, c = cpu.get()] { run(*c); });
  }
}

void Ring0Runner::request_stop() {
  stop_.store(true, std::memory_order_seq_cst);
  for (unsigned i = 0; i < cpus_.size(); ++i) wake(i);
}

void Ring0Runner::stop() {
  request_stop();
  for (auto& cpu : cpus_) {
    if (cpu->thread.joinable()) cpu->thread.join();
  }
}

std::string Ring0Runner::describe_exits() const {
  std::string text;
  for (const auto& c : cpus_) {
    if (c->stats)
      text +=
          fmt::format("{}cpu {}: {} exits of the VM", text.empty() ? "" : "; ", c->number, c->stats->exits());
    text += fmt::format(
        "{}cpu {}: {} hostcalls, {} interrupt windows, {} interruptions, {} memory faults, {} kicks",
        text.empty() ? "" : "; ", c->number, c->doorbells.load(), c->windows.load(), c->interruptions.load(),
        c->memory_faults.load(), c->kicks.load());
  }
  return text;
}

void Ring0Runner::wake(unsigned number) {
  if (number >= cpus_.size()) return;
  Cpu& cpu = *cpus_[number];
  cpu.kick_pending.store(true, std::memory_order_seq_cst);
  if (cpu.woken.exchange(1, std::memory_order_seq_cst) == 0) futex_wake(cpu.woken);
  cpu.vcpu->kick();
}

void Ring0Runner::idle(unsigned number, std::uint64_t deadline_tsc) {
  Cpu& cpu = *cpus_[number];
  while (cpu.woken.load(std::memory_order_seq_cst) == 0 && !stop_.load(std::memory_order_relaxed)) {
    if (deadline_tsc == kNoDeadline) {
      futex_wait(cpu.woken, 0, nullptr);
      continue;
    }
    const std::uint64_t now = read_tsc() + static_cast<std::uint64_t>(cpu.vcpu->tsc_offset());
    if (now >= deadline_tsc) break;
    const auto wide = static_cast<unsigned __int128>(deadline_tsc - now) * kSecond / doors_->tsc_hz;
    const std::uint64_t ns = wide > kLongestWait ? kLongestWait : static_cast<std::uint64_t>(wide);
    const timespec timeout{static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
    futex_wait(cpu.woken, 0, &timeout);
  }
  cpu.woken.store(0, std::memory_order_seq_cst);
  // What woke the CPU has been delivered by that: the sentry looks for work now.
  cpu.kick_pending.store(false, std::memory_order_seq_cst);
  if (doors_->left_idle) doors_->left_idle();
}

// An interrupt needs the guest's consent (EFLAGS.IF); until it gives it, KVM is asked to come back when it
// does.
Expected<void> Ring0Runner::deliver_kick(Cpu& cpu) {
  kvm_run& run = cpu.vcpu->run_page();
  if (!cpu.kick_pending.load(std::memory_order_seq_cst)) {
    run.request_interrupt_window = 0;
    return {};
  }
  if (run.ready_for_interrupt_injection == 0 || run.if_flag == 0) {
    run.request_interrupt_window = 1;
    return {};
  }
  // The same wake may have been meant for an idle() that never came: the interrupt stands for both.
  cpu.kick_pending.store(false, std::memory_order_seq_cst);
  cpu.woken.store(0, std::memory_order_seq_cst);
  run.request_interrupt_window = 0;
  count(cpu.kicks);
  return cpu.vcpu->interrupt(ring0::kKickVector);
}

bool Ring0Runner::serve_memory_fault(Cpu& cpu) {
  kvm_vcpu_events events{};
  // A fault while the exception for the last one is being delivered: the sentry's own stack or tables are
  // gone.
  if (::ioctl(cpu.vcpu->fd(), KVM_GET_VCPU_EVENTS, &events) == 0 && events.exception.injected != 0) {
    doors_->on_crash(*cpu.vcpu, "guest memory that the host cannot supply, while an exception is delivered");
    return false;
  }
  auto injected = cpu.vcpu->inject_exception(ring0::kBusFaultVector, std::nullopt);
  if (!injected) doors_->on_crash(*cpu.vcpu, injected.error().message);
  return injected.has_value();
}

bool Ring0Runner::serve_exit(Cpu& cpu) {
  const kvm_run& run = cpu.vcpu->run_page();
  switch (run.exit_reason) {
    case KVM_EXIT_IO:
      if (run.io.port == hostcall::kDoorbellPort && run.io.direction == KVM_EXIT_IO_OUT) {
        count(cpu.doorbells);
        auto* frames = reinterpret_cast<hostcall::Frame*>(vm_.memory().at(doors_->frames_phys));
        doors_->server.serve(cpu.number, frames[cpu.number]);
        return true;
      }
      if (run.io.port == hostcall::kWirePort && run.io.direction == KVM_EXIT_IO_OUT &&
          run.io.size == sizeof(std::uint32_t)) {
        count(cpu.doorbells);
        std::uint32_t wire = 0;
        std::memcpy(&wire, reinterpret_cast<const std::byte*>(&run) + run.io.data_offset, sizeof wire);
        doors_->server.kick_wire(wire);
        return true;
      }
      break;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
      count(cpu.windows);
      return true;
    case KVM_EXIT_INTR:
      return true;
    default:
      break;
  }
  doors_->on_crash(*cpu.vcpu, describe_exit(run));
  return false;
}

void Ring0Runner::run(Cpu& cpu) {
  ::pthread_setname_np(::pthread_self(), fmt::format("cpu-{}", cpu.number).c_str());
  bool going = true;
  while (going) {
    cpu.vcpu->clear_kick();
    if (stop_.load(std::memory_order_seq_cst)) return;
    if (auto delivered = deliver_kick(cpu); !delivered) {
      doors_->on_crash(*cpu.vcpu, delivered.error().message);
      return;
    }
    auto result = cpu.vcpu->run();
    if (!result) {
      doors_->on_crash(*cpu.vcpu, result.error().message);
      return;
    }
    switch (*result) {
      case Vcpu::RunResult::exited:
        going = serve_exit(cpu);
        break;
      case Vcpu::RunResult::interrupted:
        count(cpu.interruptions);
        break;
      case Vcpu::RunResult::memory_fault:
        count(cpu.memory_faults);
        going = serve_memory_fault(cpu);
        break;
    }
  }
}

}  // namespace runsc::monitor
