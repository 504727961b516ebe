// shutdown(2) of AF_UNIX sockets: halves, who is woken, what still can be read.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

static void halves(int type) {
  int fds[2];
  char buf[16];
  OK(socketpair(AF_UNIX, type, 0, fds));
  CHECK_EQ(write(fds[0], "before", 6), 6);
  OK(shutdown(fds[0], SHUT_WR));
  FAILS(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 6);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 0);
  // The other way is open.
  CHECK_EQ(write(fds[1], "back", 4), 4);
  CHECK_EQ(read(fds[0], buf, sizeof(buf)), 4);
  OK(shutdown(fds[0], SHUT_WR));  // again
  OK(close(fds[0]));
  OK(close(fds[1]));
  // The reading half: what is there can be read, the other end cannot send.
  OK(socketpair(AF_UNIX, type, 0, fds));
  CHECK_EQ(write(fds[0], "kept", 4), 4);
  OK(shutdown(fds[1], SHUT_RD));
  FAILS(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 4);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 0);
  CHECK_EQ(write(fds[1], "out", 3), 3);
  CHECK_EQ(read(fds[0], buf, sizeof(buf)), 3);
  OK(shutdown(fds[1], SHUT_RDWR));
  FAILS(send(fds[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(read(fds[0], buf, sizeof(buf)), 0);
  OK(close(fds[0]));
  OK(close(fds[1]));
}

static void sleepers(void) {
  int fds[2];
  char c;
  static char block[1 << 20];
  // Both ends of a blocked read.
  for (int end = 0; end < 2; end++) {
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    pid_t pid = FORK(CHECK_EQ(read(fds[0], &c, 1), 0));
    abi_await_state(pid, 'S');
    OK(shutdown(fds[end], end ? SHUT_WR : SHUT_RD));
    WAIT_OK(pid);
    OK(close(fds[0]));
    OK(close(fds[1]));
  }
  // And of a blocked write: what went out counts.
  for (int end = 0; end < 2; end++) {
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    pid_t pid = FORK({
      ssize_t n = OK(write(fds[0], block, sizeof(block)));
      CHECK(n > 0 && n < (ssize_t)sizeof(block));
    });
    abi_await_state(pid, 'S');
    OK(shutdown(fds[end], end ? SHUT_RD : SHUT_WR));
    WAIT_OK(pid);
    OK(close(fds[0]));
    OK(close(fds[1]));
  }
  // A listener.
  struct sockaddr_un a;
  socklen_t size = sizeof(a);
  sa_family_t family = AF_UNIX;
  int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(listener, (struct sockaddr*)&family, sizeof(family)));
  OK(getsockname(listener, (struct sockaddr*)&a, &size));
  OK(listen(listener, 4));
  pid_t pid = FORK(FAILS(accept(listener, NULL, NULL), EINVAL));
  abi_await_state(pid, 'S');
  OK(shutdown(listener, SHUT_RD));
  WAIT_OK(pid);
  FAILS(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr*)&a, size), ECONNREFUSED);
  FAILS(accept(listener, NULL, NULL), EINVAL);
}

static void datagrams(void) {
  int fds[2];
  char buf[16];
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
  CHECK_EQ(write(fds[0], "kept", 4), 4);
  OK(shutdown(fds[1], SHUT_RD));
  FAILS(send(fds[0], "x", 1, 0), EPIPE);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 4);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 0);
  FAILS(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  OK(shutdown(fds[1], SHUT_WR));
  FAILS(send(fds[1], "x", 1, 0), EPIPE);
  // The other end hears nothing of it.
  FAILS(recv(fds[0], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

int main(void) {
  abi_handle(SIGPIPE, SIG_IGN, 0);
  halves(SOCK_STREAM);
  halves(SOCK_SEQPACKET);
  sleepers();
  datagrams();
  return 0;
}
