// System calls of processes and threads: see table_tasks.cc.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

// process.cc
Result<int32_t> sys_fork(Task& task);
Result<int32_t> sys_vfork(Task& task);
Result<int32_t> sys_clone(Task& task, uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid,
                          uint64_t tls);
Result<int32_t> sys_clone3(Task& task, uint64_t args, uint64_t size);
Result<Flow> sys_execve(Task& task, uint64_t path, uint64_t argv, uint64_t envp);
Result<Flow> sys_execveat(Task& task, int dirfd, uint64_t path, uint64_t argv, uint64_t envp, uint32_t flags);
Result<Flow> sys_exit(Task& task, int code);
Result<Flow> sys_exit_group(Task& task, int code);
Result<int32_t> sys_wait4(Task& task, int pid, uint64_t status, uint32_t options, uint64_t usage);
Result<void> sys_waitid(Task& task, int type, int id, uint64_t info, uint32_t options, uint64_t usage);
Result<int32_t> sys_set_tid_address(Task& task, uint64_t address);
Result<int> sys_pidfd_open(Task& task, int pid, uint32_t flags);
Result<int> sys_pidfd_getfd(Task& task, int pidfd, int fd, uint32_t flags);
Result<void> sys_pidfd_send_signal(Task& task, int fd, int signal, uint64_t info, uint32_t flags);

// ids.cc
Result<int32_t> sys_getpid(Task& task);
Result<int32_t> sys_gettid(Task& task);
Result<int32_t> sys_getppid(Task& task);
Result<void> sys_setpgid(Task& task, int pid, int pgid);
Result<int32_t> sys_getpgid(Task& task, int pid);
Result<int32_t> sys_getpgrp(Task& task);
Result<int32_t> sys_setsid(Task& task);
Result<int32_t> sys_getsid(Task& task, int pid);

// credentials.cc
Result<uint32_t> sys_getuid(Task& task);
Result<uint32_t> sys_geteuid(Task& task);
Result<uint32_t> sys_getgid(Task& task);
Result<uint32_t> sys_getegid(Task& task);
Result<void> sys_setuid(Task& task, uint32_t uid);
Result<void> sys_setgid(Task& task, uint32_t gid);
Result<void> sys_setreuid(Task& task, uint32_t ruid, uint32_t euid);
Result<void> sys_setregid(Task& task, uint32_t rgid, uint32_t egid);
Result<void> sys_setresuid(Task& task, uint32_t ruid, uint32_t euid, uint32_t suid);
Result<void> sys_setresgid(Task& task, uint32_t rgid, uint32_t egid, uint32_t sgid);
Result<void> sys_getresuid(Task& task, uint64_t ruid, uint64_t euid, uint64_t suid);
Result<void> sys_getresgid(Task& task, uint64_t rgid, uint64_t egid, uint64_t sgid);
Result<uint32_t> sys_setfsuid(Task& task, uint32_t uid);
Result<uint32_t> sys_setfsgid(Task& task, uint32_t gid);
Result<size_t> sys_getgroups(Task& task, int size, uint64_t list);
Result<void> sys_setgroups(Task& task, int size, uint64_t list);
Result<void> sys_capget(Task& task, uint64_t header, uint64_t data);
Result<void> sys_capset(Task& task, uint64_t header, uint64_t data);

// prctl.cc
Result<size_t> sys_process_vm_readv(Task& task, int pid, uint64_t local, uint64_t local_count,
                                    uint64_t remote, uint64_t remote_count, uint64_t flags);
Result<size_t> sys_process_vm_writev(Task& task, int pid, uint64_t local, uint64_t local_count,
                                     uint64_t remote, uint64_t remote_count, uint64_t flags);
Result<uint64_t> sys_seccomp(Task& task, uint32_t operation, uint32_t flags, uint64_t argument);
// prctl(2)'s PR_SET_SECCOMP.
Result<uint64_t> prctl_set_seccomp(Task& task, uint64_t mode, uint64_t argument);
Result<uint64_t> sys_prctl(Task& task, int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
Result<void> sys_arch_prctl(Task& task, int option, uint64_t address);
Result<uint64_t> sys_personality(Task& task, uint32_t persona);

// limits.cc
Result<void> sys_getrlimit(Task& task, uint32_t resource, uint64_t limit);
Result<void> sys_setrlimit(Task& task, uint32_t resource, uint64_t limit);
Result<void> sys_prlimit64(Task& task, int pid, uint32_t resource, uint64_t new_limit, uint64_t old_limit);
Result<void> sys_getrusage(Task& task, int who, uint64_t usage);
Result<uint64_t> sys_times(Task& task, uint64_t buffer);

// system.cc
Result<void> sys_uname(Task& task, uint64_t buffer);
Result<void> sys_sethostname(Task& task, uint64_t name, uint64_t size);
Result<void> sys_setdomainname(Task& task, uint64_t name, uint64_t size);
Result<void> sys_sysinfo(Task& task, uint64_t buffer);
Result<size_t> sys_syslog(Task& task, int action, uint64_t buffer, int size);
Result<size_t> sys_getrandom(Task& task, uint64_t buffer, size_t size, uint32_t flags);
Result<void> sys_getcpu(Task& task, uint64_t cpu, uint64_t node, uint64_t unused);
Result<uint64_t> sys_membarrier(Task& task, int command, uint32_t flags, int cpu);
Result<void> sys_reboot(Task& task, uint32_t magic1, uint32_t magic2, uint32_t command, uint64_t argument);

// sched.cc
Result<void> sys_sched_yield(Task& task);
Result<size_t> sys_sched_getaffinity(Task& task, int pid, uint32_t size, uint64_t mask);
Result<void> sys_sched_setaffinity(Task& task, int pid, uint32_t size, uint64_t mask);
Result<void> sys_sched_setparam(Task& task, int pid, uint64_t param);
Result<void> sys_sched_getparam(Task& task, int pid, uint64_t param);
Result<void> sys_sched_setscheduler(Task& task, int pid, int policy, uint64_t param);
Result<int> sys_sched_getscheduler(Task& task, int pid);
Result<int> sys_sched_get_priority_max(Task& task, int policy);
Result<int> sys_sched_get_priority_min(Task& task, int policy);
Result<void> sys_sched_rr_get_interval(Task& task, int pid, uint64_t interval);
Result<void> sys_sched_getattr(Task& task, int pid, uint64_t attr, uint32_t size, uint32_t flags);
Result<void> sys_sched_setattr(Task& task, int pid, uint64_t attr, uint32_t flags);
Result<int> sys_getpriority(Task& task, int which, int who);
Result<void> sys_setpriority(Task& task, int which, int who, int nice);
// Whether the task may have this I/O priority (ioprio_set(2)): EINVAL, EPERM.
Result<void> check_io_priority(Task& task, uint32_t priority);
Result<int> sys_ioprio_get(Task& task, int which, int who);
Result<void> sys_ioprio_set(Task& task, int which, int who, int priority);

// futex.cc
Result<int> sys_futex_waitv(Task& task, uint64_t choices, uint32_t count, uint32_t flags, uint64_t timeout,
                            int clock);
Result<size_t> sys_futex(Task& task, uint64_t address, uint32_t operation, uint32_t value, uint64_t timeout,
                         uint64_t address2, uint32_t value3);
Result<void> sys_set_robust_list(Task& task, uint64_t head, uint64_t size);
Result<void> sys_get_robust_list(Task& task, int pid, uint64_t head, uint64_t size);

}  // namespace runsc::kernel
