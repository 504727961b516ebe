// Moving bytes from one file to another through a page block of the sentry: what sendfile(2), splice(2) and
// copy_file_range(2) stand on.
#pragma once

#include "kernel/syscalls/blocking_io.h"
#include "mm/phys.h"

namespace runsc::kernel {

// One end: a file with its own position, or at an offset that the call gave by address.
class TransferEnd {
 public:
  // `offset_at` 0: the file's own position. EFAULT, EINVAL, ESPIPE.
  Result<void> open(Task& task, Ref<fs::File> file, uint64_t offset_at);
  fs::File& file() const { return *file_; }
  uint64_t offset() const { return offset_; }
  void advance(uint64_t n) { offset_ += n; }
  // Writes the offset back to where it came from.
  Result<void> finish(Task& task);
  bool own_position() const { return offset_at_ == 0; }

 private:
  Ref<fs::File> file_;
  uint64_t offset_at_ = 0, offset_ = 0, start_ = 0;
};

// Moves up to `size` bytes. Waits for the first bytes (unless `nonblocking`), and for room to write what was
// read. Bytes that a seekable input gave and the output did not take are not lost: the position stays before
// them.
Result<size_t> transfer(Task& task, TransferEnd& from, TransferEnd& to, uint64_t size, bool nonblocking);

}  // namespace runsc::kernel
