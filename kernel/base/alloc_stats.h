// How much object memory (alloc.h) is in use, for /proc/meminfo and whoever looks for leaks.
#pragma once

#include <cstdint>

namespace runsc {

// Bytes that kalloc gave and that kfree has not got back. Changes under the reader's eyes.
uint64_t kalloc_bytes();

}  // namespace runsc
