#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "calls.h"
#include "pools.h"
#include "worker.h"

static void add(enum Kind kind, long fd) {
  if (fd > 2) keep_first(kind, fd);
}

static void add_pair(enum Kind kind, const int* pair) {
  add(kind, pair[0]);
  add(kind, pair[1]);
}

static void make_files(void) {
  mkdir("d", 0777);
  mkdir("d/y", 0777);
  mkdir("m", 0777);
  symlink("f", "l");
  symlink("loop", "loop");
  mkfifo("fifo", 0666);
  for (int i = 0; i < 4; i++) {
    int fd = open(i % 2 ? "d/x" : "f", (i < 2 ? O_RDWR | O_NONBLOCK : O_RDONLY) | O_CREAT, 0666);
    if (i < 2 && ftruncate(fd, 20000) != 0) _exit(1);
    add(kFile, fd);
  }
  static const char kList[] =
      "\2\0\0\0\1\0\7\0\377\377\377\377\4\0\5\0\377\377\377\377\40\0\5\0\377\377\377\377";
  static const char* const kMarked[] = {"f", "d", "d/x"};
  for (size_t i = 0; i < COUNT(kMarked); i++) {
    setxattr(kMarked[i], "trusted.a", "value", 5, 0);
    setxattr(kMarked[i], "user.a", "value", 5, 0);
    setxattr(kMarked[i], "system.posix_acl_access", kList, sizeof(kList) - 1, 0);
  }
  static const char kScript[] = "#!/proc/self/exe --idle\n";
  int fd = open("s", O_RDWR | O_CREAT, 0777);
  if (write(fd, kScript, sizeof(kScript) - 1) < 0) _exit(1);
  close(fd);
  add(kDir, open(".", O_RDONLY | O_DIRECTORY));
  add(kDir, open("d", O_RDONLY | O_DIRECTORY));
  add(kPathFd, open("f", O_PATH));
  add(kPathFd, open("d", O_PATH));
  add(kPathFd, open("l", O_PATH | O_NOFOLLOW));
}

static void make_sockets(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0) add_pair(kUnix, pair);
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0) add_pair(kUnix, pair);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0) add_pair(kUnix, pair);
  add(kInet, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  add(kInet, socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  add(kInet, socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
  add(kInet, socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  add(kInet, socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, 1));
  add(kNetlink, socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0));
  add(kPacket, socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0x0300));
}

// What connects to these addresses is accepted.
static void make_listeners(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "sock"};
  struct sockaddr_in four = {
      .sin_family = AF_INET, .sin_port = htons(5000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 six = {
      .sin6_family = AF_INET6, .sin6_port = htons(5001), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  const struct {
    const void* address;
    socklen_t size;
    int type;
  } kListeners[] = {{&name, sizeof(name), SOCK_STREAM},
                    {&four, sizeof(four), SOCK_STREAM},
                    {&six, sizeof(six), SOCK_STREAM}};
  for (size_t i = 0; i < COUNT(kListeners); i++) {
    const struct sockaddr* address = kListeners[i].address;
    int fd = socket(address->sa_family, kListeners[i].type | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, address, kListeners[i].size) == 0 && listen(fd, 16) == 0) add(kListener, fd);
  }
}

static void make_terminal(void) {
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), zero = 0, number = 0;
  if (master < 0) return;
  char name[32];
  ioctl(master, TIOCSPTLCK, &zero);
  ioctl(master, TIOCGPTN, &number);
  snprintf(name, sizeof(name), "/dev/pts/%d", number);
  add(kTerminal, master);
  add(kTerminal, open(name, O_RDWR | O_NOCTTY | O_NONBLOCK));
}

