// What both sides of the seam promise, checked in both builds.
#include <concepts>

#include "kvm/arch/common/user_regs.h"
#include "kvm/arch/seam.h"

namespace runsc::arch {

static_assert(sizeof(UserRegs) == 19 * 8, "assembly stores it");
static_assert(sizeof(Trap) == 16 && std::is_trivially_copyable_v<Trap>, "travels in two registers");
static_assert(sizeof(TlbBatch) <= 800, "lives on kernel stacks");
static_assert(kUserEnd % 4096 == 0 && is_canonical(kUserEnd - 1));
static_assert(sanitize_flags(~uint64_t{0}) == (kUserFlags | kFlagIf | 2) &&
              sanitize_flags(0) == (kFlagIf | 2));
static_assert(!(sanitize_flags(~uint64_t{0}) & (kFlagIopl | uint64_t{1} << 17 | uint64_t{1} << 19)),
              "no IOPL, VM, VIF");
static_assert(std::same_as<decltype(kTrapsAreDear), const bool> &&
              std::same_as<decltype(kTablesAreShadowed), const bool>);
static_assert(std::same_as<decltype(phys_to_virt(0)), void*> &&
              std::same_as<decltype(virt_to_phys(nullptr)), uint64_t>);
static_assert(std::same_as<decltype(cpu_local()), CpuLocal&> && std::same_as<decltype(tsc()), uint64_t>);

}  // namespace runsc::arch
