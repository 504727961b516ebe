#include "kernel/syscalls/admin.h"
#include "kernel/syscalls/mounts.h"
#include "kernel/syscalls/ptrace.h"
#include "kernel/syscalls/tables.h"

namespace runsc::kernel {

namespace {

constexpr Support kFull = Support::full, kPartial = Support::partial, kAbsent = Support::absent;
// Linux's checks, but nothing behind them.
constexpr const char* kRefused = "EPERM without the capability";

constexpr SyscallRow kRows[] = {
    {101, "ptrace", kPartial,
     "no hardware breakpoints or watchpoints (ENOSPC): not every KVM obeys them; no block stepping, no "
     "seccomp filters to read",
     syscall_adapter<sys_ptrace>, "hex,pid,addr,addr"},
    {153, "vhangup", kPartial, "does nothing without a terminal, ENOSYS with one",
     syscall_adapter<sys_vhangup>, ""},
    {163, "acct", kAbsent, kRefused, syscall_adapter<sys_acct>, "path"},
    {167, "swapon", kAbsent, kRefused, syscall_adapter<sys_swapon>, "path,flags"},
    {168, "swapoff", kAbsent, kRefused, syscall_adapter<sys_swapoff>, "path"},
    {172, "iopl", kAbsent, kRefused, syscall_adapter<sys_iopl>, "int"},
    {173, "ioperm", kAbsent, kRefused, syscall_adapter<sys_ioperm>, "int,int,int"},
    {175, "init_module", kAbsent, kRefused, syscall_adapter<sys_init_module>, "ptr,int,str"},
    {176, "delete_module", kAbsent, kRefused, syscall_adapter<sys_delete_module>, "str,flags"},
    {179, "quotactl", kPartial, "no file system has quotas", syscall_adapter<sys_quotactl>,
     "hex,path,int,ptr"},
    {212, "lookup_dcookie", kAbsent, kRefused, syscall_adapter<sys_lookup_dcookie>, "int,ptr,int"},
    {246, "kexec_load", kAbsent, kRefused, syscall_adapter<sys_kexec_load>, "addr,int,ptr,flags"},
    {272, "unshare", kPartial, "no time namespaces", syscall_adapter<sys_unshare>, "flags"},
    {300, "fanotify_init", kAbsent, kRefused, syscall_adapter<sys_fanotify_init>, "flags,flags"},
    {304, "open_by_handle_at", kPartial, "no handle is ever valid", syscall_adapter<sys_open_by_handle_at>,
     "fd,ptr,flags"},
    {308, "setns", kPartial, "of time namespaces there is one", syscall_adapter<sys_setns>, "fd,flags"},
    {312, "kcmp", kFull, "", syscall_adapter<sys_kcmp>, "pid,pid,int,hex,hex"},
    {313, "finit_module", kAbsent, kRefused, syscall_adapter<sys_finit_module>, "fd,str,flags"},
    {320, "kexec_file_load", kAbsent, kRefused, syscall_adapter<sys_kexec_file_load>, "fd,fd,int,str,flags"},
    {321, "bpf", kAbsent, kRefused, syscall_adapter<sys_bpf>, "int,ptr,int"},
    {334, "rseq", kFull, "", syscall_adapter<sys_rseq>, "addr,int,flags,hex"},
    {428, "open_tree", kFull, "", syscall_adapter<sys_open_tree>, "fd,path,flags"},
    {429, "move_mount", kPartial, "no MOVE_MOUNT_SET_GROUP", syscall_adapter<sys_move_mount>,
     "fd,path,fd,path,flags"},
    {430, "fsopen", kFull, "", syscall_adapter<sys_fsopen>, "str,flags"},
    {431, "fsconfig", kFull, "", syscall_adapter<sys_fsconfig>, "fd,int,str,str,int"},
    {432, "fsmount", kFull, "", syscall_adapter<sys_fsmount>, "fd,flags,flags"},
    {433, "fspick", kFull, "", syscall_adapter<sys_fspick>, "fd,path,flags"},
    {442, "mount_setattr", kPartial, "no mapped owners", syscall_adapter<sys_mount_setattr>,
     "fd,path,flags,ptr,int"},
};

}  // namespace

std::span<const SyscallRow> admin_rows() { return kRows; }

}  // namespace runsc::kernel
