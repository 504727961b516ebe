#include "kvm/monitor/cpuid.h"

#include <algorithm>
#include <bit>
#include <initializer_list>

namespace runsc::monitor {
namespace {

constexpr std::uint32_t bits(std::initializer_list<unsigned> numbers) {
  std::uint32_t mask = 0;
  for (unsigned n : numbers) mask |= std::uint32_t{1} << n;
  return mask;
}

// SDM volume 2A, CPUID; APM volume 3, appendix E.
// SSE3 PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND
constexpr std::uint32_t kLeaf1Ecx = bits({0, 1, 9, 12, 13, 17, 19, 20, 22, 23, 25, 26, 28, 29, 30});
// FPU VME DE PSE TSC MSR PAE CX8 PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 SS
constexpr std::uint32_t kLeaf1Edx = bits({0, 1, 2, 3, 4, 5, 6, 8, 13, 15, 16, 17, 19, 23, 24, 25, 26, 27});
// FSGSBASE BMI1 AVX2 FDP_EXCPTN SMEP BMI2 ERMS INVPCID NO_FPU_SEL AVX512F DQ RDSEED ADX SMAP IFMA CLFLUSHOPT
// CLWB CD SHA BW VL
constexpr std::uint32_t kLeaf7Ebx =
    bits({0, 3, 5, 6, 7, 8, 9, 10, 13, 16, 17, 18, 19, 20, 21, 23, 24, 28, 29, 30, 31});
// VBMI UMIP VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ
constexpr std::uint32_t kLeaf7Ecx = bits({1, 2, 6, 8, 9, 10, 11, 12, 14});
// FSRM VP2INTERSECT MD_CLEAR SERIALIZE AVX512_FP16
constexpr std::uint32_t kLeaf7Edx = bits({4, 8, 10, 14, 23});
// AVX_VNNI AVX512_BF16 FZRM FSRS FSRC AVX_IFMA
constexpr std::uint32_t kLeaf7_1Eax = bits({4, 5, 10, 11, 12, 23});
// LAHF CMP_LEGACY ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM
constexpr std::uint32_t kExt1Ecx = bits({0, 1, 5, 6, 7, 8, 11, 16, 21});
// As leaf 1, and SYSCALL NX MMXEXT FXSR_OPT PDPE1GB RDTSCP LM
constexpr std::uint32_t kExt1Edx =
    bits({0, 1, 2, 3, 4, 5, 6, 8, 11, 13, 15, 16, 17, 20, 22, 23, 24, 25, 26, 27, 29});
constexpr std::uint32_t kExt7Edx = bits({8});      // invariant TSC
constexpr std::uint32_t kExt8Ebx = bits({0, 2});   // CLZERO XSAVEERPTR
constexpr std::uint32_t kExt21Eax = bits({2, 6});  // LFENCE serializes, null selector clears base
// XSAVEOPT XSAVEC XGETBV1; not XSAVES: the sentry has no supervisor state.
constexpr std::uint32_t kLeafD1Eax = bits({0, 1, 2});

// What needs AVX state, and what needs AVX-512 state.
constexpr std::uint32_t kLeaf1EcxAvx = bits({12, 28, 29});
constexpr std::uint32_t kLeaf7EbxAvx = bits({5});
constexpr std::uint32_t kLeaf7EcxAvx = bits({9, 10});
constexpr std::uint32_t kLeaf7_1EaxAvx = bits({4, 23});
constexpr std::uint32_t kExt1EcxAvx = bits({11, 16});
constexpr std::uint32_t kLeaf7EbxAvx512 = bits({16, 17, 21, 28, 30, 31});
constexpr std::uint32_t kLeaf7EcxAvx512 = bits({1, 6, 11, 12, 14});
constexpr std::uint32_t kLeaf7EdxAvx512 = bits({8, 23});
constexpr std::uint32_t kLeaf7_1EaxAvx512 = bits({5});

constexpr std::uint32_t kHighestBasicLeaf = 0x16;
constexpr std::uint32_t kFirstExtendedLeaf = 0x80000000;
constexpr std::uint32_t kHighestExtendedLeaf = 0x80000021;

void clear(kvm_cpuid_entry2& e) { e.eax = e.ebx = e.ecx = e.edx = 0; }

std::uint64_t guest_xcr0(const std::vector<kvm_cpuid_entry2>& supported) {
  std::uint64_t xcr0 = 0;
  for (const kvm_cpuid_entry2& e : supported) {
    if (e.function == 0xd && e.index == 0) xcr0 = (std::uint64_t{e.edx} << 32 | e.eax) & kXcr0Supported;
  }
  xcr0 |= kXcr0X87 | kXcr0Sse;
  // SDM volume 1, 13.3: AVX-512 state goes all or none, and not without AVX.
  if ((xcr0 & kXcr0Avx) == 0 || (xcr0 & kXcr0Avx512) != kXcr0Avx512) xcr0 &= ~kXcr0Avx512;
  return xcr0;
}

}  // namespace

CpuidModel CpuidModel::build(const std::vector<kvm_cpuid_entry2>& supported, unsigned cpus) {
  CpuidModel model;
  model.cpus_ = std::max(cpus, 1U);
  model.apic_bits_ = static_cast<unsigned>(std::bit_width(model.cpus_ - 1));
  model.xcr0_ = guest_xcr0(supported);
  for (const kvm_cpuid_entry2& e : supported) model.add_filtered(e);
  model.add_topology_leaves();
  return model;
}

std::optional<kvm_cpuid_entry2> CpuidModel::find(std::uint32_t function, std::uint32_t index) const {
  for (const kvm_cpuid_entry2& e : entries_) {
    if (e.function == function && e.index == index) return e;
  }
  return std::nullopt;
}

void CpuidModel::add_xsave_leaf(const kvm_cpuid_entry2& entry) {
  kvm_cpuid_entry2 e = entry;
  if (e.index == 0) {
    // The sizes are settled below, when the components are known.
    e.eax = static_cast<std::uint32_t>(xcr0_);
    e.edx = static_cast<std::uint32_t>(xcr0_ >> 32);
    e.ebx = e.ecx = xsave_bytes_ = 576;
  } else if (e.index == 1) {
    e.eax &= kLeafD1Eax;
    e.ebx = e.ecx = e.edx = 0;
  } else {
    if (e.index >= 63 || (xcr0_ >> e.index & 1) == 0) return;
    e.ecx &= ~std::uint32_t{1};  // a user component
    xsave_bytes_ = std::max(xsave_bytes_, e.eax + e.ebx);
    for (kvm_cpuid_entry2& other : entries_) {
      if (other.function == 0xd && other.index == 0) other.ebx = other.ecx = xsave_bytes_;
    }
  }
  entries_.push_back(e);
}

void CpuidModel::add_filtered(kvm_cpuid_entry2 e) {
  if (e.function >= kFirstExtendedLeaf) return add_extended(e);
  const bool avx = (xcr0_ & kXcr0Avx) != 0;
  const bool avx512 = (xcr0_ & kXcr0Avx512) != 0;
  switch (e.function) {
    case 0:
      e.eax = std::min(e.eax, kHighestBasicLeaf);
      break;
    case 1:
      e.ecx &= kLeaf1Ecx & (avx ? ~0U : ~kLeaf1EcxAvx);
      e.edx &= kLeaf1Edx;
      e.ebx &= 0xffff;  // brand index, CLFLUSH size; CPU count and APIC id are filled in per CPU
      if (cpus_ > 1) e.edx |= 1U << 28;
      leaf1_ecx_ = e.ecx;
      break;
    case 4:  // Intel's caches: sharing is filled in here, as the topology is ours
      if ((e.eax & 0x1f) != 0) {
        std::uint32_t ids = (1U << apic_bits_) - 1;
        bool shared = (e.eax >> 5 & 7) >= 3;
        e.eax = (e.eax & 0x3fff) | (shared ? ids << 14 : 0) | std::min(ids, 63U) << 26;
      }
      break;
    case 7:
      if (e.index == 0) {
        e.eax = std::min(e.eax, 1U);
        e.ebx &= kLeaf7Ebx & (avx ? ~0U : ~kLeaf7EbxAvx) & (avx512 ? ~0U : ~kLeaf7EbxAvx512);
        e.ecx &= kLeaf7Ecx & (avx ? ~0U : ~kLeaf7EcxAvx) & (avx512 ? ~0U : ~kLeaf7EcxAvx512);
        e.edx &= kLeaf7Edx & (avx512 ? ~0U : ~kLeaf7EdxAvx512);
        leaf7_ebx_ = e.ebx;
        leaf7_ecx_ = e.ecx;
      } else if (e.index == 1) {
        e.eax &= kLeaf7_1Eax & (avx ? ~0U : ~kLeaf7_1EaxAvx) & (avx512 ? ~0U : ~kLeaf7_1EaxAvx512);
        e.ebx = e.ecx = e.edx = 0;
      } else {
        return;
      }
      break;
    case 0xd:
      return add_xsave_leaf(e);
    case 2:
    case 0x15:
    case 0x16:
      break;
    case 0xb:  // built below
    case 0x1f:
      return;
    default:
      // Within the range that leaf 0 announces a hidden leaf reads as zero.
      if (e.function > kHighestBasicLeaf || e.index != 0) return;
      clear(e);
      break;
  }
  entries_.push_back(e);
}

void CpuidModel::add_extended(kvm_cpuid_entry2 e) {
  switch (e.function) {
    case 0x80000002:  // brand string
    case 0x80000003:
    case 0x80000004:
    case 0x80000005:  // caches and TLBs
    case 0x80000006:
      break;
    case 0x80000000:
      e.eax = std::min(e.eax, kHighestExtendedLeaf);
      break;
    case 0x80000001:
      e.ecx &= kExt1Ecx & ((xcr0_ & kXcr0Avx) != 0 ? ~0U : ~kExt1EcxAvx);
      e.edx &= kExt1Edx;
      break;
    case 0x80000007:
      e.eax = e.ebx = e.ecx = 0;
      e.edx &= kExt7Edx;
      break;
    case 0x80000008:
      e.eax = (e.eax & 0xff) | 48 << 8;  // four-level paging
      e.ebx &= kExt8Ebx;
      e.ecx = apic_bits_ << 12 | std::min(cpus_ - 1, 255U);
      e.edx = 0;
      break;
    case 0x8000001a:
      e.eax &= 7;
      e.ebx = e.ecx = e.edx = 0;
      break;
    case 0x80000021:
      e.eax &= kExt21Eax;
      e.ebx = e.ecx = e.edx = 0;
      break;
    default:
      if (e.function > kHighestExtendedLeaf || e.index != 0) return;
      clear(e);
      break;
  }
  entries_.push_back(e);
}

void CpuidModel::add_topology_leaves() {
  auto basic = find(0);
  if (!basic || basic->eax < 0xb) return;
  // One thread a core, all cores in one package.
  kvm_cpuid_entry2 level{};
  level.function = 0xb;
  level.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
  level.index = 0;
  level.eax = 0;
  level.ebx = 1;
  level.ecx = 0 | 1 << 8;  // level 0: threads
  entries_.push_back(level);
  level.index = 1;
  level.eax = apic_bits_;
  level.ebx = cpus_;
  level.ecx = 1 | 2 << 8;  // level 1: cores
  entries_.push_back(level);
  level.index = 2;
  level.eax = level.ebx = 0;
  level.ecx = 2;  // no such level
  entries_.push_back(level);
}

std::vector<kvm_cpuid_entry2> CpuidModel::for_cpu(unsigned cpu) const {
  const std::uint32_t apic_id = cpu % cpus_;
  std::vector<kvm_cpuid_entry2> result = entries_;
  for (kvm_cpuid_entry2& e : result) {
    if (e.function == 1) {
      e.ebx = (e.ebx & 0xffff) | std::min(1U << apic_bits_, 255U) << 16 | (apic_id & 0xff) << 24;
    } else if (e.function == 0xb) {
      e.edx = apic_id;
    }
  }
  return result;
}

}  // namespace runsc::monitor
