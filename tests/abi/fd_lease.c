// File leases: F_SETLEASE, F_GETLEASE, who hears of them and who waits (fcntl(2)).
#include <poll.h>
#include <sys/socket.h>

#include "abi.h"

static volatile int g_heard, g_fd, g_code;
static const char* g_file;

static void on_break(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  g_fd = info->si_fd;
  g_code = info->si_code;
  g_heard++;
}

static int open_as(int flags) { return open(g_file, flags); }

static void taking(void) {
  int fd = OK(open_as(O_RDONLY));
  CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
  FAILS(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
  FAILS(fcntl(fd, F_SETLEASE, 3), EINVAL);
  FAILS(fcntl(fd, F_SETLEASE, -1), EINVAL);
  OK(fcntl(fd, F_SETLEASE, F_RDLCK));
  CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
  CHECK_EQ(fcntl(fd, F_GETOWN), getpid());
  OK(fcntl(fd, F_SETLEASE, F_RDLCK));
  // Several may have one to read.
  int other = OK(open_as(O_RDONLY));
  CHECK_EQ(fcntl(other, F_GETLEASE), F_UNLCK);
  OK(fcntl(other, F_SETLEASE, F_RDLCK));
  FAILS(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
  OK(close(other));
  OK(fcntl(fd, F_SETLEASE, F_WRLCK));  // alone with it
  CHECK_EQ(fcntl(fd, F_GETLEASE), F_WRLCK);
  OK(fcntl(fd, F_SETLEASE, F_UNLCK));
  CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
  // It is the open file description's.
  OK(fcntl(fd, F_SETLEASE, F_RDLCK));
  int copy = OK(dup(fd));
  CHECK_EQ(fcntl(copy, F_GETLEASE), F_RDLCK);
  OK(close(fd));
  CHECK_EQ(fcntl(copy, F_GETLEASE), F_RDLCK);
  OK(close(copy));
  fd = OK(open_as(O_RDWR | O_NONBLOCK));  // gone with it
  FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);  // somebody writes
  OK(fcntl(fd, F_SETLEASE, F_WRLCK));
  OK(close(fd));
  fd = OK(open_as(O_RDONLY));
  other = OK(open_as(O_WRONLY));
  FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
  FAILS(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
  OK(close(other));
  OK(close(fd));
  // What has none.
  int pair[2];
  OK(pipe(pair));
  FAILS(fcntl(pair[0], F_SETLEASE, F_RDLCK), EINVAL);
  fd = OK(open("/", O_RDONLY | O_DIRECTORY));
  CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == -1);
  fd = OK(open_as(O_PATH));
  FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EBADF);
  CHECK_EQ(fcntl(pair[1], F_GETLEASE), F_UNLCK);
  close(pair[0]), close(pair[1]), close(fd);
}

