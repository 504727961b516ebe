// What surrounds the random calls: limits, files and descriptors to work on, and containment on Linux itself.
#include "random_world.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

int g_fds[kFds], g_fd_count;

void keep_fd(long fd, unsigned place) {
  if (fd < 0 || fd > 1000) return;
  if (g_fd_count < kFds) {
    g_fds[g_fd_count++] = (int)fd;
  } else {
    g_fds[kFds - 1 - place % kFds] = (int)fd;
  }
}

static void add_fd(long fd) { keep_fd(fd, 0); }

static void make_files(void) {
  mkdir("d", 0777);
  mkdir("d/y", 0777);
  symlink("f", "l");
  symlink("loop", "loop");
  mkfifo("fifo", 0666);
  for (int i = 0; i < 2; i++) {
    int fd = open(i ? "d/x" : "f", O_RDWR | O_CREAT, 0666);
    ftruncate(fd, 20000);
    add_fd(fd);
  }
}

void make_fds(void) {
  int pair[2];
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  add_fd(null);
  make_files();
  if (pipe2(pair, O_NONBLOCK) == 0) add_fd(pair[0]), add_fd(pair[1]);
  if (pipe(pair) == 0) add_fd(pair[0]), add_fd(pair[1]);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0) add_fd(pair[0]), add_fd(pair[1]);
  add_fd(eventfd(1, EFD_NONBLOCK));
  add_fd(epoll_create1(0));
  add_fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  add_fd(inotify_init1(IN_NONBLOCK));
  add_fd(syscall(SYS_memfd_create, "m", 3));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  add_fd(signalfd(-1, &set, SFD_NONBLOCK));
  add_fd(open(".", O_RDONLY | O_DIRECTORY));
  add_fd(open("d", O_PATH));
  add_fd(open("fifo", O_RDWR | O_NONBLOCK));
  const char* const names[] = {"/dev/zero",       "/dev/full",         "/dev/urandom",
                               "/proc/self/maps", "/proc/self/status", "/proc/self/fd",
                               "/proc/stat",      "/proc/self/mem",    "/proc/mounts"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) add_fd(open(names[i], O_RDONLY));
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), zero = 0, number = 0;
  if (master >= 0) {
    char name[32];
    ioctl(master, TIOCSPTLCK, &zero);
    ioctl(master, TIOCGPTN, &number);
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    add_fd(master);
    add_fd(open(name, O_RDWR | O_NOCTTY | O_NONBLOCK));
  }
}

static void limit(int resource, rlim_t value) {
  struct rlimit both = {value, value};
  setrlimit(resource, &both);
}

void set_limits(bool user) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 1 << 20);
  limit(RLIMIT_NOFILE, 256);
  limit(RLIMIT_AS, 1UL << 30);
  limit(RLIMIT_MEMLOCK, 1 << 20);
  limit(RLIMIT_CPU, 60);
  if (!user) return;
  limit(RLIMIT_NPROC, 64);
  syscall(SYS_setgroups, 0, NULL);
  syscall(SYS_setresgid, kUser, kUser, kUser);
  syscall(SYS_setresuid, kUser, kUser, kUser);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 1);
}

// A place on Linux where nothing can be harmed: own namespaces, an empty file system, later no privileges.
void contain(void) {
  if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0) {
    perror("unshare");
    exit(1);
  }
  pid_t pid = fork();
  if (pid != 0) {
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", "/mnt", "tmpfs", 0, "size=64m") != 0) {
    perror("mount");
    exit(1);
  }
  const char* const dirs[] = {"/mnt/proc", "/mnt/dev", "/mnt/dev/pts", "/mnt/tmp", "/mnt/sys"};
  for (int i = 0; i < 5; i++) mkdir(dirs[i], 0755);
  const char* const devices[][2] = {{"/dev/null", "/mnt/dev/null"},
                                    {"/dev/zero", "/mnt/dev/zero"},
                                    {"/dev/full", "/mnt/dev/full"},
                                    {"/dev/urandom", "/mnt/dev/urandom"},
                                    {"/dev/tty", "/mnt/dev/tty"}};
  for (int i = 0; i < 5; i++) {
    close(open(devices[i][1], O_CREAT | O_WRONLY, 0666));
    mount(devices[i][0], devices[i][1], NULL, MS_BIND, NULL);
  }
  mount("devpts", "/mnt/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620");
  symlink("pts/ptmx", "/mnt/dev/ptmx");
  if (mount("proc", "/mnt/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0 ||
      chroot("/mnt") != 0) {
    perror("proc");
    exit(1);
  }
  mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  chmod("/tmp", 01777);
}
