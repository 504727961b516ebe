// Asynchronous I/O: io_setup(2), io_submit(2), io_getevents(2), io_pgetevents(2), io_cancel(2),
// io_destroy(2), and the ring that user space reads.
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include "abi.h"

struct ring {
  unsigned id, nr, head, tail, magic, compat, incompat, header;
  struct io_event events[];
};

static long setup(unsigned n, aio_context_t* c) { return syscall(SYS_io_setup, n, c); }
static long destroy(aio_context_t c) { return syscall(SYS_io_destroy, c); }
static long submit(aio_context_t c, long n, struct iocb** list) { return syscall(SYS_io_submit, c, n, list); }
static long get(aio_context_t c, long least, long most, struct io_event* e, struct timespec* t) {
  return syscall(SYS_io_getevents, c, least, most, e, t);
}

static struct iocb control(int op, int fd, void* buffer, size_t size, long long offset, uint64_t data) {
  struct iocb cb = {.aio_data = data,
                    .aio_lio_opcode = op,
                    .aio_fildes = fd,
                    .aio_buf = (uint64_t)buffer,
                    .aio_nbytes = size,
                    .aio_offset = offset};
  return cb;
}

// Submits one and yields its result.
static long long one(aio_context_t c, struct iocb* cb) {
  struct iocb* list[1] = {cb};
  CHECK_EQ(OK(submit(c, 1, list)), 1);
  struct io_event e;
  CHECK_EQ(OK(get(c, 1, 1, &e, NULL)), 1);
  CHECK_EQ(e.data, cb->aio_data);
  CHECK_EQ(e.obj, (uint64_t)cb);
  CHECK_EQ(e.res2, 0);
  return e.res;
}

static long number(const char* path) {
  char text[32];
  abi_get(path, text, sizeof(text));
  return atol(text);
}

static void transfers(void) {
  aio_context_t c = 0;
  OK(setup(8, &c));
  int fd = OK(open("file", O_CREAT | O_RDWR, 0600));
  char text[16] = "hello world";
  struct iocb w = control(IOCB_CMD_PWRITE, fd, text, 11, 5, 42);
  CHECK_EQ(one(c, &w), 11);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 16);
  char a[3], b[20];
  struct iocb r = control(IOCB_CMD_PREAD, fd, b, sizeof(b), 11, 43);
  CHECK_EQ(one(c, &r), 5);
  CHECK_EQ(memcmp(b, "world", 5), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  struct iovec v[2] = {{a, 3}, {b, 20}};
  r = control(IOCB_CMD_PREADV, fd, v, 2, 5, 44);
  CHECK_EQ(one(c, &r), 11);
  CHECK_EQ(memcmp(a, "hel", 3), 0);
  CHECK_EQ(memcmp(b, "lo world", 8), 0);
  r = control(IOCB_CMD_PREAD, fd, b, 4, 100, 45);
  CHECK_EQ(one(c, &r), 0);
  v[1].iov_len = 2;
  w = control(IOCB_CMD_PWRITEV, fd, v, 2, 0, 46);
  CHECK_EQ(one(c, &w), 5);
  struct iocb s = control(IOCB_CMD_FSYNC, fd, NULL, 0, 0, 47);
  CHECK_EQ(one(c, &s), 0);
  s.aio_lio_opcode = IOCB_CMD_FDSYNC;
  CHECK_EQ(one(c, &s), 0);
  // An event's own error.
  r = control(IOCB_CMD_PREAD, fd, (void*)8, 4, 0, 48);
  CHECK_EQ(one(c, &r), -EFAULT);
  int nonblocking[2];
  OK(pipe2(nonblocking, O_NONBLOCK));
  r = control(IOCB_CMD_PREAD, nonblocking[0], b, 4, 0, 49);
  CHECK_EQ(one(c, &r), -EAGAIN);
  w = control(IOCB_CMD_PWRITE, nonblocking[1], "pipe", 4, 0, 50);
  CHECK_EQ(one(c, &w), 4);
  CHECK_EQ(one(c, &r), 4);
  CHECK_EQ(memcmp(b, "pipe", 4), 0);
  // Several at once, and through an eventfd.
  int e = OK(eventfd(0, EFD_NONBLOCK));
  struct iocb cbs[3];
  struct iocb* list[3];
  for (int i = 0; i < 3; i++) {
    cbs[i] = control(IOCB_CMD_PREAD, fd, b + i, 1, i, i);
    cbs[i].aio_flags = IOCB_FLAG_RESFD;
    cbs[i].aio_resfd = e;
    list[i] = &cbs[i];
  }
  CHECK_EQ(OK(submit(c, 3, list)), 3);
  uint64_t count;
  CHECK_EQ(read(e, &count, 8), 8);
  CHECK_EQ(count, 3);
  struct io_event events[4];
  CHECK_EQ(get(c, 1, 2, events, NULL), 2);
  CHECK_EQ(events[0].data, 0);
  CHECK_EQ(events[1].data, 1);
  struct timespec soon = {0, 10000000};
  CHECK_EQ(get(c, 2, 4, events, &soon), 1);
  CHECK_EQ(events[0].data, 2);
  struct timespec none = {0, 0};
  CHECK_EQ(get(c, 1, 4, events, &none), 0);
  CHECK_EQ(get(c, 0, 0, NULL, NULL), 0);
  OK(destroy(c));
  OK(close(fd));
}

