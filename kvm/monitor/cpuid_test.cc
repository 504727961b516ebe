#include "kvm/monitor/cpuid.h"

#include <catch2/catch.hpp>

#include "kvm/monitor/kvm_system.h"
#include "kvm/monitor/testing/test_guest.h"

namespace runsc::monitor {
namespace {

kvm_cpuid_entry2 leaf(std::uint32_t function, std::uint32_t index, std::uint32_t eax, std::uint32_t ebx,
                      std::uint32_t ecx, std::uint32_t edx) {
  kvm_cpuid_entry2 e{};
  e.function = function;
  e.index = index;
  e.eax = eax;
  e.ebx = ebx;
  e.ecx = ecx;
  e.edx = edx;
  return e;
}

// A CPU that has every bit of every leaf set.
std::vector<kvm_cpuid_entry2> everything(std::uint32_t xcr0) {
  std::vector<kvm_cpuid_entry2> all;
  all.push_back(leaf(0, 0, 0x21, 0x756e6547, 0x6c65746e, 0x49656e69));
  for (std::uint32_t f = 1; f <= 0x21; ++f) {
    if (f == 0xd) continue;
    all.push_back(leaf(f, 0, ~0U, ~0U, ~0U, ~0U));
  }
  all.push_back(leaf(7, 1, ~0U, ~0U, ~0U, ~0U));
  all.push_back(leaf(7, 2, ~0U, ~0U, ~0U, ~0U));
  all.push_back(leaf(0xd, 0, xcr0, 0xa88, 0xa88, 0));
  all.push_back(leaf(0xd, 1, ~0U, ~0U, ~0U, ~0U));
  all.push_back(leaf(0xd, 2, 256, 576, 0, 0));
  all.push_back(leaf(0xd, 5, 64, 832, 0, 0));
  all.push_back(leaf(0xd, 6, 512, 896, 0, 0));
  all.push_back(leaf(0xd, 7, 1024, 1408, 0, 0));
  all.push_back(leaf(0xd, 9, 8, 2432, 0, 0));
  all.push_back(leaf(0xd, 17, 64, 2496, 2, 0));
  all.push_back(leaf(0xd, 18, 8192, 2560, 6, 0));
  all.push_back(leaf(0x40000000, 0, 0x40000001, ~0U, ~0U, ~0U));
  all.push_back(leaf(0x40000001, 0, ~0U, ~0U, ~0U, ~0U));
  all.push_back(leaf(0x80000000, 0, 0x80000026, 0, 0, 0));
  for (std::uint32_t f = 0x80000001; f <= 0x80000026; ++f) all.push_back(leaf(f, 0, ~0U, ~0U, ~0U, ~0U));
  all.push_back(leaf(0xc0000001, 0, ~0U, ~0U, ~0U, ~0U));
  return all;
}

bool bit(std::uint32_t word, unsigned n) { return (word >> n & 1) != 0; }

TEST_CASE("what the sentry does not support is hidden", "[monitor][cpuid]") {
  CpuidModel model = CpuidModel::build(everything(0x602e7), 4);
  kvm_cpuid_entry2 one = *model.find(1);
  CHECK_FALSE(bit(one.ecx, 3));   // MONITOR
  CHECK_FALSE(bit(one.ecx, 5));   // VMX
  CHECK_FALSE(bit(one.ecx, 15));  // PDCM
  CHECK_FALSE(bit(one.ecx, 21));  // x2APIC
  CHECK_FALSE(bit(one.ecx, 24));  // TSC deadline
  CHECK_FALSE(bit(one.ecx, 31));  // hypervisor
  CHECK(bit(one.ecx, 26));        // XSAVE
  CHECK(bit(one.ecx, 28));        // AVX
  kvm_cpuid_entry2 seven = *model.find(7);
  CHECK(bit(seven.ebx, 0));         // FSGSBASE
  CHECK(bit(seven.ebx, 7));         // SMEP
  CHECK(bit(seven.ebx, 20));        // SMAP
  CHECK(bit(seven.ebx, 16));        // AVX512F
  CHECK_FALSE(bit(seven.ebx, 4));   // HLE
  CHECK_FALSE(bit(seven.ebx, 11));  // RTM
  CHECK_FALSE(bit(seven.ebx, 14));  // MPX
  CHECK_FALSE(bit(seven.ebx, 25));  // PT
  CHECK(bit(seven.ecx, 2));         // UMIP
  CHECK_FALSE(bit(seven.ecx, 3));   // PKU
  CHECK_FALSE(bit(seven.ecx, 7));   // CET_SS
  CHECK_FALSE(bit(seven.ecx, 16));  // LA57
  CHECK_FALSE(bit(seven.ecx, 22));  // RDPID
  CHECK_FALSE(bit(seven.edx, 5));   // UINTR
  CHECK_FALSE(bit(seven.edx, 20));  // CET_IBT
  CHECK_FALSE(bit(seven.edx, 22));  // AMX
  CHECK_FALSE(bit(seven.edx, 24));
  CHECK_FALSE(bit(seven.edx, 29));  // ARCH_CAPABILITIES
  CHECK_FALSE(model.find(7, 2));
  CHECK_FALSE(bit(model.find(0x80000001)->ecx, 2));  // SVM
  CHECK(bit(model.find(0x80000001)->edx, 29));       // long mode
  CHECK(model.find(0xa)->eax == 0);                  // performance counters
  CHECK(model.find(5)->eax == 0);                    // MWAIT
  CHECK(model.find(0x8000000a)->edx == 0);           // SVM details
  CHECK_FALSE(model.find(0x40000000));
  CHECK_FALSE(model.find(0x40000001));
  CHECK_FALSE(model.find(0xc0000001));
  CHECK_FALSE(model.find(0x1d));
  CHECK(model.find(0)->eax == 0x16);
  CHECK((model.find(0x80000008)->eax >> 8 & 0xff) == 48);
}

TEST_CASE("the XSAVE leaf agrees with XCR0", "[monitor][cpuid]") {
  CpuidModel model = CpuidModel::build(everything(0x602e7), 1);
  CHECK(model.xcr0() == 0xe7);
  CHECK(model.xsave_bytes() == 1408 + 1024);
  CHECK(model.find(0xd, 0)->eax == 0xe7);
  CHECK(model.find(0xd, 0)->ebx == model.xsave_bytes());
  CHECK(model.find(0xd, 0)->ecx == model.xsave_bytes());
  CHECK(model.find(0xd, 1)->eax == 7);
  CHECK(model.find(0xd, 2));
  CHECK_FALSE(model.find(0xd, 9));
  CHECK_FALSE(model.find(0xd, 18));
}

TEST_CASE("without the state there are no instructions that need it", "[monitor][cpuid]") {
  CpuidModel avx = CpuidModel::build(everything(0x27), 1);  // half of AVX-512: none of it
  CHECK(avx.xcr0() == 7);
  CHECK(avx.xsave_bytes() == 832);
  CHECK(bit(avx.find(7)->ebx, 5));
  CHECK_FALSE(bit(avx.find(7)->ebx, 16));
  CHECK_FALSE(bit(avx.find(7)->ecx, 1));
  CHECK_FALSE(bit(avx.find(7, 1)->eax, 5));
  CpuidModel sse = CpuidModel::build(everything(3), 1);
  CHECK(sse.xcr0() == 3);
  CHECK_FALSE(bit(sse.find(1)->ecx, 28));
  CHECK_FALSE(bit(sse.find(1)->ecx, 12));
  CHECK_FALSE(bit(sse.find(7)->ebx, 5));
  CHECK_FALSE(bit(sse.find(0x80000001)->ecx, 16));
}

TEST_CASE("the topology is one package of single-threaded cores", "[monitor][cpuid]") {
  unsigned cpus = GENERATE(1U, 2U, 3U, 64U);
  CpuidModel model = CpuidModel::build(everything(7), cpus);
  for (unsigned cpu : {0U, cpus - 1}) {
    for (const kvm_cpuid_entry2& e : model.for_cpu(cpu)) {
      if (e.function == 1) {
        CHECK(e.ebx >> 24 == cpu);
        CHECK((e.ebx >> 16 & 0xff) >= cpus);
        CHECK(bit(e.edx, 28) == (cpus > 1));
      }
      if (e.function == 0xb) CHECK(e.edx == cpu);
      if (e.function == 0xb && e.index == 0) CHECK(e.ebx == 1);
      if (e.function == 0xb && e.index == 1) {
        CHECK(e.ebx == cpus);
        CHECK((1U << e.eax) >= cpus);
      }
      if (e.function == 0x80000008) CHECK((e.ecx & 0xff) == cpus - 1);
    }
  }
}

TEST_CASE("KVM takes the model of this machine, and vectors up to XCR0 work", "[monitor][cpuid]") {
  testing::TestGuest guest;
  auto vcpu = guest.make_vcpu();
  std::uint64_t xcr0 = guest.vm().cpuid().xcr0();
  std::vector<std::uint8_t> code;
  if ((xcr0 & kXcr0Avx) != 0) code = {0xc5, 0xfe, 0x6f, 0x06};  // vmovdqu (%rsi), %ymm0
  if ((xcr0 & kXcr0Avx512) != 0)
    code.insert(code.end(), {0x62, 0xf1, 0x7e, 0x48, 0x6f, 0x06});  // same, %zmm0
  code.push_back(0xcc);
  guest.put_code(code);
  guest.enter_user(*vcpu);
  CHECK(guest.run_to_trap(*vcpu).vector == 3);
}

}  // namespace
}  // namespace runsc::monitor
