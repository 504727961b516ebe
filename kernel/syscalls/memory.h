// System calls of memory: see table_memory.cc.
#pragma once

#include "kernel/syscalls/syscall.h"
#include "mm/address_space.h"

namespace runsc::kernel {

mm::AddressSpaceLimits address_space_limits(const Task& task);

Result<uint64_t> sys_mmap(Task& task, uint64_t address, uint64_t size, uint32_t prot, uint32_t flags, int fd,
                          uint64_t offset);
Result<void> sys_munmap(Task& task, uint64_t address, uint64_t size);
Result<void> sys_mprotect(Task& task, uint64_t address, uint64_t size, uint32_t prot);
Result<uint64_t> sys_mremap(Task& task, uint64_t old_address, uint64_t old_size, uint64_t new_size,
                            uint32_t flags, uint64_t new_address);
Result<uint64_t> sys_brk(Task& task, uint64_t end);
Result<void> sys_madvise(Task& task, uint64_t address, uint64_t size, int advice);
Result<size_t> sys_process_madvise(Task& task, int pidfd, uint64_t iovec, uint64_t count, int advice,
                                   uint32_t flags);
Result<void> sys_remap_file_pages(Task& task, uint64_t address, uint64_t size, uint32_t prot, uint64_t page,
                                  uint32_t flags);
Result<void> sys_msync(Task& task, uint64_t address, uint64_t size, int flags);
Result<void> sys_mlock(Task& task, uint64_t address, uint64_t size);
Result<void> sys_mlock2(Task& task, uint64_t address, uint64_t size, uint32_t flags);
Result<void> sys_munlock(Task& task, uint64_t address, uint64_t size);
Result<void> sys_mlockall(Task& task, uint32_t flags);
Result<void> sys_munlockall(Task& task);
Result<void> sys_mincore(Task& task, uint64_t address, uint64_t size, uint64_t out);

Result<void> sys_set_mempolicy(Task& task, uint32_t mode, uint64_t mask, uint64_t max);
Result<void> sys_get_mempolicy(Task& task, uint64_t mode, uint64_t mask, uint64_t max, uint64_t address,
                               uint32_t flags);
Result<void> sys_mbind(Task& task, uint64_t address, uint64_t size, uint32_t mode, uint64_t mask,
                       uint64_t max, uint32_t flags);
Result<void> sys_set_mempolicy_home_node(Task& task, uint64_t address, uint64_t size, uint64_t node,
                                         uint64_t flags);
Result<uint64_t> sys_migrate_pages(Task& task, int pid, uint64_t max, uint64_t from, uint64_t to);
Result<uint64_t> sys_move_pages(Task& task, int pid, uint64_t count, uint64_t pages, uint64_t nodes,
                                uint64_t status, uint32_t flags);

}  // namespace runsc::kernel
