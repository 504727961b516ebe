#include "kernel/syscalls/tables.h"
#include "kernel/syscalls/time.h"

namespace runsc::kernel {

namespace {

constexpr SyscallRow kRows[] = {
    {35, "nanosleep", Support::full, "", syscall_adapter<sys_nanosleep>, "ptr,ptr"},
    {36, "getitimer", Support::full, "", syscall_adapter<sys_getitimer>, "int,ptr"},
    {37, "alarm", Support::full, "", syscall_adapter<sys_alarm>, "int"},
    {38, "setitimer", Support::full, "", syscall_adapter<sys_setitimer>, "int,ptr,ptr"},
    {96, "gettimeofday", Support::full, "", syscall_adapter<sys_gettimeofday>, "ptr,ptr"},
    {159, "adjtimex", Support::partial, "read only", syscall_adapter<sys_adjtimex>, "ptr"},
    {164, "settimeofday", Support::partial, "refused: the clock is the host's",
     syscall_adapter<sys_settimeofday>, "ptr,ptr"},
    {201, "time", Support::full, "", syscall_adapter<sys_time>, "ptr"},
    {219, "restart_syscall", Support::full, "", syscall_adapter<sys_restart_syscall>, ""},
    {222, "timer_create", Support::partial, "not on CPU-time clocks of others",
     syscall_adapter<sys_timer_create>, "int,ptr,ptr"},
    {223, "timer_settime", Support::full, "", syscall_adapter<sys_timer_settime>, "int,flags,ptr,ptr"},
    {224, "timer_gettime", Support::full, "", syscall_adapter<sys_timer_gettime>, "int,ptr"},
    {225, "timer_getoverrun", Support::full, "", syscall_adapter<sys_timer_getoverrun>, "int"},
    {226, "timer_delete", Support::full, "", syscall_adapter<sys_timer_delete>, "int"},
    {227, "clock_settime", Support::partial, "refused: the clock is the host's",
     syscall_adapter<sys_clock_settime>, "int,ptr"},
    {228, "clock_gettime", Support::full, "", syscall_adapter<sys_clock_gettime>, "int,ptr"},
    {229, "clock_getres", Support::full, "", syscall_adapter<sys_clock_getres>, "int,ptr"},
    {230, "clock_nanosleep", Support::full, "", syscall_adapter<sys_clock_nanosleep>, "int,flags,ptr,ptr"},
    {305, "clock_adjtime", Support::partial, "read only", syscall_adapter<sys_clock_adjtime>, "int,ptr"},
};

}  // namespace

std::span<const SyscallRow> time_rows() { return kRows; }

}  // namespace runsc::kernel
