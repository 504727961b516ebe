#include "kernel/syscalls/sockets.h"
#include "kernel/syscalls/tables.h"

namespace runsc::kernel {

namespace {

constexpr const char* kFamilies = "AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (route), AF_PACKET";

constexpr SyscallRow kRows[] = {
    {41, "socket", Support::partial, kFamilies, syscall_adapter<sys_socket>, "int,flags,int"},
    {42, "connect", Support::full, "", syscall_adapter<sys_connect>, "fd,sockaddr,size"},
    {43, "accept", Support::full, "", syscall_adapter<sys_accept>, "fd,ptr,ptr"},
    {44, "sendto", Support::full, "", syscall_adapter<sys_sendto>, "fd,buf,size,flags,sockaddr,size"},
    {45, "recvfrom", Support::full, "", syscall_adapter<sys_recvfrom>, "fd,buf,size,flags,ptr,ptr"},
    {46, "sendmsg", Support::full, "", syscall_adapter<sys_sendmsg>, "fd,ptr,flags"},
    {47, "recvmsg", Support::full, "", syscall_adapter<sys_recvmsg>, "fd,ptr,flags"},
    {48, "shutdown", Support::full, "", syscall_adapter<sys_shutdown>, "fd,int"},
    {49, "bind", Support::full, "", syscall_adapter<sys_bind>, "fd,sockaddr,size"},
    {50, "listen", Support::full, "", syscall_adapter<sys_listen>, "fd,int"},
    {51, "getsockname", Support::full, "", syscall_adapter<sys_getsockname>, "fd,ptr,ptr"},
    {52, "getpeername", Support::full, "", syscall_adapter<sys_getpeername>, "fd,ptr,ptr"},
    {53, "socketpair", Support::full, "", syscall_adapter<sys_socketpair>, "int,flags,int,ptr"},
    {54, "setsockopt", Support::partial, "no extended BPF", syscall_adapter<sys_setsockopt>,
     "fd,int,int,ptr,int"},
    {55, "getsockopt", Support::partial, "no extended BPF", syscall_adapter<sys_getsockopt>,
     "fd,int,int,ptr,ptr"},
    {288, "accept4", Support::full, "", syscall_adapter<sys_accept4>, "fd,ptr,ptr,flags"},
    {299, "recvmmsg", Support::full, "", syscall_adapter<sys_recvmmsg>, "fd,ptr,int,flags,ptr"},
    {307, "sendmmsg", Support::full, "", syscall_adapter<sys_sendmmsg>, "fd,ptr,int,flags"},
};

}  // namespace

std::span<const SyscallRow> socket_rows() { return kRows; }

}  // namespace runsc::kernel
