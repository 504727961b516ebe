// What the parts of the hosted seam share. Internal to this folder.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/base/cpu_hooks.h"
#include "kvm/arch/hosted/boot.h"
#include "kvm/arch/seam.h"

namespace runsc::arch::hosted {

struct Sandbox {
  monitor::Vm* vm = nullptr;  // null in unit tests without KVM
  hostcall::BootInfo info{};
  Service serve = nullptr;
  void* context = nullptr;
  hostcall::Shared* shared = nullptr;
  hostcall::Frame* frames = nullptr;
  int64_t tsc_offset = 0;  // guest minus host
};
extern Sandbox sandbox;

// A host thread that runs the sentry.
struct Cpu {
  CpuLocal local;
  LockStack locks;
  std::atomic<uint32_t> wake{0};                 // a kick that nobody has taken yet; futex word
  std::atomic<uint32_t> idle{0};                 // sleeps on `wake`, or is about to
  std::atomic<monitor::Vcpu*> running{nullptr};  // about to be, in or just out of KVM_RUN
  Context* switching_from = nullptr;             // sanitizers: who to tell where the last stack was
  void* dying_fiber = nullptr;
};
extern Cpu cpus[hostcall::kMaxCpus];

// The CPU of the calling thread; threads that are none (unit tests, the monitor's) have one of their own.
// Never keep the reference across a context switch: not inlined, so that no compiler does either.
Cpu& this_cpu();
// A thread becomes a CPU.
void bind_thread(unsigned cpu);

}  // namespace runsc::arch::hosted
