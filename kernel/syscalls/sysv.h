// System V IPC calls, and what they share; POSIX message queues.
#pragma once

#include "kernel/ipc/ipc.h"
#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

struct IpcPermissions {  // struct ipc64_perm
  int32_t key;
  uint32_t uid, gid, cuid, cgid, mode;
  uint16_t sequence, pad1;
  uint32_t pad2;
  uint64_t unused[2];
};
static_assert(sizeof(IpcPermissions) == 48);

IpcPermissions ipc_permissions(const IpcObject& object) REQUIRES(object.lock);
// IPC_SET: owner and the permission bits. EPERM; EINVAL for numbers that are nobody's.
Result<void> ipc_set(IpcObject& object, const fs::Credentials& creds, const IpcPermissions& to)
    REQUIRES(object.lock);

Result<int32_t> sys_shmget(Task& task, int32_t key, uint64_t size, uint32_t flags);
Result<uint64_t> sys_shmat(Task& task, int32_t id, uint64_t address, uint32_t flags);
Result<void> sys_shmdt(Task& task, uint64_t address);
Result<uint64_t> sys_shmctl(Task& task, int32_t id, uint32_t command, uint64_t address);

Result<int32_t> sys_semget(Task& task, int32_t key, int32_t count, uint32_t flags);
Result<void> sys_semop(Task& task, int32_t id, uint64_t operations, uint64_t count);
Result<void> sys_semtimedop(Task& task, int32_t id, uint64_t operations, uint64_t count, uint64_t timeout);
Result<uint64_t> sys_semctl(Task& task, int32_t id, int32_t number, uint32_t command, uint64_t argument);

Result<int32_t> sys_msgget(Task& task, int32_t key, uint32_t flags);
Result<void> sys_msgsnd(Task& task, int32_t id, uint64_t message, uint64_t size, uint32_t flags);
Result<uint64_t> sys_msgrcv(Task& task, int32_t id, uint64_t message, uint64_t size, int64_t type,
                            uint32_t flags);
Result<uint64_t> sys_msgctl(Task& task, int32_t id, uint32_t command, uint64_t address);

Result<int> sys_mq_open(Task& task, uint64_t name_at, uint32_t flags, uint32_t mode, uint64_t attributes);
Result<void> sys_mq_unlink(Task& task, uint64_t name_at);
Result<void> sys_mq_timedsend(Task& task, int fd, uint64_t message, uint64_t size, uint32_t priority,
                              uint64_t timeout);
Result<uint64_t> sys_mq_timedreceive(Task& task, int fd, uint64_t message, uint64_t size,
                                     uint64_t priority_at, uint64_t timeout);
Result<void> sys_mq_notify(Task& task, int fd, uint64_t event_at);
Result<void> sys_mq_getsetattr(Task& task, int fd, uint64_t fresh_at, uint64_t old_at);

}  // namespace runsc::kernel
