// The system calls of the mount API with descriptors: see table_admin.cc.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

// mount_api.cc
Result<int> sys_fsopen(Task& task, uint64_t name, uint32_t flags);
Result<void> sys_fsconfig(Task& task, int fd, uint32_t command, uint64_t key, uint64_t value, int aux);
Result<int> sys_fsmount(Task& task, int fd, uint32_t flags, uint32_t attr);
Result<int> sys_fspick(Task& task, int dirfd, uint64_t path, uint32_t flags);
Result<int> sys_open_tree(Task& task, int dirfd, uint64_t path, uint32_t flags);
Result<void> sys_move_mount(Task& task, int from_fd, uint64_t from, int to_fd, uint64_t to, uint32_t flags);
Result<void> sys_mount_setattr(Task& task, int dirfd, uint64_t path, uint32_t flags, uint64_t attr,
                               uint64_t size);

}  // namespace runsc::kernel
