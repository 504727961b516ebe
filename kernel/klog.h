// The kernel's log ring (dmesg(1), syslog(2)); log_line() of kernel/base/log.h writes to it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernel/base/result.h"

namespace runsc::kernel {

// A line for dmesg, whatever the debug level.
void klog_line(std::string_view text);
inline constexpr size_t kKlogSize = 32 << 10;
// Copies the newest bytes of the ring that fit, oldest first: how many.
size_t klog_read_all(std::span<char> out);
// From position `from` on (0: the oldest); moves `from` on.
size_t klog_read_from(uint64_t& from, std::span<char> out);
uint64_t klog_end();

}  // namespace runsc::kernel
