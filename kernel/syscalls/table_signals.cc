#include "kernel/syscalls/signals.h"
#include "kernel/syscalls/tables.h"

namespace runsc::kernel {

namespace {

constexpr SyscallRow kRows[] = {
    {13, "rt_sigaction", Support::full, "", syscall_adapter<sys_rt_sigaction>, "sig,ptr,ptr,int"},
    {14, "rt_sigprocmask", Support::full, "", syscall_adapter<sys_rt_sigprocmask>, "int,ptr,ptr,int"},
    {15, "rt_sigreturn", Support::full, "", syscall_adapter<sys_rt_sigreturn>, ""},
    {34, "pause", Support::full, "", syscall_adapter<sys_pause>, ""},
    {62, "kill", Support::full, "", syscall_adapter<sys_kill>, "pid,sig"},
    {127, "rt_sigpending", Support::full, "", syscall_adapter<sys_rt_sigpending>, "ptr,int"},
    {128, "rt_sigtimedwait", Support::full, "", syscall_adapter<sys_rt_sigtimedwait>, "ptr,ptr,ptr,int"},
    {129, "rt_sigqueueinfo", Support::full, "", syscall_adapter<sys_rt_sigqueueinfo>, "pid,sig,ptr"},
    {130, "rt_sigsuspend", Support::full, "", syscall_adapter<sys_rt_sigsuspend>, "ptr,int"},
    {131, "sigaltstack", Support::full, "", syscall_adapter<sys_sigaltstack>, "ptr,ptr"},
    {200, "tkill", Support::full, "", syscall_adapter<sys_tkill>, "pid,sig"},
    {234, "tgkill", Support::full, "", syscall_adapter<sys_tgkill>, "pid,pid,sig"},
    {297, "rt_tgsigqueueinfo", Support::full, "", syscall_adapter<sys_rt_tgsigqueueinfo>, "pid,pid,sig,ptr"},
};

}  // namespace

std::span<const SyscallRow> signal_rows() { return kRows; }

}  // namespace runsc::kernel
