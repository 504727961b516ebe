// Reading guest virtual memory from outside: the four-level page walk of the SDM (volume 3A, 4.5), for
// reports only.
#pragma once

#include <cstdint>
#include <optional>

#include "kvm/monitor/guest_memory.h"

namespace runsc::monitor {

// Guest-physical address of a guest virtual one under this CR3; nothing where the walk meets a hole or leaves
// RAM.
std::optional<std::uint64_t> walk(const GuestMemory& memory, std::uint64_t cr3, std::uint64_t address);

// Eight bytes at any alignment.
std::optional<std::uint64_t> read_guest_word(const GuestMemory& memory, std::uint64_t cr3,
                                             std::uint64_t address);

}  // namespace runsc::monitor
