// Signals for descriptors that become ready: O_ASYNC, F_SETOWN, F_SETSIG of fcntl(2).
#pragma once

#include <atomic>

#include "fs/file.h"
#include "kernel/task.h"

namespace runsc::kernel {

// Who gets the signals, as F_SETOWN_EX numbers it.
enum class OwnerType : int32_t { thread = 0, process = 1, group = 2 };
struct FileOwner {
  OwnerType type = OwnerType::thread;
  int32_t id = 0;                       // 0: nobody
  uint32_t uid = 0, effective_uid = 0;  // of who set it
};

// Whether O_ASYNC means anything for the file: pipes, terminals, sockets, inotify, streams of the host.
bool signals_readiness(fs::File& file);
// O_ASYNC was set or cleared; `fd` is what si_fd will say. ENOMEM.
Result<void> set_async(Task& task, fs::File& file, int fd, bool on);

// F_SETOWN, F_SETOWN_EX: ESRCH if there is no such process; id 0: nobody any more. ENOMEM.
Result<void> set_file_owner(Task& task, fs::File& file, OwnerType type, int32_t id);
// Nobody when the process is gone.
FileOwner file_owner(fs::File& file);

// F_SETLEASE: the process that takes a lease hears of its end, unless the file has another owner. ENOMEM.
Result<void> set_lease_owner(Task& task, fs::File& file, int fd);
// SIGIO, or the signal of F_SETSIG.
void tell_lease_broken(fs::File& file);

// Readiness was told under locks that forbid signals: whoever comes by afterwards sends them.
extern constinit std::atomic<bool> g_async_ready;
void send_async_signals();
inline void send_async_signals_if_any() {
  if (g_async_ready.load(std::memory_order_relaxed)) [[unlikely]]
    send_async_signals();
}

}  // namespace runsc::kernel
