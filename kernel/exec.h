// Another program in the same process (execve(2)).
#pragma once

#include "kernel/loader/loader.h"
#include "kernel/task.h"

namespace runsc::kernel {

// On success the registers are those of the new program. Errors before the point of no return are returned;
// after it the process dies.
Result<void> exec_program(Task& task, Ref<fs::File> file, std::string_view path, Arguments args);

}  // namespace runsc::kernel
