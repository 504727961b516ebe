// Numbers of tasks that pass between PID namespaces: credentials of messages, owners, locks, siginfo, pidfd.
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

static pid_t new_init(void) { return (pid_t)OK(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0)); }

static pid_t sender_of(int fd) {
  char byte, room[CMSG_SPACE(sizeof(struct ucred))];
  struct iovec data = {&byte, 1};
  struct msghdr head = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
  CHECK_EQ(recvmsg(fd, &head, 0), 1);
  struct cmsghdr* c = CMSG_FIRSTHDR(&head);
  CHECK(c && c->cmsg_type == SCM_CREDENTIALS);
  struct ucred creds;
  memcpy(&creds, CMSG_DATA(c), sizeof(creds));
  return creds.pid;
}
static pid_t peer_of(int fd) {
  struct ucred creds;
  socklen_t size = sizeof(creds);
  OK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &creds, &size));
  return creds.pid;
}

static void messages(void) {
  int pair[2], on = 1;
  OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
  for (int i = 0; i < 2; i++) OK(setsockopt(pair[i], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
  pid_t me = getpid();
  CHECK_EQ(peer_of(pair[0]), me);
  pid_t init = new_init();
  if (init == 0) {
    CHECK_EQ(peer_of(pair[1]), 0);
    CHECK_EQ(write(pair[1], "", 1), 1);
    CHECK_EQ(sender_of(pair[1]), 0);
    IN_CHILD(CHECK_EQ(write(pair[0], "", 1), 1));
    CHECK_EQ(sender_of(pair[1]), 2);
    _exit(0);
  }
  CHECK_EQ(sender_of(pair[0]), init);
  CHECK_EQ(write(pair[0], "", 1), 1);
  WAIT_OK(init);
}

static volatile sig_atomic_t child_number;
static void note(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  child_number = info->si_pid;
}

static void children(void) {
  abi_handle_info(SIGCHLD, note, SA_RESTART);
  pid_t init = new_init();
  if (init == 0) {
    IN_CHILD((void)0);
    CHECK_EQ(child_number, 2);
    siginfo_t info;
    pid_t child = FORK(_exit(3));
    OK(waitid(P_PID, child, &info, WEXITED));
    CHECK_EQ(info.si_pid, 3);
    _exit(0);
  }
  siginfo_t info;
  OK(waitid(P_PID, init, &info, WEXITED));
  CHECK_EQ(info.si_pid, init);
  CHECK_EQ(child_number, init);
  abi_handle(SIGCHLD, SIG_DFL, 0);
}

static void owners_and_locks(void) {
  abi_scratch();
  int file = OK(open("f", O_CREAT | O_RDWR, 0644));
  int pair[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  OK(fcntl(pair[0], F_SETOWN, getpid()));
  struct flock lock = {.l_type = F_WRLCK};
  OK(fcntl(file, F_SETLK, &lock));
  pid_t init = new_init();
  if (init == 0) {
    CHECK_EQ(OK(fcntl(pair[0], F_GETOWN)), 0);
    FAILS(fcntl(pair[0], F_SETOWN, 77), ESRCH);
    OK(fcntl(pair[0], F_SETOWN, 1));
    CHECK_EQ(OK(fcntl(pair[0], F_GETOWN)), 1);
    struct flock seen = {.l_type = F_WRLCK};
    OK(fcntl(file, F_GETLK, &seen));
    CHECK_EQ(seen.l_type, F_WRLCK);
    CHECK_EQ(seen.l_pid, 0);
    char c;
    CHECK_EQ(write(pair[1], "", 1), 1);
    CHECK_EQ(read(pair[1], &c, 1), 1);
    _exit(0);
  }
  char c;
  CHECK_EQ(read(pair[0], &c, 1), 1);
  CHECK_EQ(OK(fcntl(pair[0], F_GETOWN)), init);
  CHECK_EQ(write(pair[0], "", 1), 1);
  WAIT_OK(init);
}

static void descriptors(void) {
  int above = OK(syscall(SYS_pidfd_open, getpid(), 0));
  pid_t init = new_init();
  if (init == 0) {
    char path[64], text[512];
    int own = OK(syscall(SYS_pidfd_open, 1, 0));
    FAILS(syscall(SYS_pidfd_open, 55, 0), ESRCH);
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", own);
    abi_get(path, text, sizeof(text));
    CHECK(strstr(text, "Pid:\t") != NULL);
    // Only to those whom one sees.
    FAILS(syscall(SYS_pidfd_send_signal, above, 0, NULL, 0), EINVAL);
    OK(syscall(SYS_pidfd_send_signal, own, 0, NULL, 0));
    _exit(0);
  }
  int fd = OK(syscall(SYS_pidfd_open, init, 0));
  siginfo_t info;
  OK(waitid(P_PIDFD, fd, &info, WEXITED));
  CHECK_EQ(info.si_pid, init);
  CHECK_EQ(info.si_status, 0);
}

static void* execute(void* argument) {
  (void)argument;
  OK(execl("/proc/self/exe", "thread", (char*)NULL));
  return NULL;
}

// A thread that executes takes its leader's number in every namespace.
static void threads(void) {
  pid_t init = new_init();
  if (init == 0) {
    pthread_t thread;
    ZERO(pthread_create(&thread, NULL, execute, NULL));
    for (;;) pause();
  }
  WAIT_EXIT(init, 9);
}
static int executed(void) {
  CHECK_EQ(getpid(), 1);
  CHECK_EQ(abi_tid(), 1);
  IN_CHILD({
    OK(kill(1, 0));
    FAILS(kill(2, 0), ESRCH);
    CHECK_EQ(getpid(), 3);
  });
  return 9;
}

int main(int argc, char** argv) {
  (void)argc;
  if (strcmp(argv[0], "thread") == 0) return executed();
  threads();
  messages();
  children();
  owners_and_locks();
  descriptors();
  return 0;
}
