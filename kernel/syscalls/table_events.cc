#include "kernel/syscalls/events.h"
#include "kernel/syscalls/tables.h"

namespace runsc::kernel {

namespace {

constexpr SyscallRow kRows[] = {
    {7, "poll", Support::full, "", syscall_adapter<sys_poll>, "ptr,int,int"},
    {22, "pipe", Support::full, "", syscall_adapter<sys_pipe>, "ptr"},
    {23, "select", Support::full, "", syscall_adapter<sys_select>, "int,ptr,ptr,ptr,ptr"},
    {206, "io_setup", Support::full, "", syscall_adapter<sys_io_setup>, "int,ptr"},
    {207, "io_destroy", Support::full, "", syscall_adapter<sys_io_destroy>, "ptr"},
    {208, "io_getevents", Support::full, "", syscall_adapter<sys_io_getevents>, "ptr,int,int,ptr,ptr"},
    {209, "io_submit", Support::full, "", syscall_adapter<sys_io_submit>, "ptr,int,ptr"},
    {210, "io_cancel", Support::full, "", syscall_adapter<sys_io_cancel>, "ptr,ptr,ptr"},
    {213, "epoll_create", Support::full, "", syscall_adapter<sys_epoll_create>, "int"},
    {232, "epoll_wait", Support::full, "", syscall_adapter<sys_epoll_wait>, "fd,ptr,int,int"},
    {233, "epoll_ctl", Support::full, "", syscall_adapter<sys_epoll_ctl>, "fd,int,fd,ptr"},
    {253, "inotify_init", Support::full, "", syscall_adapter<sys_inotify_init>, ""},
    {254, "inotify_add_watch", Support::full, "", syscall_adapter<sys_inotify_add_watch>, "fd,path,hex"},
    {255, "inotify_rm_watch", Support::full, "", syscall_adapter<sys_inotify_rm_watch>, "fd,int"},
    {270, "pselect6", Support::full, "", syscall_adapter<sys_pselect6>, "int,ptr,ptr,ptr,ptr,ptr"},
    {271, "ppoll", Support::full, "", syscall_adapter<sys_ppoll>, "ptr,int,ptr,ptr,int"},
    {281, "epoll_pwait", Support::full, "", syscall_adapter<sys_epoll_pwait>, "fd,ptr,int,int,ptr,int"},
    {282, "signalfd", Support::full, "", syscall_adapter<sys_signalfd>, "fd,ptr,int"},
    {283, "timerfd_create", Support::partial, "no alarm clocks", syscall_adapter<sys_timerfd_create>,
     "int,hex"},
    {284, "eventfd", Support::full, "", syscall_adapter<sys_eventfd>, "int"},
    {286, "timerfd_settime", Support::partial, "TFD_TIMER_CANCEL_ON_SET never cancels: the clock is not set",
     syscall_adapter<sys_timerfd_settime>, "fd,hex,ptr,ptr"},
    {287, "timerfd_gettime", Support::full, "", syscall_adapter<sys_timerfd_gettime>, "fd,ptr"},
    {289, "signalfd4", Support::full, "", syscall_adapter<sys_signalfd4>, "fd,ptr,int,hex"},
    {290, "eventfd2", Support::full, "", syscall_adapter<sys_eventfd2>, "int,hex"},
    {291, "epoll_create1", Support::full, "", syscall_adapter<sys_epoll_create1>, "hex"},
    {293, "pipe2", Support::full, "", syscall_adapter<sys_pipe2>, "ptr,hex"},
    {294, "inotify_init1", Support::full, "", syscall_adapter<sys_inotify_init1>, "hex"},
    {333, "io_pgetevents", Support::full, "", syscall_adapter<sys_io_pgetevents>, "ptr,int,int,ptr,ptr,ptr"},
    {441, "epoll_pwait2", Support::full, "", syscall_adapter<sys_epoll_pwait2>, "fd,ptr,int,ptr,ptr,int"},
};

}  // namespace

std::span<const SyscallRow> event_rows() { return kRows; }

}  // namespace runsc::kernel
