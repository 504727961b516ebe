#include "kvm/arch/common/xstate.h"

namespace runsc::arch {

namespace {

template <class T>
T load(std::span<const std::byte> area, size_t at) {
  T v;
  __builtin_memcpy(&v, area.data() + at, sizeof v);
  return v;
}

template <class T>
void store(std::span<std::byte> area, size_t at, T v) {
  __builtin_memcpy(area.data() + at, &v, sizeof v);
}

}  // namespace

Result<void> xstate_validate(std::span<const std::byte> area, uint64_t xcr0, size_t size) {
  if (area.size() < kXsaveMinSize || area.size() < size) return Errno::inval;
  if (load<uint32_t>(area, kXsaveMxcsr) & ~kMxcsrMask) return Errno::inval;
  if (load<uint64_t>(area, kXsaveLegacySize) & ~xcr0) return Errno::inval;
  for (size_t at = 8; at < kXsaveHeaderSize; at += 8)
    if (load<uint64_t>(area, kXsaveLegacySize + at) != 0) return Errno::inval;
  return {};
}

void xstate_reset(std::span<std::byte> area) {
  __builtin_memset(area.data(), 0, area.size());
  store<uint16_t>(area, 0, 0x37f);
  store<uint32_t>(area, kXsaveMxcsr, 0x1f80);
}

}  // namespace runsc::arch
