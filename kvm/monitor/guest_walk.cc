#include "kvm/monitor/guest_walk.h"

#include <cstring>

namespace runsc::monitor {
namespace {

constexpr std::uint64_t kPresent = 1;
constexpr std::uint64_t kLarge = 1 << 7;
constexpr std::uint64_t kAddressMask = 0x000ffffffffff000;

}  // namespace

std::optional<std::uint64_t> walk(const GuestMemory& memory, std::uint64_t cr3, std::uint64_t address) {
  std::uint64_t table = cr3 & kAddressMask;
  for (int level = 3; level >= 0; --level) {
    const int shift = 12 + 9 * level;
    std::uint64_t at = table + (address >> shift & 511) * 8;
    if (!memory.valid_ram(at, 8)) return std::nullopt;
    std::uint64_t entry;
    std::memcpy(&entry, memory.at(at), sizeof entry);
    if ((entry & kPresent) == 0) return std::nullopt;
    const std::uint64_t offset_mask = (std::uint64_t{1} << shift) - 1;
    if (level == 0 || ((entry & kLarge) != 0 && level < 3)) {
      return (entry & kAddressMask & ~offset_mask) | (address & offset_mask);
    }
    table = entry & kAddressMask;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_guest_word(const GuestMemory& memory, std::uint64_t cr3,
                                             std::uint64_t address) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) {
    auto phys = walk(memory, cr3, address + i);
    if (!phys || !memory.valid_ram(*phys, 1)) return std::nullopt;
    value |= std::to_integer<std::uint64_t>(*memory.at(*phys)) << (8 * i);
  }
  return value;
}

}  // namespace runsc::monitor