static void nonblocking(void) {
  int fd = OK(open_as(O_RDONLY));
  abi_handle_info(SIGIO, on_break, SA_RESTART);
  abi_handle_info(SIGRTMIN, on_break, SA_RESTART);
  OK(fcntl(fd, F_SETLEASE, F_RDLCK));
  g_heard = 0;
  int reader = OK(open_as(O_RDONLY | O_NONBLOCK));  // readers do not mind each other
  CHECK_EQ(g_heard, 0);
  FAILS(open_as(O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
  CHECK_EQ(g_heard, 1);
  CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);  // what it is to become
  FAILS(open_as(O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
  CHECK_EQ(g_heard, 1);  // told once
  FAILS(open_as(O_RDWR | O_NONBLOCK | O_TRUNC), EWOULDBLOCK);
  int other = OK(open_as(O_RDONLY | O_NONBLOCK));
  FAILS(fcntl(other, F_SETLEASE, F_RDLCK), EAGAIN);
  OK(fcntl(fd, F_SETLEASE, F_UNLCK));
  OK(close(OK(open_as(O_WRONLY | O_NONBLOCK))));
  close(other), close(reader);

  // A write lease: whoever opens; with the signal that is asked for.
  OK(fcntl(fd, F_SETSIG, SIGRTMIN));
  OK(fcntl(fd, F_SETLEASE, F_WRLCK));
  g_heard = g_fd = g_code = 0;
  FAILS(open_as(O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
  CHECK_EQ(g_heard, 1);
  CHECK_EQ(g_fd, fd);
  CHECK_EQ(g_code, POLL_MSG);
  CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
  OK(fcntl(fd, F_SETLEASE, F_RDLCK));
  reader = OK(open_as(O_RDONLY | O_NONBLOCK));
  FAILS(open_as(O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
  CHECK_EQ(g_heard, 2);
  struct stat st;
  OK(stat(g_file, &st));
  OK(close(OK(open_as(O_PATH))));
  close(reader), close(fd);
  OK(close(OK(open_as(O_WRONLY | O_NONBLOCK))));
}

// Who opens in another process waits until the holder has given way.
static void blocking(void) {
  for (int round = 0; round < 3; round++) {
    atomic_int* step = abi_shared(4096);
    int fd = OK(open_as(O_RDONLY));
    OK(fcntl(fd, F_SETSIG, SIGRTMIN));
    OK(fcntl(fd, F_SETLEASE, round == 2 ? F_WRLCK : F_RDLCK));
    g_heard = 0;
    pid_t child = FORK({
      close(fd);
      if (round == 1)
        OK(truncate(g_file, 3));
      else
        OK(close(OK(open_as(round == 2 ? O_RDONLY : O_RDWR))));
      CHECK_EQ(*step, 1);
    });
    while (!g_heard) sched_yield();
    abi_await_state(child, 'S');
    *step = 1;
    // Who waits to write is counted already.
    if (round < 2) FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
    if (round == 0)
      OK(fcntl(fd, F_SETLEASE, F_UNLCK));
    else if (round == 2)
      OK(fcntl(fd, F_SETLEASE, F_RDLCK));
    OK(close(fd));  // in round 1 this is how
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
  }
}

static void on_alarm(int signal) { (void)signal; }

static void interrupted(void) {
  int fd = OK(open_as(O_RDONLY));
  OK(fcntl(fd, F_SETSIG, SIGRTMIN));
  OK(fcntl(fd, F_SETLEASE, F_WRLCK));
  g_heard = 0;
  pid_t child = FORK({
    close(fd);
    abi_handle(SIGUSR1, on_alarm, 0);
    FAILS(open_as(O_RDONLY), EINTR);
  });
  while (!g_heard) sched_yield();
  abi_await_state(child, 'S');
  OK(kill(child, SIGUSR1));
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  OK(close(fd));
}

// A file of another user's needs CAP_LEASE.
static void others(void) {
  if (geteuid() != 0) return;
  int status;
  OK(chmod(g_file, 0666));
  pid_t child = FORK({
    OK(setgid(1000));
    OK(setuid(1000));
    int fd = OK(open_as(O_RDONLY));
    FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EACCES);
  });
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

static void* open_apart(void* arg) {
  pthread_barrier_t* barrier = arg;
  OK(unshare(CLONE_FILES));
  const int fd = OK(open_as(O_RDONLY));
  const int writer = OK(open_as(O_RDWR));
  pthread_barrier_wait(barrier);
  pthread_barrier_wait(barrier);
  OK(close(writer));
  pthread_barrier_wait(barrier);
  pthread_barrier_wait(barrier);
  OK(close(fd));
  return NULL;
}

// Open files that no process has in its first thread's table count as much as any other.
static void out_of_sight(void) {
  const int fd = OK(open_as(O_RDONLY));
  pthread_barrier_t barrier;
  ZERO(pthread_barrier_init(&barrier, NULL, 2));
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, open_apart, &barrier));
  pthread_barrier_wait(&barrier);
  FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
  FAILS(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  OK(fcntl(fd, F_SETLEASE, F_RDLCK));
  FAILS(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
  OK(fcntl(fd, F_SETLEASE, F_UNLCK));
  pthread_barrier_wait(&barrier);
  ZERO(pthread_join(thread, NULL));
  OK(fcntl(fd, F_SETLEASE, F_WRLCK));
  OK(fcntl(fd, F_SETLEASE, F_UNLCK));

  // On its way from one process to another.
  int pair[2], writer = OK(open_as(O_RDWR));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec bytes = {&byte, 1};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
  struct cmsghdr* rights = CMSG_FIRSTHDR(&message);
  *rights = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(rights), &writer, sizeof(int));
  CHECK_EQ(OK(sendmsg(pair[0], &message, 0)), 1);
  OK(close(writer));
  FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
  FAILS(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
  OK(close(pair[0]));
  OK(close(pair[1]));
  OK(fcntl(fd, F_SETLEASE, F_WRLCK));
  OK(close(fd));
}

// Leases of one file are nothing to another.
static void one_file_each(void) {
  abi_put("unleased", "content");
  const int fd = OK(open_as(O_RDONLY));
  OK(fcntl(fd, F_SETLEASE, F_WRLCK));
  g_heard = 0;
  const int other = OK(open("unleased", O_RDWR));
  OK(truncate("unleased", 1));
  OK(fcntl(other, F_SETLEASE, F_WRLCK));
  CHECK_EQ(g_heard, 0);
  OK(close(other));
  CHECK_EQ(fcntl(fd, F_GETLEASE), F_WRLCK);
  OK(close(fd));
  OK(unlink("unleased"));
}

// Who does not answer loses it: where the time may be set.
static void overdue(void) {
  char text[32] = "";
  CHECK(abi_get("/proc/sys/fs/lease-break-time", text, sizeof(text) - 1) > 0);
  CHECK(atoi(text) >= 0);
  int setting = open("/proc/sys/fs/lease-break-time", O_WRONLY);
  if (setting < 0 || write(setting, "1\n", 2) != 2) return;
  int fd = OK(open_as(O_RDONLY));
  OK(fcntl(fd, F_SETSIG, SIGRTMIN));
  OK(fcntl(fd, F_SETLEASE, F_WRLCK));
  g_heard = 0;
  int status;
  pid_t child = FORK({
    close(fd);
    OK(close(OK(open_as(O_RDONLY))));
  });
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(g_heard, 1);
  CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
  child = FORK({
    close(fd);
    OK(close(OK(open_as(O_RDWR))));
  });
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
  OK(close(fd));
  CHECK(write(setting, text, strlen(text)) > 0);
}

int main(void) {
  abi_scratch();
  g_file = "leased";
  abi_put(g_file, "content");
  taking();
  nonblocking();
  blocking();
  interrupted();
  others();
  out_of_sight();
  one_file_each();
  overdue();
  OK(unlink(g_file));
  return 0;
}