static void refusals(void) {
  aio_context_t c = 0;
  FAILS(setup(0, &c), EINVAL);
  FAILS(setup(1, (void*)8), EFAULT);
  c = 1;
  FAILS(setup(1, &c), EINVAL);
  c = 0;
  FAILS(setup(0x10000000, &c), EINVAL);
  FAILS(setup(1000000, &c), EAGAIN);
  FAILS(destroy(0), EINVAL);
  FAILS(destroy(0x1000), EINVAL);
  OK(setup(1, &c));
  int fd = OK(open("file", O_RDONLY));
  char b[8];
  struct iocb cb = control(IOCB_CMD_PREAD, 99, b, 4, 0, 0);
  struct iocb* list[2] = {&cb, NULL};
  FAILS(submit(c, 1, list), EBADF);
  cb.aio_fildes = fd;
  CHECK_EQ(OK(submit(c, 2, list)), 1);  // the second is at no address
  struct io_event e;
  CHECK_EQ(get(c, 1, 1, &e, NULL), 1);
  list[0] = NULL;
  FAILS(submit(c, 1, list), EFAULT);
  list[0] = &cb;
  FAILS(submit(c, -1, list), EINVAL);
  CHECK_EQ(submit(c, 0, list), 0);
  FAILS(submit(c, 1, (void*)8), EFAULT);
  FAILS(submit(c + 4096, 1, list), EINVAL);
  cb.aio_lio_opcode = 6;
  FAILS(submit(c, 1, list), EINVAL);
  cb.aio_lio_opcode = IOCB_CMD_PWRITE;
  FAILS(submit(c, 1, list), EBADF);
  cb.aio_lio_opcode = IOCB_CMD_PREAD;
  cb.aio_offset = -1;
  FAILS(submit(c, 1, list), EINVAL);
  cb.aio_offset = 0;
  cb.aio_reserved2 = 1;
  FAILS(submit(c, 1, list), EINVAL);
  cb.aio_reserved2 = 0;
  cb.aio_nbytes = -1;
  FAILS(submit(c, 1, list), EINVAL);
  cb.aio_nbytes = 4;
  cb.aio_rw_flags = 0x1000;
  FAILS(submit(c, 1, list), EOPNOTSUPP);
  cb.aio_rw_flags = 0;
  cb.aio_flags = IOCB_FLAG_RESFD;
  cb.aio_resfd = 99;
  FAILS(submit(c, 1, list), EBADF);
  cb.aio_resfd = fd;
  FAILS(submit(c, 1, list), EINVAL);
  cb.aio_flags = 0;
  int dir = OK(open(".", O_RDONLY));
  cb.aio_fildes = dir;
  FAILS(submit(c, 1, list), EINVAL);
  cb = control(IOCB_CMD_FSYNC, fd, b, 0, 0, 0);
  FAILS(submit(c, 1, list), EINVAL);
  int fds[2];
  OK(pipe(fds));
  cb = control(IOCB_CMD_FSYNC, fds[0], NULL, 0, 0, 0);
  FAILS(submit(c, 1, list), EINVAL);
  cb = control(IOCB_CMD_POLL, fds[0], (void*)POLLIN, 1, 0, 0);
  FAILS(submit(c, 1, list), EINVAL);
  FAILS(get(c, 2, 1, &e, NULL), EINVAL);
  FAILS(get(c, -1, 1, &e, NULL), EINVAL);
  FAILS(get(c, 1, 1, &e, (void*)8), EFAULT);
  FAILS(get(c + 4096, 1, 1, &e, NULL), EINVAL);
  OK(destroy(c));
  FAILS(destroy(c), EINVAL);
  FAILS(get(c, 0, 1, &e, NULL), EINVAL);
}

