// FIFOs (fifo(7)): who waits at open(2), what happens without the other side, O_RDWR, several of each.
#include <poll.h>

#include "abi.h"

static volatile sig_atomic_t g_pipe;
static void on_pipe(int signal) { g_pipe = signal; }

static void opening(void) {
  OK(mkfifo("f", 0600));
  // Without the other side: reading may begin, writing not.
  int reader = OK(open("f", O_RDONLY | O_NONBLOCK));
  OK(close(reader));
  FAILS(open("f", O_WRONLY | O_NONBLOCK), ENXIO);
  // Both wait for one another.
  pid_t pid = FORK({
    int fd = OK(open("f", O_WRONLY));
    CHECK_EQ(write(fd, "hello", 5), 5);
  });
  abi_await_state(pid, 'S');
  reader = OK(open("f", O_RDONLY));
  char text[16];
  CHECK_EQ(read(reader, text, 16), 5);
  CHECK_EQ(read(reader, text, 16), 0);
  WAIT_OK(pid);
  // A new writer after the end: the same descriptor goes on.
  int writer = OK(open("f", O_WRONLY | O_NONBLOCK));
  CHECK_EQ(write(writer, "again", 5), 5);
  CHECK_EQ(read(reader, text, 16), 5);
  OK(close(writer));
  CHECK_EQ(read(reader, text, 16), 0);
  OK(close(reader));
  pid = FORK({
    int fd = OK(open("f", O_RDONLY));
    CHECK_EQ(read(fd, text, 16), 2);
  });
  abi_await_state(pid, 'S');
  writer = OK(open("f", O_WRONLY));
  CHECK_EQ(write(writer, "ab", 2), 2);
  WAIT_OK(pid);
  OK(close(writer));
}

static void interrupted(void) {
  abi_handle(SIGUSR1, on_pipe, 0);
  pid_t pid = FORK(FAILS(open("f", O_RDONLY), EINTR));
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGUSR1));
  WAIT_OK(pid);
  // It went away: a writer finds nobody.
  FAILS(open("f", O_WRONLY | O_NONBLOCK), ENXIO);
}

static void both_ways(void) {
  // O_RDWR never waits and never sees an end.
  int fd = OK(open("f", O_RDWR | O_NONBLOCK));
  char text[16];
  FAILS(read(fd, text, 16), EAGAIN);
  CHECK_EQ(write(fd, "xyz", 3), 3);
  int reader = OK(open("f", O_RDONLY | O_NONBLOCK));
  CHECK_EQ(read(reader, text, 1), 1);
  CHECK_EQ(read(fd, text + 1, 16), 2);
  OK(close(fd));
  CHECK_EQ(read(reader, text, 16), 0);
  OK(close(reader));
  // What nobody has open any more is empty.
  fd = OK(open("f", O_RDWR));
  CHECK_EQ(write(fd, "lost", 4), 4);
  OK(close(fd));
  reader = OK(open("f", O_RDONLY | O_NONBLOCK));
  CHECK_EQ(read(reader, text, 16), 0);
  OK(close(reader));
}

static void polling(void) {
  int reader = OK(open("f", O_RDONLY | O_NONBLOCK));
  struct pollfd p = {.fd = reader, .events = POLLIN};
  CHECK_EQ(poll(&p, 1, 0), 0);  // no writer was there yet: no end either
  int writer = OK(open("f", O_WRONLY | O_NONBLOCK));
  CHECK_EQ(poll(&p, 1, 0), 0);
  CHECK_EQ(write(writer, "1", 1), 1);
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLIN);
  OK(close(writer));
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLIN | POLLHUP);
  char c;
  CHECK_EQ(read(reader, &c, 1), 1);
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLHUP);
  writer = OK(open("f", O_WRONLY | O_NONBLOCK));
  CHECK_EQ(poll(&p, 1, 0), 0);  // a new one takes the hang-up away
  OK(close(reader));
  p = (struct pollfd){.fd = writer, .events = POLLOUT};
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLOUT | POLLERR);
  abi_handle(SIGPIPE, on_pipe, 0);
  FAILS(write(writer, "x", 1), EPIPE);
  CHECK_EQ(g_pipe, SIGPIPE);
  OK(close(writer));
}

static void names(void) {
  // The pipe belongs to the inode: by another name, and after the name has gone.
  OK(link("f", "g"));
  int reader = OK(open("f", O_RDONLY | O_NONBLOCK)), writer = OK(open("g", O_WRONLY));
  OK(unlink("f"));
  OK(unlink("g"));
  CHECK_EQ(write(writer, "nameless", 8), 8);
  char text[16];
  CHECK_EQ(read(reader, text, 16), 8);
  struct stat st;
  OK(fstat(reader, &st));
  CHECK(S_ISFIFO(st.st_mode));
  CHECK_EQ(st.st_nlink, 0);
  FAILS(lseek(reader, 0, SEEK_SET), ESPIPE);
  FAILS(pread(reader, text, 1, 0), ESPIPE);
  FAILS(mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0), ENODEV);
  FAILS(ftruncate(writer, 0), EINVAL);
  OK(mkfifo("h", 0400));
  FAILS(mkfifo("h", 0600), EEXIST);
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(open("h", O_RDONLY | O_NONBLOCK), EACCES);
  });
}

int main(void) {
  abi_scratch();
  opening();
  interrupted();
  both_ways();
  polling();
  names();
  return 0;
}
