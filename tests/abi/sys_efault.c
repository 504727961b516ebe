// Bad pointers: EFAULT from every call, partial transfers up to the edge of what is mapped; unknown calls:
// ENOSYS.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "abi.h"

static char* g_edge;  // one past the last mapped byte

static void partial(void) {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  char data[8192];
  memset(data, 'd', sizeof(data));
  CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
  // Reads and writes over the edge give what fits before it.
  CHECK_EQ(pread(fd, g_edge - 100, 200, 0), 100);
  CHECK_EQ(g_edge[-1], 'd');
  int fds[2];
  OK(pipe(fds));
  CHECK_EQ(write(fds[1], data, 200), 200);
  CHECK_EQ(read(fds[0], data, 1), 1);
  FAILS(read(fds[0], g_edge, 10), EFAULT);
  FAILS(write(fds[1], g_edge, 10), EFAULT);
  CHECK_EQ(read(fds[0], data, sizeof(data)), 199);  // nothing was lost
  struct iovec in[2] = {{g_edge - 10, 10}, {g_edge, 10}};
  CHECK_EQ(preadv(fd, in, 2, 0), 10);
  memset(g_edge - 4096, 'e', 4096);
  CHECK_EQ(pwrite(fd, g_edge - 4096, 5000, 0), 4096);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 8192);
  FAILS(pread(fd, g_edge, 10, 0), EFAULT);
  FAILS(pwrite(fd, g_edge, 10, 0), EFAULT);
  // A zero length never faults; kernel addresses always do.
  CHECK_EQ(pread(fd, g_edge, 0, 0), 0);
  FAILS(pread(fd, (void*)0xffffffff81000000UL, 10, 0), EFAULT);
  FAILS(pread(fd, (void*)0x7ffffffff000UL, 10, 0), EFAULT);
  FAILS(pread(fd, (void*)0x8000000000000000UL, 10, 0), EFAULT);
  FAILS(pwrite(fd, (void*)-1L, 10, 0), EFAULT);
  // Read-only memory takes no reads.
  char* ro = OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  FAILS(pread(fd, ro, 10, 0), EFAULT);
  CHECK_EQ(pwrite(fd, ro, 10, 0), 10);
  // Not yet touched memory, and memory shared after fork, take them well.
  char* fresh = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_EQ(pread(fd, fresh, 8192, 0), 8192);
  CHECK_EQ(fresh[8191], 'd');
  // A string that ends at the edge, and one that does not.
  memcpy(g_edge - 2, "f", 2);
  OK(stat(g_edge - 2, &st));
  g_edge[-1] = 'x';
  FAILS(stat(g_edge - 2, &st), EFAULT);
}

