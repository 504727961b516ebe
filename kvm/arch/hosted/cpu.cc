#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "kvm/arch/hosted/machine.h"

namespace runsc::arch {

namespace hosted {

Sandbox sandbox;
Cpu cpus[hostcall::kMaxCpus];

namespace {

// kernel/base locks park through the CPU's parker; a thread that is no CPU of the sandbox has this one.
class ThreadParker final : public Parker {
 public:
  void park() override {
    while (token_.exchange(0, std::memory_order_acquire) == 0)
      syscall(SYS_futex, &token_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
  }
  void unpark() override {
    if (token_.exchange(1, std::memory_order_release) == 0)
      syscall(SYS_futex, &token_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

 private:
  std::atomic<uint32_t> token_{0};
};

struct LooseThread {
  Cpu cpu;
  ThreadParker parker;
  LooseThread() { cpu.local.parker = &parker; }
};

thread_local Cpu* bound_cpu = nullptr;

}  // namespace

[[gnu::noinline]] Cpu& this_cpu() {
  asm volatile("" ::: "memory");
  if (bound_cpu) return *bound_cpu;
  static thread_local LooseThread loose;
  return loose.cpu;
}

void bind_thread(unsigned cpu) {
  cpus[cpu].local.id = cpu;
  cpus[cpu].local.parker = this_cpu().local.parker;  // until the scheduler sets its own
  bound_cpu = &cpus[cpu];
}

void kick(unsigned cpu) {
  if (cpu >= hostcall::kMaxCpus) return;
  Cpu& c = cpus[cpu];
  // Sequentially consistent against run_user and cpu_idle: they publish `running` or `idle` and then look at
  // `wake`.
  c.wake.store(1, std::memory_order_seq_cst);
  if (monitor::Vcpu* vcpu = c.running.load(std::memory_order_seq_cst)) vcpu->kick();
  if (c.idle.load(std::memory_order_seq_cst) != 0) {
    syscall(SYS_futex, &c.wake, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
}

}  // namespace hosted

using hosted::sandbox;
using hosted::this_cpu;

CpuLocal& cpu_local() { return this_cpu().local; }
unsigned cpu_count() { return sandbox.info.cpus; }
hostcall::Shared& shared() { return *sandbox.shared; }
const hostcall::BootInfo& boot_info() { return sandbox.info; }

uint64_t tsc() { return __rdtsc() + static_cast<uint64_t>(sandbox.tsc_offset); }

void cpu_wake(unsigned cpu) { hosted::kick(cpu); }

void cpu_idle(uint64_t deadline_tsc) {
  hosted::Cpu& cpu = this_cpu();
  auto& state = sandbox.shared->cpu[cpu.local.id].state;
  state.store(hostcall::CpuShared::idle, std::memory_order_relaxed);
  cpu.idle.store(1, std::memory_order_seq_cst);
  while (cpu.wake.load(std::memory_order_seq_cst) == 0) {
    timespec wait{};
    if (deadline_tsc != ~uint64_t{0}) {
      uint64_t now = tsc();
      if (now >= deadline_tsc) break;
      auto ns = static_cast<unsigned __int128>(deadline_tsc - now) * 1000000000 / sandbox.info.tsc_hz;
      if (ns > uint64_t{3600} * 1000000000) ns = uint64_t{3600} * 1000000000;
      wait.tv_sec = static_cast<time_t>(static_cast<uint64_t>(ns) / 1000000000);
      wait.tv_nsec = static_cast<long>(static_cast<uint64_t>(ns) % 1000000000);
    }
    syscall(SYS_futex, &cpu.wake, FUTEX_WAIT_PRIVATE, 0, deadline_tsc == ~uint64_t{0} ? nullptr : &wait,
            nullptr, 0);
  }
  cpu.idle.store(0, std::memory_order_relaxed);
  cpu.wake.exchange(0, std::memory_order_seq_cst);
  state.store(hostcall::CpuShared::kernel, std::memory_order_relaxed);
}

}  // namespace runsc::arch

namespace runsc {

LockStack& current_lock_stack() { return arch::hosted::this_cpu().locks; }

void spin_relax(uint32_t round) {
  // The holder may be a thread that the host has taken off its CPU.
  if (round < 64)
    _mm_pause();
  else
    sched_yield();
}

}  // namespace runsc
