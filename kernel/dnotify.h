// F_NOTIFY of fcntl(2): a signal when something happens in an open directory. An inotify instance that nobody
// reads watches it; the signal is sent as those of O_ASYNC are.
#pragma once

#include "fs/file.h"
#include "kernel/task.h"

namespace runsc::kernel {

// `events`: DN_*. What is asked for twice adds up; nothing takes all back. ENOTDIR, ENOMEM.
Result<void> set_dnotify(Task& task, fs::File& file, int fd, uint64_t events);

}  // namespace runsc::kernel
