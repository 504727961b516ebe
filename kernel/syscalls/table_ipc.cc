#include "kernel/syscalls/sysv.h"
#include "kernel/syscalls/tables.h"

namespace runsc::kernel {

namespace {

constexpr SyscallRow kRows[] = {
    {29, "shmget", Support::partial, "no huge pages", syscall_adapter<sys_shmget>, "int,int,flags"},
    {30, "shmat", Support::full, "", syscall_adapter<sys_shmat>, "int,ptr,flags"},
    {31, "shmctl", Support::full, "", syscall_adapter<sys_shmctl>, "int,int,ptr"},
    {64, "semget", Support::full, "", syscall_adapter<sys_semget>, "int,int,flags"},
    {65, "semop", Support::full, "", syscall_adapter<sys_semop>, "int,ptr,int"},
    {66, "semctl", Support::full, "", syscall_adapter<sys_semctl>, "int,int,int,ptr"},
    {67, "shmdt", Support::full, "", syscall_adapter<sys_shmdt>, "ptr"},
    {68, "msgget", Support::full, "", syscall_adapter<sys_msgget>, "int,flags"},
    {69, "msgsnd", Support::full, "", syscall_adapter<sys_msgsnd>, "int,ptr,int,flags"},
    {70, "msgrcv", Support::full, "", syscall_adapter<sys_msgrcv>, "int,ptr,int,int,flags"},
    {71, "msgctl", Support::full, "", syscall_adapter<sys_msgctl>, "int,int,ptr"},
    {240, "mq_open", Support::full, "", syscall_adapter<sys_mq_open>, "str,flags,mode,ptr"},
    {241, "mq_unlink", Support::full, "", syscall_adapter<sys_mq_unlink>, "str"},
    {242, "mq_timedsend", Support::full, "", syscall_adapter<sys_mq_timedsend>, "fd,buf_in,size,int,ptr"},
    {243, "mq_timedreceive", Support::full, "", syscall_adapter<sys_mq_timedreceive>, "fd,ptr,size,ptr,ptr"},
    {244, "mq_notify", Support::full, "", syscall_adapter<sys_mq_notify>, "fd,ptr"},
    {245, "mq_getsetattr", Support::full, "", syscall_adapter<sys_mq_getsetattr>, "fd,ptr,ptr"},
    {220, "semtimedop", Support::full, "", syscall_adapter<sys_semtimedop>, "int,ptr,int,ptr"},
};

}  // namespace

std::span<const SyscallRow> ipc_rows() { return kRows; }

}  // namespace runsc::kernel
