// Calls that must not wait, and MSG_WAITALL, which waits for all: AF_UNIX sockets.
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

static void streams(void) {
  int fds[2], on = 1;
  char buf[64];
  static char block[1 << 20];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  OK(ioctl(fds[0], FIONBIO, &on));
  CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  FAILS(read(fds[0], buf, 1), EAGAIN);
  FAILS(recv(fds[0], buf, 1, MSG_WAITALL), EAGAIN);
  ssize_t n = OK(write(fds[0], block, sizeof(block)));
  CHECK(n > 0 && n < (ssize_t)sizeof(block));
  FAILS(write(fds[0], block, sizeof(block)), EAGAIN);
  // The other end may wait still.
  CHECK(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
  ssize_t have = 0;
  while (have < n) have += OK(recv(fds[1], block, sizeof(block), MSG_DONTWAIT));
  CHECK_EQ(have, n);
  FAILS(recv(fds[1], block, 1, MSG_DONTWAIT), EAGAIN);
  on = 0;
  OK(ioctl(fds[0], FIONBIO, &on));
  CHECK(!(fcntl(fds[0], F_GETFL) & O_NONBLOCK));
  // All of it, in pieces.
  pid_t pid = FORK({
    OK(close(fds[0]));
    CHECK_EQ(recv(fds[1], buf, 10, MSG_WAITALL), 10);
    CHECK_EQ(memcmp(buf, "0123456789", 10), 0);
    CHECK_EQ(recv(fds[1], buf, 10, MSG_WAITALL), 3);
  });
  abi_await_state(pid, 'S');
  CHECK_EQ(write(fds[0], "0123", 4), 4);
  abi_await_state(pid, 'S');
  CHECK_EQ(write(fds[0], "456789", 6), 6);
  abi_await_state(pid, 'S');
  CHECK_EQ(write(fds[0], "end", 3), 3);
  OK(close(fds[0]));
  WAIT_OK(pid);
  OK(close(fds[1]));
  // SO_RCVLOWAT holds a read back; a peek too.
  int low = 4;
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  OK(setsockopt(fds[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
  CHECK_EQ(write(fds[0], "ab", 2), 2);
  pid = FORK(CHECK_EQ(read(fds[1], buf, sizeof(buf)), 5));
  abi_await_state(pid, 'S');
  CHECK_EQ(write(fds[0], "cde", 3), 3);
  WAIT_OK(pid);
}

static void connections(void) {
  struct sockaddr_un a;
  socklen_t size = sizeof(a);
  sa_family_t family = AF_UNIX;
  int listener = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)), clients[8];
  OK(bind(listener, (struct sockaddr*)&family, sizeof(family)));
  OK(getsockname(listener, (struct sockaddr*)&a, &size));
  OK(listen(listener, 2));
  FAILS(accept(listener, NULL, NULL), EAGAIN);
  // One more than the backlog says.
  for (int i = 0; i < 3; i++) {
    clients[i] = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    OK(connect(clients[i], (struct sockaddr*)&a, size));
  }
  int late = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  FAILS(connect(late, (struct sockaddr*)&a, size), EAGAIN);
  // Who may wait gets in when there is room.
  pid_t pid = FORK({
    int waiting = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(connect(waiting, (struct sockaddr*)&a, size));
    CHECK_EQ(write(waiting, "w", 1), 1);
  });
  abi_await_state(pid, 'S');
  int conn = OK(accept(listener, NULL, NULL));
  CHECK(!(fcntl(conn, F_GETFL) & O_NONBLOCK));  // not inherited
  WAIT_OK(pid);
  FAILS(connect(late, (struct sockaddr*)&a, size), EAGAIN);
  OK(listen(listener, 5));
  OK(connect(late, (struct sockaddr*)&a, size));
  // First come, first served.
  CHECK_EQ(write(clients[1], "1", 1), 1);
  conn = OK(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
  CHECK(fcntl(conn, F_GETFL) & O_NONBLOCK);
  char c;
  CHECK_EQ(read(conn, &c, 1), 1);
  CHECK_EQ(c, '1');
  // Those that are not accepted when the listener ends are reset.
  OK(close(listener));
  FAILS(read(late, &c, 1), ECONNRESET);
  CHECK_EQ(read(late, &c, 1), 0);
  // Waiting to connect while the listener ends.
  listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(listener, (struct sockaddr*)&a, size));
  OK(listen(listener, 0));
  OK(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr*)&a, size));
  pid = FORK({
    OK(close(listener));
    FAILS(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr*)&a, size), ECONNREFUSED);
  });
  abi_await_state(pid, 'S');
  OK(close(listener));
  WAIT_OK(pid);
}

int main(void) {
  streams();
  connections();
  return 0;
}
