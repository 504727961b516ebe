#include "kvm/monitor/vm.h"

#include <fmt/format.h>

namespace runsc::monitor {

Expected<std::unique_ptr<Vm>> Vm::create(const KvmSystem& kvm, std::uint64_t memory_limit, unsigned cpus) {
  std::unique_ptr<Vm> vm(new Vm(kvm));
  vm->fd_ = MON_TRY(kvm.create_vm());
  vm->memory_ = MON_TRY(GuestMemory::create(vm->fd(), kvm.max_memslots(), memory_limit));
  vm->cpuid_ = CpuidModel::build(kvm.supported_cpuid(), cpus);
  return vm;
}

Expected<void> Vm::hang_bell(std::uint16_t port, std::uint32_t value, int eventfd) {
  kvm_ioeventfd bell{};
  bell.datamatch = value;
  bell.addr = port;
  bell.len = sizeof value;
  bell.fd = eventfd;
  bell.flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH;
  if (::ioctl(fd_.get(), KVM_IOEVENTFD, &bell) != 0) return fail_errno("KVM_IOEVENTFD", errno);
  return {};
}

Expected<std::unique_ptr<Vcpu>> Vm::create_vcpu(unsigned cpu) {
  std::scoped_lock lock(mutex_);
  if (next_vcpu_ >= kvm_.max_vcpus())
    return fail(fmt::format("KVM allows no more than {} vCPUs", next_vcpu_));
  auto vcpu = MON_TRY(Vcpu::create(kvm_, fd(), cpuid_, next_vcpu_, cpu));
  ++next_vcpu_;
  return vcpu;
}

}  // namespace runsc::monitor
