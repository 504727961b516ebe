#include "kernel/syscalls/memory.h"
#include "kernel/syscalls/tables.h"

namespace runsc::kernel {

namespace {

constexpr SyscallRow kRows[] = {
    {9, "mmap", Support::full, "", syscall_adapter<sys_mmap>, "addr,int,prot,flags,fd,int"},
    {10, "mprotect", Support::full, "", syscall_adapter<sys_mprotect>, "addr,int,prot"},
    {11, "munmap", Support::full, "", syscall_adapter<sys_munmap>, "addr,int"},
    {12, "brk", Support::full, "", syscall_adapter<sys_brk>, "addr"},
    {25, "mremap", Support::full, "", syscall_adapter<sys_mremap>, "addr,int,int,flags,addr"},
    {26, "msync", Support::full, "", syscall_adapter<sys_msync>, "addr,int,flags"},
    {27, "mincore", Support::full, "", syscall_adapter<sys_mincore>, "addr,int,ptr"},
    {28, "madvise", Support::full, "", syscall_adapter<sys_madvise>, "addr,int,int"},
    {149, "mlock", Support::full, "", syscall_adapter<sys_mlock>, "addr,int"},
    {150, "munlock", Support::full, "", syscall_adapter<sys_munlock>, "addr,int"},
    {151, "mlockall", Support::full, "", syscall_adapter<sys_mlockall>, "flags"},
    {152, "munlockall", Support::full, "", syscall_adapter<sys_munlockall>, ""},
    {216, "remap_file_pages", Support::full, "", syscall_adapter<sys_remap_file_pages>,
     "addr,int,flags,int,flags"},
    {237, "mbind", Support::full, "", syscall_adapter<sys_mbind>, "addr,int,int,ptr,int,flags"},
    {238, "set_mempolicy", Support::full, "", syscall_adapter<sys_set_mempolicy>, "int,ptr,int"},
    {239, "get_mempolicy", Support::full, "", syscall_adapter<sys_get_mempolicy>, "ptr,ptr,int,addr,flags"},
    {256, "migrate_pages", Support::full, "", syscall_adapter<sys_migrate_pages>, "pid,int,ptr,ptr"},
    {279, "move_pages", Support::full, "", syscall_adapter<sys_move_pages>, "pid,int,ptr,ptr,ptr,flags"},
    {450, "set_mempolicy_home_node", Support::full, "", syscall_adapter<sys_set_mempolicy_home_node>,
     "addr,int,int,flags"},
    {440, "process_madvise", Support::full, "", syscall_adapter<sys_process_madvise>, "fd,ptr,int,int,flags"},
    {325, "mlock2", Support::full, "", syscall_adapter<sys_mlock2>, "addr,int,flags"},
};

}  // namespace

std::span<const SyscallRow> memory_rows() { return kRows; }

}  // namespace runsc::kernel