int main(void) {
  abi_scratch();
  char* area = OK(mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(mprotect(area + 8192, 4096, PROT_NONE));
  g_edge = area + 8192;
  partial();

  void* bad = g_edge;
  int fds[2];
  OK(pipe(fds));
  int fd = OK(open("f", O_RDWR));
  struct stat st;
  FAILS(syscall(SYS_open, bad, O_RDONLY), EFAULT);
  FAILS(syscall(SYS_stat, "f", bad), EFAULT);
  FAILS(syscall(SYS_fstat, fd, bad), EFAULT);
  FAILS(syscall(SYS_newfstatat, AT_FDCWD, bad, &st, 0), EFAULT);
  FAILS(syscall(SYS_lstat, bad, &st), EFAULT);
  FAILS(syscall(SYS_poll, bad, 1, 0), EFAULT);
  FAILS(syscall(SYS_select, 5, bad, NULL, NULL, NULL), EFAULT);
  FAILS(syscall(SYS_pipe, bad), EFAULT);
  FAILS(syscall(SYS_ioctl, fds[0], FIONREAD, bad), EFAULT);
  FAILS(syscall(SYS_readv, fd, bad, 1), EFAULT);
  FAILS(syscall(SYS_writev, fd, bad, 1), EFAULT);
  FAILS(syscall(SYS_access, bad, F_OK), EFAULT);
  FAILS(syscall(SYS_nanosleep, bad, NULL), EFAULT);
  FAILS(syscall(SYS_getitimer, 0, bad), EFAULT);
  FAILS(syscall(SYS_wait4, FORK(_exit(0)), bad, 0, NULL), EFAULT);
  FAILS(syscall(SYS_uname, bad), EFAULT);
  FAILS(syscall(SYS_getcwd, bad, 100), EFAULT);
  FAILS(syscall(SYS_chdir, bad), EFAULT);
  FAILS(syscall(SYS_rename, "f", bad), EFAULT);
  FAILS(syscall(SYS_mkdir, bad, 0700), EFAULT);
  FAILS(syscall(SYS_rmdir, bad), EFAULT);
  FAILS(syscall(SYS_creat, bad, 0700), EFAULT);
  FAILS(syscall(SYS_link, "f", bad), EFAULT);
  FAILS(syscall(SYS_unlink, bad), EFAULT);
  FAILS(syscall(SYS_symlink, "f", bad), EFAULT);
  FAILS(syscall(SYS_symlink, bad, "new"), EFAULT);
  FAILS(syscall(SYS_readlink, "/proc/self", bad, 10), EFAULT);
  FAILS(syscall(SYS_chmod, bad, 0600), EFAULT);
  FAILS(syscall(SYS_chown, bad, 0, 0), EFAULT);
  FAILS(syscall(SYS_gettimeofday, bad, NULL), EFAULT);
  FAILS(syscall(SYS_getrlimit, 0, bad), EFAULT);
  FAILS(syscall(SYS_getrusage, 0, bad), EFAULT);
  FAILS(syscall(SYS_sysinfo, bad), EFAULT);
  FAILS(syscall(SYS_times, bad), EFAULT);
  FAILS(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8), EFAULT);
  FAILS(syscall(SYS_rt_sigaction, SIGUSR1, NULL, bad, 8), EFAULT);
  FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, bad, NULL, 8), EFAULT);
  FAILS(syscall(SYS_sigaltstack, bad, NULL), EFAULT);
  FAILS(syscall(SYS_statfs, "f", bad), EFAULT);
  FAILS(syscall(SYS_getpriority, 99, 0), EINVAL);
  FAILS(syscall(SYS_sched_getaffinity, 0, 128, bad), EFAULT);
  FAILS(syscall(SYS_sched_getparam, 0, bad), EFAULT);
  FAILS(syscall(SYS_futex, bad, 0, 0, NULL, NULL, 0), EFAULT);
  FAILS(syscall(SYS_clock_gettime, 0, bad), EFAULT);
  FAILS(syscall(SYS_clock_getres, 0, bad), EFAULT);
  FAILS(syscall(SYS_timer_create, 0, bad, &st), EFAULT);
  FAILS(syscall(SYS_epoll_ctl, OK(epoll_create1(0)), EPOLL_CTL_ADD, fds[0], bad), EFAULT);
  FAILS(syscall(SYS_utimensat, AT_FDCWD, "f", bad, 0), EFAULT);
  FAILS(syscall(SYS_prlimit64, 0, 0, bad, NULL), EFAULT);
  FAILS(syscall(SYS_getdents64, OK(open(".", O_RDONLY)), bad, 1000), EFAULT);
  FAILS(syscall(SYS_sendfile, fds[1], fd, bad, 5), EFAULT);
  FAILS(syscall(SYS_getresuid, bad, bad, bad), EFAULT);
  FAILS(syscall(SYS_execve, bad, NULL, NULL), EFAULT);
  FAILS(syscall(SYS_clone3, bad, 88), EFAULT);
  FAILS(syscall(SYS_getcpu, bad, NULL, NULL), EFAULT);
  FAILS(syscall(SYS_mincore, area, 4096, bad), EFAULT);

  // What does not exist.
  long unknown[] = {600, 1000, 5000, 0x7fffffff, 0x7ffffffffffff, -1, -1000};
  for (int i = 0; i < 7; i++) FAILS(syscall(unknown[i], 1, 2, 3), ENOSYS);
  long gone[] = {SYS_create_module, SYS_query_module, SYS_get_kernel_syms, SYS_nfsservctl, SYS_getpmsg,
                 SYS_putpmsg,       SYS_afs_syscall,  SYS_tuxcall,         SYS_security,   SYS_vserver};
  for (int i = 0; i < 10; i++) FAILS(syscall(gone[i], 1, 2, 3), ENOSYS);
  return 0;
}
