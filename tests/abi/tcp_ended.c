// What can be done with a connection that has ended: connect(2) again, errors after some bytes, recv(2) of
// nothing; IP_MINTTL.
#include <sys/uio.h>

#include "tcp.h"

static void reset(int fd) {
  struct linger none = {1, 0};
  OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
  OK(close(fd));
}

// A reset behind the end: the end is what is read, as often as one likes; the error is for who writes.
static void reset_behind_the_end(int family) {
  int server = listener(family, 5);
  for (int unread = 0; unread < 2; ++unread) {
    int fd = client_of(server, family), peer = OK(accept(server, NULL, NULL));
    char c;
    if (unread) send_all(peer, "x");
    OK(shutdown(peer, SHUT_WR));
    await(fd, POLLRDHUP);
    reset(peer);
    await(fd, POLLHUP);
    if (unread) CHECK_EQ(recv(fd, &c, 1, 0), 1);
    for (int i = 0; i < 3; ++i) CHECK_EQ(recv(fd, &c, 1, 0), 0);
    int error = 0;
    socklen_t size = sizeof(error);
    OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    CHECK_EQ(error, EPIPE);
    FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(recv(fd, &c, 1, 0), 0);
    OK(close(fd));
  }
  OK(close(server));
}

// Ended or not, it is connected until it is told otherwise.
static void connect_again(int family) {
  int server = listener(family, 5);
  struct Address to = loopback(family, port_of(server));
  for (int how = 0; how < 3; ++how) {
    int fd = client_of(server, family), peer = OK(accept(server, NULL, NULL));
    char c;
    if (how == 0) {
      reset(peer);
      await(fd, POLLHUP);
      FAILS(connect(fd, &to.any, to.size), EISCONN);
      FAILS(recv(fd, &c, 1, 0), ECONNRESET);
    } else {
      OK(close(peer));
      CHECK_EQ(recv(fd, &c, 1, 0), 0);
      if (how == 1) OK(shutdown(fd, SHUT_WR));
    }
    FAILS(connect(fd, &to.any, to.size), EISCONN);
    if (how == 0) FAILS(listen(fd, 1), EINVAL);
    struct Address none = {.any.sa_family = AF_UNSPEC, .size = sizeof(struct sockaddr_in)};
    OK(connect(fd, &none.any, none.size));
    OK(connect(fd, &to.any, to.size));
    peer = OK(accept(server, NULL, NULL));
    send_all(fd, "again");
    expect(peer, "again");
    OK(close(fd));
    OK(close(peer));
  }
  OK(close(server));
}

static void receive_nothing(int family) {
  int fd = tcp_socket(family), fds[2];
  char c;
  FAILS(recv(fd, &c, 0, 0), ENOTCONN);
  FAILS(recv(fd, &c, 0, MSG_DONTWAIT), ENOTCONN);
  CHECK_EQ(read(fd, &c, 0), 0);
  OK(close(fd));
  tcp_pair(family, fds);
  FAILS(recv(fds[0], &c, 0, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(read(fds[0], &c, 0), 0);
  send_all(fds[1], "x");
  CHECK_EQ(recv(fds[0], &c, 0, 0), 0);
  expect(fds[0], "x");
  OK(close(fds[1]));
  CHECK_EQ(recv(fds[0], &c, 0, 0), 0);
  OK(close(fds[0]));
}

// Bytes have been taken when the connection ends: they count, and the next call hears of the end.
static void* write_much(void* arg) {
  static char bytes[16 << 20];
  int fd = *(int*)arg;
  ssize_t n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
  if (n <= 0 || n >= (ssize_t)sizeof(bytes)) FAIL("sent %zd", n);
  FAILS(send(fd, bytes, 1, MSG_NOSIGNAL), ECONNRESET);
  FAILS(send(fd, bytes, 1, MSG_NOSIGNAL), EPIPE);
  return NULL;
}

static void error_after_some(int family) {
  int fds[2];
  tcp_pair(family, fds);
  pthread_t writer;
  ZERO(pthread_create(&writer, NULL, write_much, &fds[0]));
  char c;
  CHECK_EQ(recv(fds[1], &c, 1, 0), 1);
  // Until it waits for room.
  int queued = -1;
  for (;;) {
    int now;
    OK(ioctl(fds[1], FIONREAD, &now));
    if (now > 65536 && now == queued) break;
    queued = now;
    poll(NULL, 0, 50);
  }
  reset(fds[1]);
  ZERO(pthread_join(writer, NULL));
  OK(close(fds[0]));
}

// Segments from too far away are not there.
static void near_enough(int family) {
  int level = family == AF_INET ? SOL_IP : SOL_IPV6, least = family == AF_INET ? IP_MINTTL : 73,
      hops = family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS;
  int server = listener(family, 5), fd = OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
  struct Address to = loopback(family, port_of(server));
  OK(set_int(server, level, least, 255));
  FAILS(connect(fd, &to.any, to.size), EINPROGRESS);
  CHECK_EQ(poll_now(fd, POLLOUT, 0), 0);
  CHECK_EQ(poll_now(server, POLLIN, 0), 0);
  OK(close(fd));
  fd = tcp_socket(family);
  OK(set_int(fd, level, hops, 255));
  OK(connect(fd, &to.any, to.size));
  int peer = OK(accept(server, NULL, NULL));
  send_all(fd, "near");
  expect(peer, "near");
  OK(close(fd));
  OK(close(peer));
  OK(close(server));
}

int main(void) {
  EACH_FAMILY(f) {
    reset_behind_the_end(f);
    connect_again(f);
    receive_nothing(f);
    error_after_some(f);
    near_enough(f);
  }
  return 0;
}
