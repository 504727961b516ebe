// Random bytes for getrandom(2), /dev/urandom and the kernel's own needs: ChaCha20 (RFC 8439) keyed from
// BootInfo::random_seed, a generator per call with a fast key erasure, reseeded from the host now and then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace runsc::kernel {

// Before tasks run.
void random_init(std::span<const uint8_t> seed);
// Any context that may take a leaf spinlock.
void random_bytes(std::span<std::byte> out);
uint64_t random_u64();

}  // namespace runsc::kernel
