// The ring 0 sentry that rides in runsc's own read-only data.
#pragma once

#include <cstddef>
#include <span>

extern "C" {
extern const std::byte runsc_sentry_image_begin[];
extern const std::byte runsc_sentry_image_end[];
}

namespace runsc::monitor {

// An ELF file with symbols and without debug information, page-aligned, unchanged for the life of the
// process.
inline std::span<const std::byte> sentry_image() {
  return {runsc_sentry_image_begin, runsc_sentry_image_end};
}

}  // namespace runsc::monitor
