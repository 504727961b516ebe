// System calls that administer a machine, which here mostly refuse, and those on what processes share: see
// table_admin.cc.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

// kcmp.cc
Result<int> sys_kcmp(Task& task, int pid1, int pid2, int type, uint64_t a, uint64_t b);

// unshare.cc
Result<void> sys_unshare(Task& task, uint64_t flags);
Result<void> sys_setns(Task& task, int fd, int flags);
Result<void> sys_rseq(Task& task, uint64_t area, uint32_t size, int flags, uint32_t signature);

// admin.cc
Result<void> sys_swapon(Task& task, uint64_t path, uint32_t flags);
Result<void> sys_swapoff(Task& task, uint64_t path);
Result<void> sys_acct(Task& task, uint64_t path);
Result<void> sys_quotactl(Task& task, uint32_t command, uint64_t special, uint32_t id, uint64_t address);
Result<void> sys_iopl(Task& task, uint32_t level);
Result<void> sys_ioperm(Task& task, uint64_t from, uint64_t count, int on);
Result<void> sys_vhangup(Task& task);
Result<void> sys_init_module(Task& task, uint64_t image, uint64_t size, uint64_t arguments);
Result<void> sys_finit_module(Task& task, int fd, uint64_t arguments, uint32_t flags);
Result<void> sys_delete_module(Task& task, uint64_t name, uint32_t flags);
Result<void> sys_kexec_load(Task& task, uint64_t entry, uint64_t count, uint64_t segments, uint64_t flags);
Result<void> sys_kexec_file_load(Task& task, int kernel, int initrd, uint64_t size, uint64_t line,
                                 uint64_t flags);
Result<void> sys_lookup_dcookie(Task& task, uint64_t cookie, uint64_t buffer, uint64_t size);
Result<void> sys_bpf(Task& task, int command, uint64_t attributes, uint32_t size);
Result<void> sys_open_by_handle_at(Task& task, int mount_fd, uint64_t handle, uint32_t flags);
Result<void> sys_fanotify_init(Task& task, uint32_t flags, uint32_t event_flags);

}  // namespace runsc::kernel
