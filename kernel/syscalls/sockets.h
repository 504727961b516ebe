// System calls on sockets: see table_sockets.cc.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

// socket.cc
Result<int> sys_socket(Task& task, int domain, uint32_t type, int protocol);
Result<void> sys_socketpair(Task& task, int domain, uint32_t type, int protocol, uint64_t fds);
Result<void> sys_bind(Task& task, int fd, uint64_t address, int size);
Result<void> sys_listen(Task& task, int fd, int backlog);
Result<int> sys_accept(Task& task, int fd, uint64_t address, uint64_t size_at);
Result<int> sys_accept4(Task& task, int fd, uint64_t address, uint64_t size_at, uint32_t flags);
Result<void> sys_connect(Task& task, int fd, uint64_t address, int size);
Result<void> sys_getsockname(Task& task, int fd, uint64_t address, uint64_t size_at);
Result<void> sys_getpeername(Task& task, int fd, uint64_t address, uint64_t size_at);
Result<void> sys_shutdown(Task& task, int fd, int how);
// socket_message.cc
Result<size_t> sys_sendto(Task& task, int fd, uint64_t buffer, uint64_t size, uint32_t flags,
                          uint64_t address, int address_size);
Result<size_t> sys_recvfrom(Task& task, int fd, uint64_t buffer, uint64_t size, uint32_t flags,
                            uint64_t address, uint64_t size_at);
Result<size_t> sys_sendmsg(Task& task, int fd, uint64_t message, uint32_t flags);
Result<size_t> sys_recvmsg(Task& task, int fd, uint64_t message, uint32_t flags);
Result<size_t> sys_sendmmsg(Task& task, int fd, uint64_t messages, uint32_t count, uint32_t flags);
Result<size_t> sys_recvmmsg(Task& task, int fd, uint64_t messages, uint32_t count, uint32_t flags,
                            uint64_t timeout);
// socket_options.cc
Result<void> sys_setsockopt(Task& task, int fd, int level, int name, uint64_t value, int size);
Result<void> sys_getsockopt(Task& task, int fd, int level, int name, uint64_t value, uint64_t size_at);

}  // namespace runsc::kernel
