// The parts of the system call table. Each is defined in its own table_*.cc as
//   std::span<const SyscallRow> file_rows() { return kRows; }
// and joined by number at boot (table.cc).
#pragma once

#include <span>

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

std::span<const SyscallRow> task_rows();    // table_tasks.cc: processes, threads, credentials, limits, futex
std::span<const SyscallRow> memory_rows();  // table_memory.cc
std::span<const SyscallRow> signal_rows();  // table_signals.cc
std::span<const SyscallRow> time_rows();    // table_time.cc
std::span<const SyscallRow> file_rows();    // table_files.cc
std::span<const SyscallRow> socket_rows();  // table_sockets.cc
std::span<const SyscallRow>
event_rows();  // table_events.cc: pipe, poll, select, epoll, eventfd, timerfd, ...
std::span<const SyscallRow> admin_rows();  // table_admin.cc: administration, kcmp, unshare, rseq

std::span<const SyscallRow> ipc_rows();  // table_ipc.cc: System V IPC

// Rows of x86-64's table that we know by name only; they return ENOSYS.
std::span<const SyscallRow> absent_rows();  // table_absent.cc

inline constexpr unsigned kSyscallLimit = 512;

// The joined table. Null: no such call.
const SyscallRow* syscall_row(unsigned number);
void syscall_table_init();

}  // namespace runsc::kernel