static void make_events(void) {
  int pair[2];
  for (int i = 0; i < 2; i++) {
    if (pipe2(pair, O_NONBLOCK) == 0) add_pair(kPipe, pair);
  }
  add(kPipe, open("fifo", O_RDWR | O_NONBLOCK));
  for (int i = 0; i < 2; i++) {
    add(kEventfd, eventfd((unsigned)i, EFD_NONBLOCK));
    add(kEpoll, epoll_create1(0));
    add(kTimerfd, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    add(kInotify, inotify_init1(IN_NONBLOCK));
    add(kMemfd, syscall(SYS_memfd_create, "m", 3));
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  add(kSignalfd, signalfd(-1, &set, SFD_NONBLOCK));
  add(kPidfd, syscall(SYS_pidfd_open, getpid(), 0));
  struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 64};
  add(kQueue, syscall(SYS_mq_open, "q", O_RDWR | O_CREAT | O_NONBLOCK, 0666, &attributes));
}

static void make_ids(void) {
  add(kShm, shmget(IPC_PRIVATE, 20000, IPC_CREAT | 0666));
  add(kSem, semget(IPC_PRIVATE, 4, IPC_CREAT | 0666));
  add(kMsg, msgget(IPC_PRIVATE, IPC_CREAT | 0666));
  static const char* const kSpecials[] = {"/dev/zero",       "/dev/full",         "/dev/urandom",
                                          "/proc/self/maps", "/proc/self/status", "/proc/self/mem",
                                          "/proc/mounts",    "/dev/null"};
  for (size_t i = 0; i < COUNT(kSpecials); i++) add(kSpecial, open(kSpecials[i], i < 6 ? O_RDWR : O_RDONLY));
  static const char* const kNamespaces[] = {"mnt", "user", "pid",    "uts",
                                            "ipc", "net",  "cgroup", "pid_for_children"};
  for (size_t i = 0; i < COUNT(kNamespaces); i++) {
    char name[64];
    snprintf(name, sizeof(name), "/proc/self/ns/%s", kNamespaces[i]);
    add(kNamespace, open(name, O_RDONLY));
  }
}

// Devices that nobody else misses.
static void make_devices(void) {
  static const struct {
    const char* name;
    unsigned device;
  } kDevices[] = {{"/dev/null", 0x103},
                  {"/dev/zero", 0x105},
                  {"/dev/full", 0x107},
                  {"/dev/urandom", 0x109},
                  {"/dev/tty", 0x500}};
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  if (mount("tmpfs", "/dev", "tmpfs", 0, "mode=755") != 0) return;
  for (size_t i = 0; i < COUNT(kDevices); i++) {
    mknod(kDevices[i].name, S_IFCHR | 0666, kDevices[i].device);
    chmod(kDevices[i].name, 0666);
  }
  mkdir("/dev/pts", 0755);
  mkdir("/dev/shm", 01777);
  mkdir("/dev/mqueue", 01777);
  mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620");
  mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
  symlink("pts/ptmx", "/dev/ptmx");
  symlink("/proc/self/fd", "/dev/fd");
}

static void limit(int resource, rlim_t value) {
  struct rlimit both = {value, value};
  setrlimit(resource, &both);
}

static void set_limits(bool user) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 1 << 20);
  limit(RLIMIT_NOFILE, 256);
  limit(RLIMIT_AS, 1UL << 30);
  limit(RLIMIT_MEMLOCK, 1 << 20);
  limit(RLIMIT_CPU, 60);
  limit(RLIMIT_MSGQUEUE, 1 << 20);
  if (!user) return;
  limit(RLIMIT_NPROC, 96);
  syscall(SYS_setgroups, 0, NULL);
  syscall(SYS_setresgid, kUser, kUser, kUser);
  syscall(SYS_setresuid, kUser, kUser, kUser);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 1);
}

static void write_text(const char* path, const char* line) {
  int fd = open(path, O_WRONLY);
  if (write(fd, line, strlen(line)) < 0) errno = 0;
  close(fd);
}

static void map_users(void) {
  if (unshare(CLONE_NEWUSER) != 0) return;
  char line[32];
  snprintf(line, sizeof(line), "0 %d 1", kUser);
  write_text("/proc/self/setgroups", "deny");
  write_text("/proc/self/uid_map", line);
  write_text("/proc/self/gid_map", line);
  unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC);
}

void enter_world(bool user, bool mapped, bool contained) {
  setsid();
  // Mounts of its own, gone with it.
  if (!contained && unshare(CLONE_NEWNS) == 0) make_devices();
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  if (null > 2) close(null);
  set_limits(user);
  if (user && mapped && !contained) map_users();
  umask(0);
  make_files();
  make_sockets();
  make_listeners();
  make_terminal();
  make_events();
  make_ids();
}

static int remove_one(const char* path, const struct stat* status, int type, struct FTW* at) {
  (void)status, (void)type;
  if (at->level > 0) remove(path);
  return 0;
}

void clean_up(const char* folder) {
  // What was made without permissions is opened by root on the way down.
  nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  struct shmid_ds shm;
  struct seminfo sem;
  struct msqid_ds msg;
  int last = shmctl(0, SHM_INFO, &shm);
  for (int i = 0, id; i <= last; i++) {
    if ((id = shmctl(i, SHM_STAT, &shm)) >= 0) shmctl(id, IPC_RMID, NULL);
  }
  last = semctl(0, 0, SEM_INFO, &sem);
  for (int i = 0, id; i <= last; i++) {
    struct semid_ds one;
    if ((id = semctl(i, 0, SEM_STAT, &one)) >= 0) semctl(id, 0, IPC_RMID);
  }
  last = msgctl(0, MSG_INFO, &msg);
  for (int i = 0, id; i <= last; i++) {
    if ((id = msgctl(i, MSG_STAT, &msg)) >= 0) msgctl(id, IPC_RMID, NULL);
  }
  static const char* const kQueues[] = {"q", "q1", "q2"};
  for (size_t i = 0; i < COUNT(kQueues); i++) syscall(SYS_mq_unlink, kQueues[i]);
}

bool wild_excluded(long number, bool contained) {
  static const short kAlways[] = {
      SYS_exit,  SYS_exit_group,   SYS_reboot,        SYS_kexec_load, SYS_kexec_file_load,
      SYS_pause, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_clone,      SYS_clone3,
      SYS_fork,  SYS_vfork,        SYS_seccomp,       SYS_kill,       SYS_setns};
  // Not on the machine that we stand on ourselves.
  static const short kContained[] = {
      SYS_sync,    SYS_bpf,         SYS_perf_event_open, SYS_io_uring_setup, SYS_userfaultfd,
      SYS_add_key, SYS_request_key, SYS_keyctl,          SYS_unshare,        SYS_mount,
      SYS_umount2, SYS_pivot_root,  SYS_swapon,          SYS_swapoff,        SYS_acct,
      SYS_syslog};
  for (size_t i = 0; i < COUNT(kAlways); i++) {
    if (kAlways[i] == number) return true;
  }
  for (size_t i = 0; contained && i < COUNT(kContained); i++) {
    if (kContained[i] == number) return true;
  }
  return false;
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
