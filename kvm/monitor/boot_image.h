// What stands in guest RAM before the sentry runs: BootInfo, the shared page, the hostcall frames, the
// container; for ring0 mode also sentry.elf and the boot page table (kvm/arch/ring0/boot_protocol.h).
#pragma once

#include <cstdint>
#include <string>

#include "kvm/hostcall/boot_info.h"
#include "kvm/hostcall/frame.h"
#include "kvm/monitor/elf_image.h"
#include "kvm/monitor/vm.h"

namespace runsc::monitor {

// Takes guest RAM page by page from an address upwards.
class BootAllocator {
 public:
  BootAllocator(GuestMemory& memory, std::uint64_t start) : memory_(memory), next_(start) {}
  // Zeroed whole pages.
  Expected<std::uint64_t> take(std::uint64_t size);
  std::uint64_t next() const { return next_; }

 private:
  GuestMemory& memory_;
  std::uint64_t next_;
};

struct BootOptions {
  unsigned cpus;
  unsigned log_level;
  bool strace;
  std::uint64_t tsc_hz;
  std::int64_t tsc_offset;
};

// Lays out BootInfo and what it points to; free_start is the end of it all. The answer is BootInfo's address.
Expected<std::uint64_t> write_boot_info(Vm& vm, BootAllocator& allocator, const BootOptions& options,
                                        const std::string& container);

// Copies the segments of the image; the allocator must not have taken their place. The answer is their end.
Expected<std::uint64_t> load_sentry(GuestMemory& memory, const ElfImage& image);

// The answer is CR3.
Expected<std::uint64_t> build_boot_tables(Vm& vm, BootAllocator& allocator, const ElfImage& image);

// Features that ring 0 may use: kFeature* bits.
std::uint32_t boot_features(const CpuidModel& cpuid);

inline hostcall::BootInfo& boot_info_at(GuestMemory& memory, std::uint64_t phys) {
  return *reinterpret_cast<hostcall::BootInfo*>(memory.at(phys));
}

}  // namespace runsc::monitor
