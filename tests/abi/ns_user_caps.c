// Capabilities count in the namespace in which one has them, and in those below; over what belongs there.
#include <grp.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "abi.h"

static void put(const char* path, const char* text) {
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
  OK(close(fd));
}
static void become(uid_t id) {
  OK(setgroups(0, NULL));
  OK(setresgid(id, id, id));
  OK(setresuid(id, id, id));
  OK(prctl(PR_SET_DUMPABLE, 1));
}
static void enter(int flags) {
  become(1000);
  OK(unshare(CLONE_NEWUSER | flags));
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", "0 1000 1");
  put("/proc/self/gid_map", "0 1000 1");
}

static void what_belongs_where(void) {
  IN_CHILD({
    enter(0);
    FAILS(sethostname("x", 1), EPERM);
    FAILS(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
    FAILS(chroot("/none"), ENOENT);
    OK(chroot("/"));
    OK(unshare(CLONE_NEWUTS));
    OK(sethostname("inner", 5));
    OK(unshare(CLONE_NEWNS | CLONE_NEWIPC));
    OK(mount("none", "/tmp", "tmpfs", 0, NULL));
    OK(umount2("/tmp", MNT_DETACH));
    FAILS(mount("none", "/tmp", "no such", 0, NULL), ENODEV);
    FAILS(setpriority(PRIO_PROCESS, 0, -1), EACCES);
    struct timespec now = {0};
    FAILS(clock_settime(CLOCK_REALTIME, &now), EPERM);
  });
}

static void signals(void) {
  int ready[2], go[2];
  char c;
  OK(pipe(ready));
  OK(pipe(go));
  pid_t other = FORK({
    OK(setresuid(2000, 2000, 2000));
    CHECK_EQ(write(ready[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
  });
  CHECK_EQ(read(ready[0], &c, 1), 1);
  pid_t same = FORK({
    OK(setresuid(1000, 1000, 1000));
    CHECK_EQ(write(ready[1], "", 1), 1);
    for (;;) pause();
  });
  CHECK_EQ(read(ready[0], &c, 1), 1);
  IN_CHILD({
    enter(0);
    FAILS(kill(other, 0), EPERM);
    OK(kill(same, SIGKILL));  // the same user
  });
  WAIT_SIGNAL(same, SIGKILL);
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(other);
}

// Its maker has all over it, from right above it; others do not.
static void from_above(void) {
  int ready[2], go[2];
  char c, path[64];
  OK(pipe(ready));
  OK(pipe(go));
  pid_t child = FORK({
    enter(CLONE_NEWUTS);
    CHECK_EQ(write(ready[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
  });
  CHECK_EQ(read(ready[0], &c, 1), 1);
  snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
  int user = OK(open(path, O_RDONLY));
  snprintf(path, sizeof(path), "/proc/%d/ns/uts", (int)child);
  int uts = OK(open(path, O_RDONLY));
  uid_t owner = 0;
  OK(ioctl(user, NS_GET_OWNER_UID, &owner));
  CHECK_EQ(owner, 1000);
  struct stat a, b;
  int above = OK(ioctl(uts, NS_GET_USERNS)), parent = OK(ioctl(user, NS_GET_PARENT));
  OK(fstat(above, &a));
  OK(fstat(user, &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  OK(stat("/proc/self/ns/user", &a));
  OK(fstat(parent, &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  IN_CHILD({
    become(1000);
    FAILS(setns(uts, CLONE_NEWUTS), EPERM);  // one has nothing here
    OK(setns(user, CLONE_NEWUSER));
    CHECK_EQ(getuid(), 0);
    FAILS(setns(user, CLONE_NEWUSER), EINVAL);
    OK(setns(uts, CLONE_NEWUTS));
    OK(sethostname("joined", 6));
    FAILS(ioctl(user, NS_GET_PARENT), EPERM);
    FAILS(setns(parent, CLONE_NEWUSER), EPERM);
  });
  IN_CHILD({
    become(1001);
    FAILS(setns(user, CLONE_NEWUSER), EPERM);
  });
  int pidfd = OK(syscall(SYS_pidfd_open, child, 0));
  IN_CHILD({
    OK(setns(pidfd, CLONE_NEWUSER | CLONE_NEWUTS));
    OK(sethostname("both", 4));
  });
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(child);
}

// Who is not privileged where its number comes from tells the truth of it (unix(7)).
static long send_as(int socket, pid_t pid) {
  struct ucred who = {pid, getuid(), getgid()};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(who))];
  } control;
  struct iovec data = {"x", 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
  struct cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_CREDENTIALS;
  head->cmsg_len = CMSG_LEN(sizeof(who));
  memcpy(CMSG_DATA(head), &who, sizeof(who));
  return sendmsg(socket, &message, 0);
}

static void numbers(void) {
  int pair[2];
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  IN_CHILD({
    OK(send_as(pair[0], getppid()));
    FAILS(send_as(pair[0], 32767), ESRCH);
    enter(0);
    OK(send_as(pair[0], getpid()));
    FAILS(send_as(pair[0], getppid()), EPERM);
    FAILS(send_as(pair[0], 32767), EPERM);
    // In a namespace of its own it may say what it wants.
    OK(unshare(CLONE_NEWPID));
    pid_t init = FORK(IN_CHILD(OK(send_as(pair[0], 1)); FAILS(send_as(pair[0], 32767), ESRCH)));
    WAIT_OK(init);
  });
}

// What hides itself hides from root of a namespace, too, unless it was executed there.
static void hidden(void) {
  int ready[2];
  char c, path[64], to[256];
  OK(pipe(ready));
  IN_CHILD({
    enter(0);
    pid_t shown = FORK(for (;;) pause());
    pid_t one = FORK({
      OK(prctl(PR_SET_DUMPABLE, 0));
      CHECK_EQ(write(ready[1], "", 1), 1);
      for (;;) pause();
    });
    CHECK_EQ(read(ready[0], &c, 1), 1);
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)shown);
    OK(readlink(path, to, sizeof(to)));
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)one);
    FAILS(readlink(path, to, sizeof(to)), EACCES);
    FAILS(ptrace(PTRACE_ATTACH, one, NULL, NULL), EPERM);
    OK(kill(one, SIGKILL));
    OK(kill(shown, SIGKILL));
    WAIT_SIGNAL(one, SIGKILL);
    WAIT_SIGNAL(shown, SIGKILL);
  });
  // From where it was executed it does not.
  pid_t one = FORK({
    enter(0);
    OK(prctl(PR_SET_DUMPABLE, 0));
    CHECK_EQ(write(ready[1], "", 1), 1);
    for (;;) pause();
  });
  CHECK_EQ(read(ready[0], &c, 1), 1);
  snprintf(path, sizeof(path), "/proc/%d/exe", (int)one);
  OK(readlink(path, to, sizeof(to)));
  OK(kill(one, SIGKILL));
  WAIT_SIGNAL(one, SIGKILL);
}

// Who joins the namespace of somebody else is hidden from then on.
static void joined(void) {
  int ready[2], go[2];
  char c, path[64];
  OK(pipe(ready));
  OK(pipe(go));
  pid_t child = FORK({
    enter(0);
    CHECK_EQ(write(ready[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
  });
  CHECK_EQ(read(ready[0], &c, 1), 1);
  snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
  int user = OK(open(path, O_RDONLY));
  IN_CHILD({
    OK(prctl(PR_SET_PDEATHSIG, SIGTERM));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    OK(setns(user, CLONE_NEWUSER));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
    int signal = -1;
    OK(prctl(PR_GET_PDEATHSIG, &signal));
    CHECK_EQ(signal, 0);
  });
  IN_CHILD({
    become(1000);
    OK(prctl(PR_SET_PDEATHSIG, SIGTERM));
    OK(setns(user, CLONE_NEWUSER));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    int signal = -1;
    OK(prctl(PR_GET_PDEATHSIG, &signal));
    CHECK_EQ(signal, SIGTERM);
  });
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(child);
}

static void depth(void) {
  IN_CHILD({
    int levels = 0;
    while (levels < 40 && unshare(CLONE_NEWUSER) == 0) {
      levels++;
      put("/proc/self/uid_map", "0 0 1");
      put("/proc/self/setgroups", "deny");
      put("/proc/self/gid_map", "0 0 1");
    }
    CHECK_EQ(errno, ENOSPC);
    CHECK(levels >= 31);
  });
}

int main(void) {
  what_belongs_where();
  signals();
  from_above();
  numbers();
  hidden();
  joined();
  depth();
  return 0;
}
