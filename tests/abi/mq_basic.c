// POSIX message queues: mq_open(3), mq_send(3), mq_receive(3), mq_getattr(3), mq_unlink(3), limits, poll(2),
// the file.
#include <mqueue.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/vfs.h>

#include "abi.h"

static char name[64];

static void on_signal(int number) { (void)number; }

static mqd_t make(long messages, long size, int flags) {
  struct mq_attr attr = {.mq_maxmsg = messages, .mq_msgsize = size};
  return mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &attr);
}

static void expect(mqd_t q, unsigned want_priority, const char* want) {
  char text[64] = "";
  unsigned priority = 99;
  ssize_t n = OK(mq_receive(q, text, sizeof(text), &priority));
  CHECK_EQ(n, (ssize_t)strlen(want));
  text[n] = 0;
  CHECK_STR(text, want);
  CHECK_EQ(priority, want_priority);
}

static void order(void) {
  mqd_t q = OK(make(4, 64, O_NONBLOCK));
  CHECK_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
  OK(mq_send(q, "low", 3, 1));
  OK(mq_send(q, "high", 4, 32767));
  OK(mq_send(q, "low too", 7, 1));
  OK(mq_send(q, "", 0, 0));
  FAILS(mq_send(q, "x", 1, 0), EAGAIN);
  FAILS(mq_send(q, "x", 1, 32768), EINVAL);
  char text[65] = "";
  FAILS(mq_send(q, text, 65, 0), EMSGSIZE);
  FAILS(mq_receive(q, text, 63, NULL), EMSGSIZE);
  struct mq_attr attr;
  OK(mq_getattr(q, &attr));
  CHECK_EQ(attr.mq_flags, O_NONBLOCK);
  CHECK_EQ(attr.mq_maxmsg, 4);
  CHECK_EQ(attr.mq_msgsize, 64);
  CHECK_EQ(attr.mq_curmsgs, 4);
  expect(q, 32767, "high");
  expect(q, 1, "low");
  expect(q, 1, "low too");
  expect(q, 0, "");
  FAILS(mq_receive(q, text, 64, NULL), EAGAIN);
  FAILS(mq_send(q, (char*)8, 1, 0), EFAULT);
  OK(mq_send(q, "lost", 4, 0));
  FAILS(mq_receive(q, (char*)8, 64, NULL), EFAULT);
  FAILS(mq_receive(q, text, 64, NULL), EAGAIN);
  attr.mq_flags = 0;
  struct mq_attr old;
  OK(mq_setattr(q, &attr, &old));
  CHECK_EQ(old.mq_flags, O_NONBLOCK);
  CHECK_EQ(old.mq_curmsgs, 0);
  CHECK_EQ(fcntl(q, F_GETFL) & O_NONBLOCK, 0);
  attr.mq_flags = O_APPEND;
  FAILS(mq_setattr(q, &attr, NULL), EINVAL);
  // Times.
  struct timespec past = {1, 0}, bad = {0, 1000000000};
  FAILS(mq_timedreceive(q, text, 64, NULL, &past), ETIMEDOUT);
  FAILS(mq_timedreceive(q, text, 64, NULL, &bad), EINVAL);
  FAILS(mq_timedsend(q, "x", 1, 0, &bad), EINVAL);
  for (int i = 0; i < 4; i++) OK(mq_timedsend(q, "x", 1, 0, &past));
  FAILS(mq_timedsend(q, "x", 1, 0, &past), ETIMEDOUT);
  struct timespec soon;
  OK(clock_gettime(CLOCK_REALTIME, &soon));
  soon.tv_nsec += 20000000;
  if (soon.tv_nsec >= 1000000000) soon.tv_nsec -= 1000000000, soon.tv_sec++;
  FAILS(mq_timedsend(q, "x", 1, 0, &soon), ETIMEDOUT);
  OK(mq_close(q));
  OK(mq_unlink(name));
}

