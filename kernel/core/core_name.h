// Where core dumps go: /proc/sys/kernel/core_pattern and core_uses_pid (core(5)).
#pragma once

#include <string_view>

#include "kernel/base/result.h"
#include "kernel/base/string.h"
#include "kernel/task.h"

namespace runsc::kernel {

inline constexpr size_t kMaxCorePattern = 127;

struct CorePattern {
  char text[kMaxCorePattern + 1];
  bool with_pid;
};
CorePattern core_pattern();
// EINVAL: too long.
Result<void> set_core_pattern(std::string_view text);
void set_core_uses_pid(bool on);

// The name for a dump of the current process. EINVAL: the pattern is a pipe to a program, which there is
// nobody to run, or empty; ENOMEM.
Result<String> core_name(Task& task, int signal);

}  // namespace runsc::kernel
