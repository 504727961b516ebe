#include "kernel/proc/cpuid.h"

#include "kvm/arch/seam.h"

namespace runsc::kernel::proc {

namespace {

struct Feature {
  uint8_t bit;
  const char* name;
};
struct Leaf {
  uint32_t leaf, subleaf;
  uint8_t reg;  // 0 eax .. 3 edx
  std::span<const Feature> features;
};

constexpr Feature k1Edx[] = {{0, "fpu"},  {1, "vme"},    {2, "de"},       {3, "pse"},  {4, "tsc"},
                             {5, "msr"},  {6, "pae"},    {7, "mce"},      {8, "cx8"},  {9, "apic"},
                             {11, "sep"}, {12, "mtrr"},  {13, "pge"},     {14, "mca"}, {15, "cmov"},
                             {16, "pat"}, {17, "pse36"}, {19, "clflush"}, {23, "mmx"}, {24, "fxsr"},
                             {25, "sse"}, {26, "sse2"},  {27, "ss"},      {28, "ht"}};
constexpr Feature kX1Edx[] = {{11, "syscall"}, {20, "nx"},     {22, "mmxext"}, {25, "fxsr_opt"},
                              {26, "pdpe1gb"}, {27, "rdtscp"}, {29, "lm"}};
constexpr Feature k1Ecx[] = {{0, "pni"},     {1, "pclmulqdq"},  {9, "ssse3"},   {12, "fma"},    {13, "cx16"},
                             {17, "pcid"},   {19, "sse4_1"},    {20, "sse4_2"}, {21, "x2apic"}, {22, "movbe"},
                             {23, "popcnt"}, {25, "aes"},       {26, "xsave"},  {28, "avx"},    {29, "f16c"},
                             {30, "rdrand"}, {31, "hypervisor"}};
constexpr Feature kX1Ecx[] = {{0, "lahf_lm"}, {1, "cmp_legacy"},  {5, "abm"},
                              {6, "sse4a"},   {7, "misalignsse"}, {8, "3dnowprefetch"}};
constexpr Feature k7Ebx[] = {{0, "fsgsbase"},    {3, "bmi1"},        {5, "avx2"},     {7, "smep"},
                             {8, "bmi2"},        {9, "erms"},        {10, "invpcid"}, {16, "avx512f"},
                             {17, "avx512dq"},   {18, "rdseed"},     {19, "adx"},     {20, "smap"},
                             {21, "avx512ifma"}, {23, "clflushopt"}, {24, "clwb"},    {28, "avx512cd"},
                             {29, "sha_ni"},     {30, "avx512bw"},   {31, "avx512vl"}};
constexpr Feature kDEax[] = {{0, "xsaveopt"}, {1, "xsavec"}, {2, "xgetbv1"}, {3, "xsaves"}};
constexpr Feature k7Ecx[] = {{1, "avx512vbmi"},   {2, "umip"},           {6, "avx512_vbmi2"},
                             {8, "gfni"},         {9, "vaes"},           {10, "vpclmulqdq"},
                             {11, "avx512_vnni"}, {12, "avx512_bitalg"}, {14, "avx512_vpopcntdq"},
                             {22, "rdpid"}};
constexpr Feature k7Edx[] = {{4, "fsrm"}};
constexpr Leaf kLeaves[] = {
    {1, 0, 3, k1Edx}, {0x80000001, 0, 3, kX1Edx}, {1, 0, 2, k1Ecx}, {0x80000001, 0, 2, kX1Ecx},
    {7, 0, 1, k7Ebx}, {0xd, 1, 0, kDEax},         {7, 0, 2, k7Ecx}, {7, 0, 3, k7Edx}};

struct Registers {
  uint32_t r[4];
};

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  arch::CpuidRegs c = arch::user_cpuid(leaf, subleaf);
  return {{c.eax, c.ebx, c.ecx, c.edx}};
}

struct Identity {
  char vendor[13] = {}, model_name[49] = {};
  uint32_t family, model, stepping, physical_bits, virtual_bits, clflush, max_leaf;
};

Identity identify() {
  Identity id;
  Registers r0 = cpuid(0);
  id.max_leaf = r0.r[0];
  __builtin_memcpy(id.vendor, &r0.r[1], 4);
  __builtin_memcpy(id.vendor + 4, &r0.r[3], 4);
  __builtin_memcpy(id.vendor + 8, &r0.r[2], 4);
  Registers r1 = cpuid(1);
  uint32_t a = r1.r[0];
  id.family = a >> 8 & 15;
  id.model = a >> 4 & 15;
  id.stepping = a & 15;
  if (id.family == 15) id.family += a >> 20 & 255;
  if (id.family >= 6) id.model += (a >> 16 & 15) << 4;
  id.clflush = (r1.r[1] >> 8 & 255) * 8;
  id.physical_bits = 40;
  id.virtual_bits = 48;
  uint32_t max_extended = cpuid(0x80000000).r[0];
  if (max_extended >= 0x80000004)
    for (uint32_t i = 0; i < 3; ++i) {
      Registers r = cpuid(0x80000002 + i);
      __builtin_memcpy(id.model_name + i * 16, r.r, 16);
    }
  if (max_extended >= 0x80000008) {
    Registers r = cpuid(0x80000008);
    id.physical_bits = r.r[0] & 255;
    id.virtual_bits = r.r[0] >> 8 & 255;
  }
  return id;
}

void show_flags(uint32_t max_leaf, TextSink& out) {
  for (const Leaf& leaf : kLeaves) {
    if (leaf.leaf < 0x80000000 && leaf.leaf > max_leaf) continue;
    Registers r = cpuid(leaf.leaf, leaf.subleaf);
    for (const Feature& f : leaf.features)
      if (r.r[leaf.reg] >> f.bit & 1) format(out, " {}", f.name);
  }
}

}  // namespace

Result<void> show_cpuinfo(TextSink& out) {
  const Identity id = identify();
  const uint64_t khz = arch::boot_info().tsc_hz / 1000;
  const unsigned cpus = arch::cpu_count();
  for (unsigned cpu = 0; cpu < cpus; ++cpu) {
    format(out,
           "processor\t: {}\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\nstepping\t: "
           "{}\n",
           cpu, id.vendor, id.family, id.model, id.model_name[0] ? id.model_name : "unknown", id.stepping);
    format(out, "cpu MHz\t\t: {}.{:03}\nphysical id\t: 0\nsiblings\t: {}\ncore id\t\t: {}\ncpu cores\t: {}\n",
           khz / 1000, khz % 1000, cpus, cpu, cpus);
    format(out,
           "apicid\t\t: {}\ninitial apicid\t: {}\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: "
           "{}\nwp\t\t: yes\nflags\t\t:",
           cpu, cpu, id.max_leaf);
    show_flags(id.max_leaf, out);
    format(out, "\nbugs\t\t:\nbogomips\t: {}.{:02}\nclflush size\t: {}\ncache_alignment\t: {}\n", khz / 500,
           khz / 5 % 100, id.clflush, id.clflush);
    format(out, "address sizes\t: {} bits physical, {} bits virtual\npower management:\n\n", id.physical_bits,
           id.virtual_bits);
  }
  return {};
}

}  // namespace runsc::kernel::proc