static void names(void) {
  FAILS(mq_open(name, O_RDWR), ENOENT);
  FAILS(mq_unlink(name), ENOENT);
  FAILS(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL), ENOENT);
  FAILS(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
  FAILS(syscall(SYS_mq_open, "..", O_RDWR | O_CREAT, 0600, NULL), EACCES);
  FAILS(syscall(SYS_mq_open, (char*)8, O_RDWR | O_CREAT, 0600, NULL), EFAULT);
  FAILS(syscall(SYS_mq_open, "ok", O_RDWR | O_CREAT, 0600, (void*)8), EFAULT);
  char deep[300] = "/";
  memset(deep + 1, 'x', 256);
  FAILS(mq_open(deep, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
  deep[256] = 0;
  OK(mq_close(OK(mq_open(deep, O_RDWR | O_CREAT, 0600, NULL))));
  OK(mq_unlink(deep));

  mqd_t q = OK(mq_open(name, O_RDONLY | O_CREAT, 0400, NULL));
  FAILS(make(1, 1, 0), EEXIST);
  FAILS(mq_send(q, "x", 1, 0), EBADF);
  struct mq_attr attr;
  OK(mq_getattr(q, &attr));
  CHECK_EQ(attr.mq_maxmsg, 10);
  CHECK_EQ(attr.mq_msgsize, 8192);
  mqd_t w = OK(mq_open(name, O_WRONLY));
  char text[8192];
  FAILS(mq_receive(w, text, sizeof(text), NULL), EBADF);
  FAILS(syscall(SYS_mq_open, name + 1, O_RDWR | O_WRONLY), EINVAL);
  // It lives on without its name.
  OK(mq_unlink(name));
  FAILS(mq_open(name, O_RDWR), ENOENT);
  OK(mq_send(w, "still", 5, 7));
  unsigned priority;
  CHECK_EQ(mq_receive(q, text, sizeof(text), &priority), 5);
  CHECK_EQ(priority, 7);
  char link[100], path[100];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", q);
  ssize_t n = OK(readlink(link, path, sizeof(path) - 1));
  path[n] = 0;
  snprintf(text, sizeof(text), "%s (deleted)", name);
  CHECK_STR(path, text);
  OK(mq_close(q));
  OK(mq_close(w));
  FAILS(mq_getattr(0, &attr), EBADF);
  FAILS(mq_send(0, "x", 1, 0), EBADF);
  FAILS(mq_notify(0, NULL), EBADF);
}

static void other_users(void) {
  mode_t mask = umask(022);
  mqd_t q = OK(mq_open(name, O_RDWR | O_CREAT, 0666, NULL));
  struct stat st;
  OK(fstat(q, &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0644);
  CHECK_EQ(st.st_size, 80);
  umask(mask);
  IN_CHILD(OK(setgid(65534)); OK(setuid(65534)); OK(mq_open(name, O_RDONLY));
           FAILS(mq_open(name, O_RDWR), EACCES); FAILS(syscall(SYS_mq_unlink, name + 1), EPERM);
           FAILS(mq_unlink(name), EACCES));
  OK(mq_close(q));
  OK(mq_unlink(name));
}

static void limits(void) {
  FAILS(make(0, 10, 0), EINVAL);
  FAILS(make(10, 0, 0), EINVAL);
  FAILS(make(-1, 10, 0), EINVAL);
  FAILS(make(65537, 10, 0), EINVAL);
  FAILS(make(10, (16 << 20) + 1, 0), EINVAL);
  char text[64];
  abi_get("/proc/sys/fs/mqueue/msg_max", text, sizeof(text));
  CHECK_STR(text, "10\n");
  abi_get("/proc/sys/fs/mqueue/msgsize_max", text, sizeof(text));
  CHECK_STR(text, "8192\n");
  abi_get("/proc/sys/fs/mqueue/msg_default", text, sizeof(text));
  CHECK_STR(text, "10\n");
  abi_get("/proc/sys/fs/mqueue/msgsize_default", text, sizeof(text));
  CHECK_STR(text, "8192\n");
  IN_CHILD(
      // A user that has no queue yet: ten messages cost 10 * (8192 + 48 + 48) bytes.
      struct rlimit limit = {2 * 82880, 2 * 82880}; OK(setrlimit(RLIMIT_MSGQUEUE, &limit)); OK(setgid(54321));
      OK(setuid(54321)); FAILS(make(11, 10, 0), EINVAL); FAILS(make(10, 8193, 0), EINVAL);
      mqd_t a = OK(make(10, 8192, 0)); OK(mq_unlink(name)); mqd_t b = OK(make(10, 8192, 0));
      OK(mq_unlink(name)); FAILS(make(1, 1, 0), EMFILE); OK(mq_close(a)); OK(mq_close(OK(make(1, 1, 0))));
      OK(mq_unlink(name)); a = OK(make(10, 8191, 0));
      FAILS(mq_open("/abi-other", O_CREAT | O_RDWR, 0600, NULL), EMFILE); OK(mq_close(a));
      OK(mq_unlink(name)); OK(mq_close(b)));
  // RLIMIT_NOFILE is looked at first.
  IN_CHILD(struct rlimit limit = {3, 3}; OK(setrlimit(RLIMIT_NOFILE, &limit));
           FAILS(mq_open(name, O_RDWR), EMFILE));
}

static void waiting(void) {
  mqd_t q = OK(make(1, 16, 0));
  char text[16];
  // Who waits gets the message before who asks.
  pid_t child = FORK(CHECK_EQ(mq_receive(q, text, 16, NULL), 3));
  abi_await_state(child, 'S');
  OK(mq_send(q, "one", 3, 0));
  struct mq_attr attr;
  OK(mq_getattr(q, &attr));
  CHECK_EQ(attr.mq_curmsgs, 0);
  WAIT_OK(child);
  OK(mq_send(q, "full", 4, 5));
  child = FORK(OK(mq_send(q, "late", 4, 9)));
  abi_await_state(child, 'S');
  CHECK_EQ(mq_receive(q, text, 16, NULL), 4);
  OK(mq_getattr(q, &attr));
  CHECK_EQ(attr.mq_curmsgs, 1);
  WAIT_OK(child);
  unsigned priority;
  CHECK_EQ(mq_receive(q, text, 16, &priority), 4);
  CHECK_EQ(priority, 9);
  // Signals.
  abi_handle(SIGUSR1, on_signal, 0);
  child = FORK(FAILS(mq_receive(q, text, 16, NULL), EINTR));
  abi_await_state(child, 'S');
  OK(kill(child, SIGUSR1));
  WAIT_OK(child);
  abi_handle(SIGUSR1, on_signal, SA_RESTART);
  child = FORK(CHECK_EQ(mq_receive(q, text, 16, NULL), 2));
  abi_await_state(child, 'S');
  OK(kill(child, SIGUSR1));
  OK(mq_send(q, "go", 2, 0));
  WAIT_OK(child);
  OK(mq_close(q));
  OK(mq_unlink(name));
}

static void readiness(void) {
  mqd_t q = OK(make(2, 16, O_NONBLOCK));
  struct pollfd p = {q, POLLIN | POLLOUT, 0};
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLOUT);
  OK(mq_send(q, "a", 1, 0));
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLIN | POLLOUT);
  OK(mq_send(q, "b", 1, 0));
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLIN);
  char text[100];
  pid_t child = FORK(p.events = POLLOUT; CHECK_EQ(poll(&p, 1, -1), 1));
  abi_await_state(child, 'S');
  CHECK_EQ(mq_receive(q, text, 16, NULL), 1);
  WAIT_OK(child);
  CHECK_EQ(read(q, text, sizeof(text)), 60);
  text[60] = 0;
  CHECK_STR(text, "QSIZE:1          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
  CHECK_EQ(read(q, text, sizeof(text)), 0);
  CHECK_EQ(pread(q, text, 5, 0), 5);
  FAILS(write(q, "x", 1), EINVAL);
  struct statfs fs;
  OK(fstatfs(q, &fs));
  CHECK_EQ(fs.f_type, 0x19800202);
  OK(mq_close(q));
  OK(mq_unlink(name));
}

// The file system, where it may be mounted.
static void mounted(void) {
  abi_scratch();
  OK(mkdir("mq", 0700));
  if (mount("none", "mq", "mqueue", 0, NULL) < 0) {
    CHECK_EQ(errno, EPERM);
    return;
  }
  mqd_t q = OK(make(3, 16, 0));
  char path[100], text[100];
  snprintf(path, sizeof(path), "mq%s", name);
  OK(mq_send(q, "four", 4, 0));
  CHECK_EQ(abi_get(path, text, sizeof(text)), 60);
  CHECK_EQ(strncmp(text, "QSIZE:4 ", 8), 0);
  struct stat st;
  OK(stat("mq", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 01777);
  FAILS(mkdir("mq/dir", 0700), EPERM);
  FAILS(symlink("x", "mq/link"), EPERM);
  FAILS(rename(path, "mq/other"), EPERM);
  FAILS(link(path, "mq/other"), EPERM);
  OK(unlink(path));
  FAILS(mq_open(name, O_RDWR), ENOENT);
  int fd = OK(open(path, O_CREAT | O_RDWR, 0600));
  mqd_t twin = OK(mq_open(name, O_RDWR));
  OK(mq_send(twin, "x", 1, 3));
  struct mq_attr attr;
  OK(mq_getattr(fd, &attr));
  CHECK_EQ(attr.mq_curmsgs, 1);
  OK(mq_unlink(name));
  CHECK(!abi_exists(path));
  OK(mq_close(q));
  OK(mq_close(twin));
  OK(close(fd));
  OK(umount("mq"));
}

int main(void) {
  snprintf(name, sizeof(name), "/abi-mq-%d", getpid());
  order();
  names();
  other_users();
  limits();
  waiting();
  readiness();
  mounted();
  return 0;
}
