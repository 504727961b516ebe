// How many open file descriptions there are: the first number of /proc/sys/fs/file-nr (proc(5)).
#pragma once

#include <cstdint>

namespace runsc::fs {

uint64_t file_count();

}  // namespace runsc::fs
