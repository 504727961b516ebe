// Task objects that are kept for the next task: their memory never becomes anything else (task.cc says why).
#pragma once

#include <cstdint>

namespace runsc::kernel {

uint64_t task_pool_bytes();

}  // namespace runsc::kernel