static void on_signal(int number) { (void)number; }

static void polls(void) {
  aio_context_t c = 0;
  OK(setup(4, &c));
  int fds[2];
  OK(pipe(fds));
  struct iocb cb = control(IOCB_CMD_POLL, fds[0], (void*)POLLIN, 0, 0, 7);
  struct iocb* list[1] = {&cb};
  CHECK_EQ(OK(submit(c, 1, list)), 1);
  struct io_event e;
  struct timespec none = {0, 0};
  CHECK_EQ(get(c, 1, 1, &e, &none), 0);
  pid_t self = getpid();
  pid_t child = FORK(abi_await_state(self, 'S'); CHECK_EQ(write(fds[1], "x", 1), 1));
  CHECK_EQ(get(c, 1, 1, &e, NULL), 1);
  CHECK_EQ(e.data, 7);
  CHECK(e.res & POLLIN);
  WAIT_OK(child);
  CHECK_EQ(one(c, &cb), POLLIN);  // still ready
  struct iocb out = control(IOCB_CMD_POLL, fds[1], (void*)POLLOUT, 0, 0, 8);
  CHECK_EQ(one(c, &out), POLLOUT);
  char b;
  CHECK_EQ(read(fds[0], &b, 1), 1);
  // Cancelled: the event comes all the same.
  CHECK_EQ(OK(submit(c, 1, list)), 1);
  struct iocb other = cb;
  FAILS(syscall(SYS_io_cancel, c, &other, &e), EINVAL);
  FAILS(syscall(SYS_io_cancel, c, (void*)8, &e), EFAULT);
  FAILS(syscall(SYS_io_cancel, c, &cb, &e), EINPROGRESS);
  CHECK_EQ(get(c, 1, 1, &e, NULL), 1);
  CHECK_EQ(e.obj, (uint64_t)&cb);
  CHECK_EQ(e.res, 0);
  FAILS(syscall(SYS_io_cancel, c, &cb, &e), EINVAL);
  // The end of the other side.
  int e_fd = OK(eventfd(0, 0));
  cb.aio_flags = IOCB_FLAG_RESFD;
  cb.aio_resfd = e_fd;
  CHECK_EQ(OK(submit(c, 1, list)), 1);
  OK(close(fds[1]));
  uint64_t count;
  CHECK_EQ(read(e_fd, &count, 8), 8);
  CHECK_EQ(get(c, 1, 1, &e, NULL), 1);
  CHECK(e.res & POLLHUP);
  // Signals end the wait.
  OK(close(fds[0]));
  OK(pipe(fds));
  cb = control(IOCB_CMD_POLL, fds[0], (void*)POLLIN, 0, 0, 7);
  CHECK_EQ(OK(submit(c, 1, list)), 1);
  abi_handle(SIGUSR1, on_signal, SA_RESTART);
  child = FORK(abi_await_state(self, 'S'); OK(kill(self, SIGUSR1)));
  FAILS(get(c, 1, 1, &e, NULL), EINTR);
  WAIT_OK(child);
  sigset_t set, empty;
  sigemptyset(&empty);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  OK(raise(SIGUSR1));
  struct timespec soon = {0, 1000000};
  CHECK_EQ(get(c, 1, 1, &e, &soon), 0);
  struct {
    sigset_t* mask;
    size_t size;
  } argument = {&empty, 8};
  FAILS(syscall(SYS_io_pgetevents, c, 1, 1, &e, NULL, &argument), EINTR);
  OK(sigpending(&set));
  CHECK(!sigismember(&set, SIGUSR1));
  OK(sigprocmask(SIG_BLOCK, NULL, &set));
  CHECK(sigismember(&set, SIGUSR1));
  CHECK_EQ(write(fds[1], "x", 1), 1);
  CHECK_EQ(syscall(SYS_io_pgetevents, c, 1, 1, &e, NULL, NULL), 1);
  // Destroyed with one that waits.
  CHECK_EQ(read(fds[0], &b, 1), 1);
  CHECK_EQ(OK(submit(c, 1, list)), 1);
  OK(destroy(c));
}

