// One virtual machine: its descriptor, memory, CPU model and vCPUs.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "kvm/monitor/cpuid.h"
#include "kvm/monitor/error.h"
#include "kvm/monitor/guest_memory.h"
#include "kvm/monitor/kvm_system.h"
#include "kvm/monitor/vcpu.h"

namespace runsc::monitor {

// Thread-safe. The KvmSystem outlives it.
class Vm {
 public:
  // `cpus`: CPUs that the topology tells of.
  static Expected<std::unique_ptr<Vm>> create(const KvmSystem& kvm, std::uint64_t memory_limit,
                                              unsigned cpus);

  const KvmSystem& kvm() const { return kvm_; }
  int fd() const { return fd_.get(); }
  GuestMemory& memory() { return *memory_; }
  const CpuidModel& cpuid() const { return cpuid_; }

  // OUT of 32 bits, `value`, to the port writes to `eventfd` instead of being an exit; the VM keeps the file.
  Expected<void> hang_bell(std::uint16_t port, std::uint32_t value, int eventfd);

  // A new vCPU that shows the APIC id of `cpu`. vCPUs live as long as the VM: KVM cannot take one away.
  Expected<std::unique_ptr<Vcpu>> create_vcpu(unsigned cpu);

 private:
  explicit Vm(const KvmSystem& kvm) : kvm_(kvm) {}

  const KvmSystem& kvm_;
  UniqueFd fd_;
  std::unique_ptr<GuestMemory> memory_;
  CpuidModel cpuid_;
  std::mutex mutex_;
  unsigned next_vcpu_ = 0;  // guarded by mutex_
};

}  // namespace runsc::monitor
