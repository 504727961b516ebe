// KVM request numbers with the sizes that C gives their structs.
//
// Some structs of <linux/kvm.h> end in a flexible array that is declared through an empty struct when
// compiled as C++; their sizeof then differs from C's, and the size is part of an ioctl number. Use the
// constants below for them.
#pragma once

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

namespace runsc::monitor {

// Size of the fixed part, in C, of kvm_cpuid2, kvm_msrs: two 32-bit words before the entries.
inline constexpr std::size_t kListHeaderSize = 8;
// Size of the fixed part, in C, of kvm_msr_list and kvm_signal_mask: one 32-bit word.
inline constexpr std::size_t kIndexListHeaderSize = 4;

inline constexpr unsigned long kGetSupportedCpuid =
    _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, kListHeaderSize);
inline constexpr unsigned long kSetCpuid2 = _IOC(_IOC_WRITE, KVMIO, 0x90, kListHeaderSize);
inline constexpr unsigned long kGetCpuid2 = _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x91, kListHeaderSize);
inline constexpr unsigned long kGetMsrs = _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x88, kListHeaderSize);
inline constexpr unsigned long kSetMsrs = _IOC(_IOC_WRITE, KVMIO, 0x89, kListHeaderSize);
inline constexpr unsigned long kGetMsrIndexList =
    _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x02, kIndexListHeaderSize);
inline constexpr unsigned long kSetSignalMask = _IOC(_IOC_WRITE, KVMIO, 0x8b, kIndexListHeaderSize);
// KVM_SET_XSAVE and KVM_GET_XSAVE are numbered by the 4096 bytes of the legacy struct whatever is
// transferred.
inline constexpr unsigned long kGetXsave = _IOC(_IOC_READ, KVMIO, 0xa4, 4096);
inline constexpr unsigned long kSetXsave = _IOC(_IOC_WRITE, KVMIO, 0xa5, 4096);
inline constexpr unsigned long kGetXsave2 = _IOC(_IOC_READ, KVMIO, 0xcf, 4096);

static_assert(kGetSupportedCpuid == 0xc008ae05);
static_assert(kSetCpuid2 == 0x4008ae90);
static_assert(kGetCpuid2 == 0xc008ae91);
static_assert(kGetMsrs == 0xc008ae88);
static_assert(kSetMsrs == 0x4008ae89);
static_assert(kGetMsrIndexList == 0xc004ae02);
static_assert(kSetSignalMask == 0x4004ae8b);
static_assert(kGetXsave == 0x9000aea4);
static_assert(kSetXsave == 0x5000aea5);

// The lists in the layout of the kernel, with room for their entries.
template <typename Entry, std::size_t N>
struct KvmList {
  std::uint32_t count = 0;
  std::uint32_t padding = 0;
  Entry entries[N] = {};
};

inline constexpr std::size_t kMaxCpuidEntries = 256;
using CpuidList = KvmList<kvm_cpuid_entry2, kMaxCpuidEntries>;
template <std::size_t N>
using MsrList = KvmList<kvm_msr_entry, N>;
static_assert(offsetof(CpuidList, entries) == kListHeaderSize);

}  // namespace runsc::monitor