static void in_user_space(void) {
  aio_context_t c = 0;
  OK(setup(3, &c));
  struct ring* ring = (struct ring*)c;
  CHECK_EQ(ring->magic, 0xa10a10a1);
  CHECK_EQ(ring->compat, 1);
  CHECK_EQ(ring->incompat, 0);
  CHECK_EQ(ring->header, sizeof(struct ring));
  CHECK_EQ(ring->head, 0);
  CHECK_EQ(ring->tail, 0);
  CHECK_EQ((ring->nr + 1) * 32 % 4096, 0);
  CHECK(ring->nr >= 6);
  int fd = OK(open("file", O_RDONLY));
  char b;
  struct iocb cb = control(IOCB_CMD_PREAD, fd, &b, 1, 0, 5);
  struct iocb* list[1] = {&cb};
  unsigned nr = ring->nr;
  // More than once around, taken without a system call.
  for (unsigned i = 0; i < nr + 10; i++) {
    cb.aio_data = i;
    CHECK_EQ(OK(submit(c, 1, list)), 1);
    CHECK_EQ(ring->tail, (i + 1) % nr);
    CHECK_EQ(ring->events[ring->head].data, i);
    CHECK_EQ(ring->events[ring->head].res, 1);
    __atomic_store_n(&ring->head, (ring->head + 1) % nr, __ATOMIC_RELEASE);
  }
  struct io_event e;
  struct timespec none = {0, 0};
  CHECK_EQ(get(c, 1, 1, &e, &none), 0);
  // It may move, and then has another number.
  char* to = OK(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  aio_context_t moved = (aio_context_t)mremap((void*)c, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  CHECK_EQ(moved, (aio_context_t)to);
  FAILS(destroy(c), EINVAL);
  CHECK_EQ(one(moved, &cb), 1);
  // A child has the memory, not the context.
  IN_CHILD(CHECK_EQ(((struct ring*)moved)->magic, 0xa10a10a1); FAILS(destroy(moved), EINVAL);
           aio_context_t own = 0; OK(setup(1, &own)));
  OK(destroy(moved));
  FAILS(mincore((void*)moved, 4096, (unsigned char*)&b), ENOMEM);
}

static void counted(void) {
  long before = number("/proc/sys/fs/aio-nr");
  CHECK(number("/proc/sys/fs/aio-max-nr") >= 65536);
  aio_context_t a = 0, b = 0;
  OK(setup(100, &a));
  CHECK_EQ(number("/proc/sys/fs/aio-nr"), before + 100);
  OK(setup(28, &b));
  CHECK_EQ(number("/proc/sys/fs/aio-nr"), before + 128);
  OK(destroy(a));
  CHECK_EQ(number("/proc/sys/fs/aio-nr"), before + 28);
  // They end with the process, and with the program.
  a = 0;
  IN_CHILD(OK(setup(50, &a)); CHECK_EQ(number("/proc/sys/fs/aio-nr"), before + 78));
  CHECK_EQ(number("/proc/sys/fs/aio-nr"), before + 28);
  int fds[2];
  OK(pipe(fds));
  char text[32] = "";
  pid_t child =
      FORK(OK(setup(50, &a)); OK(dup2(fds[1], 1)); OK(execlp("cat", "cat", "/proc/sys/fs/aio-nr", NULL)));
  WAIT_OK(child);
  CHECK(read(fds[0], text, sizeof(text)) > 0);
  CHECK_EQ(atol(text), before + 28);
  OK(destroy(b));
}

int main(void) {
  abi_scratch();
  transfers();
  refusals();
  polls();
  in_user_space();
  counted();
  return 0;
}
