// System calls that make and wait for events: see table_events.cc.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

Result<size_t> sys_poll(Task& task, uint64_t fds, uint32_t count, int timeout_ms);
Result<size_t> sys_ppoll(Task& task, uint64_t fds, uint32_t count, uint64_t timeout, uint64_t mask,
                         uint64_t mask_size);
Result<size_t> sys_select(Task& task, int n, uint64_t read_set, uint64_t write_set, uint64_t except_set,
                          uint64_t timeout);
Result<size_t> sys_pselect6(Task& task, int n, uint64_t read_set, uint64_t write_set, uint64_t except_set,
                            uint64_t timeout, uint64_t mask_argument);

Result<int> sys_epoll_create(Task& task, int size);
Result<int> sys_epoll_create1(Task& task, int flags);
Result<void> sys_epoll_ctl(Task& task, int epfd, int operation, int fd, uint64_t event);
Result<size_t> sys_epoll_wait(Task& task, int epfd, uint64_t events, int max, int timeout_ms);
Result<size_t> sys_epoll_pwait(Task& task, int epfd, uint64_t events, int max, int timeout_ms, uint64_t mask,
                               uint64_t mask_size);
Result<size_t> sys_epoll_pwait2(Task& task, int epfd, uint64_t events, int max, uint64_t timeout,
                                uint64_t mask, uint64_t mask_size);

Result<void> sys_pipe(Task& task, uint64_t fds);
Result<void> sys_pipe2(Task& task, uint64_t fds, uint32_t flags);
Result<int> sys_eventfd(Task& task, uint32_t initial);
Result<int> sys_eventfd2(Task& task, uint32_t initial, uint32_t flags);

Result<int> sys_inotify_init(Task& task);
Result<int> sys_inotify_init1(Task& task, uint32_t flags);
Result<int> sys_inotify_add_watch(Task& task, int fd, uint64_t path, uint32_t mask);
Result<void> sys_inotify_rm_watch(Task& task, int fd, int wd);

Result<int> sys_timerfd_create(Task& task, int clock, uint32_t flags);
Result<void> sys_timerfd_settime(Task& task, int fd, uint32_t flags, uint64_t new_value, uint64_t old_value);
Result<void> sys_timerfd_gettime(Task& task, int fd, uint64_t value);
Result<int> sys_signalfd(Task& task, int fd, uint64_t mask, uint64_t mask_size);
Result<int> sys_signalfd4(Task& task, int fd, uint64_t mask, uint64_t mask_size, uint32_t flags);

Result<void> sys_io_setup(Task& task, uint32_t events, uint64_t id_at);
Result<void> sys_io_destroy(Task& task, uint64_t id);
Result<int64_t> sys_io_submit(Task& task, uint64_t id, int64_t count, uint64_t list);
Result<void> sys_io_cancel(Task& task, uint64_t id, uint64_t iocb, uint64_t result);
Result<size_t> sys_io_getevents(Task& task, uint64_t id, int64_t least, int64_t most, uint64_t events,
                                uint64_t timeout);
Result<size_t> sys_io_pgetevents(Task& task, uint64_t id, int64_t least, int64_t most, uint64_t events,
                                 uint64_t timeout, uint64_t mask_at);

}  // namespace runsc::kernel
