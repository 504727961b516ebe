// listen(2), accept(2): the queue, its end, who may have a port.
#include "tcp.h"

static int try_connect(int family, int port) {
  int fd = OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
  struct Address a = loopback(family, port);
  int n = connect(fd, &a.any, a.size);
  CHECK(n == 0 || errno == EINPROGRESS);
  return fd;
}

static void queue(int family) {
  int server = listener(family, 1), fds[5], n = 0;
  // One more than the backlog finds a place.
  for (int i = 0; i < 4; ++i) {
    fds[i] = try_connect(family, port_of(server));
    n += poll_now(fds[i], POLLOUT, i < 2 ? 10000 : 100) == POLLOUT;
  }
  CHECK_EQ(n, 2);
  OK(fcntl(server, F_SETFL, O_NONBLOCK));
  for (int i = 0; i < 2; ++i) {
    int peer = OK(accept(server, NULL, NULL));
    struct Address a;
    a.size = sizeof(a.v6);
    OK(getpeername(peer, &a.any, &a.size));
    CHECK_EQ(ntohs(family == AF_INET ? a.v4.sin_port : a.v6.sin6_port), port_of(fds[i]));
    OK(close(peer));
  }
  // The others try again.
  await(fds[2], POLLOUT);
  await(server, POLLIN);
  OK(close(OK(accept(server, NULL, NULL))));
  for (int i = 0; i < 4; ++i) OK(close(fds[i]));
  OK(close(server));
}

static void gone(int family) {
  int server = listener(family, 4);
  char c;
  int waiting = client_of(server, family), talking = client_of(server, family);
  send_all(talking, "hello?");
  OK(close(server));
  FAILS(recv(waiting, &c, 1, 0), ECONNRESET);
  FAILS(recv(talking, &c, 1, 0), ECONNRESET);
  OK(close(waiting));
  OK(close(talking));
  // Ended by the client before it was accepted: it is accepted all the same.
  server = listener(family, 4);
  int fd = client_of(server, family);
  send_all(fd, "bye");
  OK(close(fd));
  int peer = OK(accept(server, NULL, NULL));
  expect(peer, "bye");
  CHECK_EQ(recv(peer, &c, 1, 0), 0);
  OK(close(peer));
  OK(close(server));
}

static void shut(int family) {
  int server = listener(family, 4);
  OK(listen(server, 2));
  OK(shutdown(server, SHUT_WR));
  int fd = client_of(server, family);
  OK(close(OK(accept(server, NULL, NULL))));
  OK(close(fd));
  OK(shutdown(server, SHUT_RD));
  FAILS(accept(server, NULL, NULL), EINVAL);
  fd = tcp_socket(family);
  struct Address a = loopback(family, port_of(server));
  FAILS(connect(fd, &a.any, a.size), ECONNREFUSED);
  OK(close(fd));
  OK(listen(server, 1));
  OK(close(client_of(server, family)));
  OK(close(server));
}

static void* acceptor(void* argument) { return (void*)(long)accept(*(int*)argument, NULL, NULL); }

static void ports(int family) {
  int a_fd = listener(family, 1), b_fd = tcp_socket(family);
  struct Address a = loopback(family, port_of(a_fd));
  FAILS(bind(b_fd, &a.any, a.size), EADDRINUSE);
  OK(close(a_fd));
  OK(bind(b_fd, &a.any, a.size));
  FAILS(bind(b_fd, &a.any, a.size), EINVAL);
  OK(close(b_fd));
  // A listener without a name gets one.
  a_fd = tcp_socket(family);
  OK(listen(a_fd, 1));
  CHECK(port_of(a_fd) != 0);
  OK(close(a_fd));
  // Two that share.
  a_fd = tcp_socket(family);
  b_fd = tcp_socket(family);
  OK(set_int(a_fd, SOL_SOCKET, SO_REUSEPORT, 1));
  OK(set_int(b_fd, SOL_SOCKET, SO_REUSEPORT, 1));
  a = loopback(family, 0);
  OK(bind(a_fd, &a.any, a.size));
  a = loopback(family, port_of(a_fd));
  OK(bind(b_fd, &a.any, a.size));
  OK(listen(a_fd, 5));
  OK(listen(b_fd, 5));
  OK(close(a_fd));
  OK(close(client_of(b_fd, family)));
  OK(close(b_fd));
  // Bound by two with SO_REUSEADDR, but only one may listen.
  a_fd = tcp_socket(family);
  b_fd = tcp_socket(family);
  OK(set_int(a_fd, SOL_SOCKET, SO_REUSEADDR, 1));
  OK(set_int(b_fd, SOL_SOCKET, SO_REUSEADDR, 1));
  a = loopback(family, 0);
  OK(bind(a_fd, &a.any, a.size));
  a = loopback(family, port_of(a_fd));
  OK(bind(b_fd, &a.any, a.size));
  OK(listen(a_fd, 5));
  FAILS(listen(b_fd, 5), EADDRINUSE);
  OK(close(a_fd));
  OK(close(b_fd));
  struct Address far = loopback(family, 0);
  if (family == AF_INET)
    far.v4.sin_addr.s_addr = htonl(0xcb007101);  // 203.0.113.1
  else
    far.v6.sin6_addr.s6_addr[0] = 0x20;
  a_fd = tcp_socket(family);
  FAILS(bind(a_fd, &far.any, far.size), EADDRNOTAVAIL);
  OK(close(a_fd));
}

int main(void) {
  EACH_FAMILY(family) {
    queue((int)family);
    gone((int)family);
    shut((int)family);
    ports((int)family);
    int server = listener((int)family, 1);
    pthread_t thread;
    void* got;
    ZERO(pthread_create(&thread, NULL, acceptor, &server));
    int fd = client_of(server, (int)family);
    ZERO(pthread_join(thread, &got));
    OK(close((int)(long)got));
    OK(close(fd));
    OK(close(server));
  }
  return 0;
}
