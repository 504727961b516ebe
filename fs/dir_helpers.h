// What open directories have in common.
#pragma once

#include "fs/inode.h"

namespace runsc::fs {

// "." and ".." at positions 0 and 1: the position reached, 2 when both are done.
Result<uint64_t> emit_dots(const File& directory, DirSink& sink, uint64_t offset);
// lseek(2) of a directory: SEEK_SET and SEEK_CUR. EINVAL.
Result<uint64_t> seek_in_directory(int64_t offset, int whence, uint64_t current);
// lseek(2) of a file with a size, all but SEEK_DATA and SEEK_HOLE. EINVAL, EOVERFLOW.
Result<uint64_t> seek_in_file(int64_t offset, int whence, uint64_t current, uint64_t size);

}  // namespace runsc::fs
