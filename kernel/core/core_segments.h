// The mappings of a process as a core dump has them.
#pragma once

#include <span>
#include <string_view>

#include "kernel/base/format.h"
#include "kernel/base/vec.h"
#include "kernel/task.h"

namespace runsc::kernel {

struct CoreSegment {
  uint64_t start = 0, end = 0;
  uint64_t dumped = 0;  // bytes of it in the file, from its start on
  uint32_t flags = 0;   // PF_*
  bool is_file = false;
  uint64_t file_offset = 0;
};

class CoreSegments {
 public:
  // By the filter of the current process (/proc/PID/coredump_filter). ENOMEM.
  static Result<CoreSegments> of(Task& task);
  std::span<const CoreSegment> list() const { return {list_.data(), list_.size()}; }
  // The names of the files, in the order of the list, each with its NUL.
  std::string_view names() const { return names_.view(); }

 private:
  Vec<CoreSegment> list_;
  HeapText names_;
};

}  // namespace runsc::kernel
