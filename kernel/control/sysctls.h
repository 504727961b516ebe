// linux.sysctl of config.json.
#pragma once

#include "kernel/task.h"

namespace runsc::kernel {

// Writes to /proc/sys/NAME as the task finds it, whether or not the container has a proc of its own; that the
// value is there already is enough. ENOENT, EACCES: nobody can change it; EINVAL and what else the file says.
Result<void> set_sysctl(Task& task, std::string_view name, std::string_view value);

}  // namespace runsc::kernel
