// The one loop in which reading and writing wait.
#pragma once

#include "kernel/syscalls/file_args.h"

namespace runsc::kernel {

// Waits until something can be moved, unless the file is O_NONBLOCK (or `nonblocking`). ERESTARTSYS, EAGAIN
// and what the file says.
Result<size_t> blocking_read(Task& task, fs::File& file, mm::IoBuf& buf, uint64_t offset,
                             bool nonblocking = false);
// Waits until everything is moved; what was moved before an error or a signal counts. SIGPIPE comes with
// EPIPE.
Result<size_t> blocking_write(Task& task, fs::File& file, mm::IoBuf& buf, uint64_t offset,
                              bool nonblocking = false);

// pread(2) and pwrite(2) without the checks of their arguments; files without a position ignore the offset.
// EINVAL: beyond what offsets count to.
Result<size_t> read_file_at(Task& task, fs::File& file, std::span<const mm::IoSegment> segments,
                            uint64_t offset, bool nonblocking);
Result<size_t> write_file_at(Task& task, fs::File& file, IovecArgument& iov, uint64_t offset,
                             bool nonblocking);

// RLIMIT_FSIZE: how many of `size` bytes may be written to a regular file at `offset`. EFBIG with SIGXFSZ.
Result<uint64_t> writable_size(Task& task, fs::File& file, uint64_t offset, uint64_t size);

}  // namespace runsc::kernel
