// Numbers of mmap(2), mremap(2), madvise(2), msync(2), mlockall(2) on x86-64.
#pragma once

#include <cstdint>

namespace runsc::mm {

inline constexpr uint32_t kMapShared = 1, kMapPrivate = 2, kMapSharedValidate = 3, kMapType = 0xf,
                          kMapFixed = 0x10, kMapAnonymous = 0x20, kMap32Bit = 0x40, kMapGrowsDown = 0x100,
                          kMapDenyWrite = 0x800, kMapExecutable = 0x1000, kMapLocked = 0x2000,
                          kMapNoReserve = 0x4000, kMapPopulate = 0x8000, kMapNonBlock = 0x10000,
                          kMapStack = 0x20000, kMapHugeTlb = 0x40000, kMapSync = 0x80000,
                          kMapFixedNoReplace = 0x100000, kMapUninitialized = 0x4000000;
inline constexpr uint32_t kMapHugeShift = 26;  // huge page size, 6 bits
// What MAP_SHARED_VALIDATE lets pass (MAP_SYNC needs DAX).
inline constexpr uint32_t kMapKnown = kMapType | kMapFixed | kMapAnonymous | kMap32Bit | kMapGrowsDown |
                                      kMapDenyWrite | kMapExecutable | kMapLocked | kMapNoReserve |
                                      kMapPopulate | kMapNonBlock | kMapStack | kMapHugeTlb |
                                      kMapUninitialized | (0x3fu << kMapHugeShift);

inline constexpr uint32_t kMremapMayMove = 1, kMremapFixed = 2, kMremapDontUnmap = 4;

enum class Advice : int {
  normal = 0,
  random = 1,
  sequential = 2,
  willneed = 3,
  dontneed = 4,
  free = 8,
  remove = 9,
  dontfork = 10,
  dofork = 11,
  hugepage = 14,
  nohugepage = 15,
  dontdump = 16,
  dodump = 17,
  wipeonfork = 18,
  keeponfork = 19,
  cold = 20,
  pageout = 21,
  populate_read = 22,
  populate_write = 23,
  dontneed_locked = 24,
};

inline constexpr int kMsAsync = 1, kMsInvalidate = 2, kMsSync = 4;
inline constexpr uint32_t kMclCurrent = 1, kMclFuture = 2, kMclOnFault = 4;

// vm.max_map_count, vm.mmap_min_addr, and the gap below a stack (stack_guard_gap), at their defaults.
inline constexpr size_t kMaxVmas = 65530;
inline constexpr uint64_t kMinAddress = 65536;
inline constexpr uint64_t kStackGap = 256 * 4096;

}  // namespace runsc::mm
