// What poll, select and epoll_wait share: waiting on many files at once.
#pragma once

#include <optional>

#include "fs/file.h"
#include "kernel/base/vec.h"
#include "kernel/blocking.h"
#include "kernel/task.h"
#include "mm/user_ptr.h"

namespace runsc::kernel {

// One file of the set. `events` asked for; poll() bits err and hup always count.
struct PollEntry {
  Ref<fs::File> file;  // null: nothing to ask
  uint32_t events = 0;
  uint32_t ready = 0;  // out
};

// Waits until an entry is ready, the deadline (monotonic ns; 0: do not wait) passes or a signal comes. The
// number of ready entries; 0: timeout. ERESTARTSYS turned into what the caller wants by the caller. ENOMEM.
Result<size_t> wait_for_any(Task& task, std::span<PollEntry> entries, uint64_t deadline_ns);

// Deadlines from the forms that the calls take. kNoDeadline: wait for ever; 0: do not wait.
uint64_t deadline_of_ms(int timeout_ms);
struct TimeSpec {
  int64_t sec, nsec;
};
Result<uint64_t> deadline_of_timespec(const TimeSpec& t);  // EINVAL; relative
// What is left until the deadline, for the calls that write it back.
TimeSpec remaining_until(uint64_t deadline_ns);

}  // namespace runsc::kernel
