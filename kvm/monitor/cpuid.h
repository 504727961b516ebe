// The CPU that the guest is shown: KVM's offer, cut down to what the sentry saves, enables or supports.
//
// Every leaf passes an allow-list: a feature bit that is not named in cpuid.cc is hidden, so a new CPU or a
// new KVM adds nothing by itself. Gone as a whole: virtualization, paravirtual leaves (0x4000xxxx),
// performance counters, MONITOR/MWAIT, APIC timers, protection keys, five-level paging, shadow stacks, user
// interrupts, AMX, processor trace, MPX, TSX.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kvm/monitor/kvm_ioctl.h"

namespace runsc::monitor {

// State components that the guest may enable in XCR0: x87, SSE, AVX, and the three of AVX-512.
inline constexpr std::uint64_t kXcr0X87 = 1 << 0;
inline constexpr std::uint64_t kXcr0Sse = 1 << 1;
inline constexpr std::uint64_t kXcr0Avx = 1 << 2;
inline constexpr std::uint64_t kXcr0Avx512 = 7 << 5;
inline constexpr std::uint64_t kXcr0Supported = kXcr0X87 | kXcr0Sse | kXcr0Avx | kXcr0Avx512;

// Immutable once built.
class CpuidModel {
 public:
  // `supported`: KVM_GET_SUPPORTED_CPUID. `cpus`: how many CPUs the topology leaves shall tell of (at least
  // 1).
  static CpuidModel build(const std::vector<kvm_cpuid_entry2>& supported, unsigned cpus);

  // The leaves of one CPU; its APIC id is `cpu` (the topology repeats beyond the number of CPUs).
  std::vector<kvm_cpuid_entry2> for_cpu(unsigned cpu) const;

  // The widest XCR0 that KVM takes for this guest.
  std::uint64_t xcr0() const { return xcr0_; }
  // Bytes of a standard-format XSAVE area with all of xcr0() enabled.
  std::uint32_t xsave_bytes() const { return xsave_bytes_; }

  // What a ring 0 sentry may switch on.
  bool has_xsave() const { return leaf1_ecx_ >> 26 & 1; }
  bool has_fsgsbase() const { return leaf7_ebx_ >> 0 & 1; }
  bool has_smep() const { return leaf7_ebx_ >> 7 & 1; }
  bool has_smap() const { return leaf7_ebx_ >> 20 & 1; }
  bool has_umip() const { return leaf7_ecx_ >> 2 & 1; }
  bool has_pcid() const { return leaf1_ecx_ >> 17 & 1; }

  std::optional<kvm_cpuid_entry2> find(std::uint32_t function, std::uint32_t index = 0) const;

 private:
  void add_filtered(kvm_cpuid_entry2 entry);
  void add_extended(kvm_cpuid_entry2 entry);
  void add_xsave_leaf(const kvm_cpuid_entry2& entry);
  void add_topology_leaves();

  std::vector<kvm_cpuid_entry2> entries_;
  unsigned cpus_ = 1;
  unsigned apic_bits_ = 0;  // bits of an APIC id that number the CPUs
  std::uint64_t xcr0_ = kXcr0X87 | kXcr0Sse;
  std::uint32_t xsave_bytes_ = 576;
  std::uint32_t leaf1_ecx_ = 0;
  std::uint32_t leaf7_ebx_ = 0;
  std::uint32_t leaf7_ecx_ = 0;
};

}  // namespace runsc::monitor
