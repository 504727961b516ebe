// System calls of clocks and timers: see table_time.cc.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

// clocks.cc
Result<void> sys_clock_gettime(Task& task, int clock, uint64_t time);
Result<void> sys_clock_settime(Task& task, int clock, uint64_t time);
Result<void> sys_clock_getres(Task& task, int clock, uint64_t resolution);
Result<void> sys_gettimeofday(Task& task, uint64_t time, uint64_t zone);
Result<void> sys_settimeofday(Task& task, uint64_t time, uint64_t zone);
Result<int64_t> sys_time(Task& task, uint64_t time);
Result<int> sys_adjtimex(Task& task, uint64_t buffer);
Result<int> sys_clock_adjtime(Task& task, int clock, uint64_t buffer);
Result<void> sys_nanosleep(Task& task, uint64_t request, uint64_t remaining);
Result<void> sys_clock_nanosleep(Task& task, int clock, uint32_t flags, uint64_t request, uint64_t remaining);
Result<uint64_t> sys_restart_syscall(Task& task);

// timers.cc
Result<void> sys_getitimer(Task& task, int which, uint64_t value);
Result<void> sys_setitimer(Task& task, int which, uint64_t value, uint64_t old);
Result<uint64_t> sys_alarm(Task& task, uint32_t seconds);
Result<void> sys_timer_create(Task& task, int clock, uint64_t event, uint64_t id);
Result<void> sys_timer_settime(Task& task, int id, uint32_t flags, uint64_t value, uint64_t old);
Result<void> sys_timer_gettime(Task& task, int id, uint64_t value);
Result<int> sys_timer_getoverrun(Task& task, int id);
Result<void> sys_timer_delete(Task& task, int id);

}  // namespace runsc::kernel
