// /dev/kvm: what this machine's KVM can do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kvm/monitor/error.h"
#include "kvm/monitor/kvm_ioctl.h"
#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

// Immutable after open(); may be shared between threads.
class KvmSystem {
 public:
  // Opens the device and checks what the VM cannot do without: the API version, the capabilities of KVM's
  // api.rst that the monitor uses, and a CPU with long mode, SYSCALL, NX and SSE2. Each failure is one line
  // that names what is missing.
  static Expected<KvmSystem> open(const char* path = "/dev/kvm");

  // For a descriptor that was opened by somebody else (donated to the sandbox process).
  static Expected<KvmSystem> from_fd(UniqueFd fd);

  int fd() const { return fd_.get(); }
  std::uint32_t max_vcpus() const { return max_vcpus_; }
  std::uint32_t max_memslots() const { return max_memslots_; }
  std::size_t vcpu_mmap_size() const { return vcpu_mmap_size_; }
  // Bytes that the XSAVE requests transfer; at least 4096.
  std::size_t xsave_size() const { return xsave_size_; }
  bool has_xsave2() const { return has_xsave2_; }
  bool has_tsc_khz() const { return has_tsc_khz_; }

  // KVM_GET_SUPPORTED_CPUID, unfiltered: the ceiling of what a guest may be shown.
  const std::vector<kvm_cpuid_entry2>& supported_cpuid() const { return supported_cpuid_; }

  // KVM_CREATE_VM.
  Expected<UniqueFd> create_vm() const;

 private:
  KvmSystem() = default;
  Expected<void> check_capabilities();
  Expected<void> read_supported_cpuid();
  Expected<void> check_cpu() const;

  UniqueFd fd_;
  std::uint32_t max_vcpus_ = 0;
  std::uint32_t max_memslots_ = 0;
  std::size_t vcpu_mmap_size_ = 0;
  std::size_t xsave_size_ = 4096;
  bool has_xsave2_ = false;
  bool has_tsc_khz_ = false;
  std::vector<kvm_cpuid_entry2> supported_cpuid_;
};

}  // namespace runsc::monitor
