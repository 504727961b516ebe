// Names that connections leave behind: TIME_WAIT, SO_REUSEADDR, ports that several connections share.
#include "tcp.h"

static int from_port(int family, int port, int to, int* error) {
  int fd = tcp_socket(family);
  struct Address a = loopback(family, port), peer = loopback(family, to);
  OK(set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1));
  OK(bind(fd, &a.any, a.size));
  errno = 0;
  *error = connect(fd, &peer.any, peer.size) == 0 ? 0 : errno;
  return fd;
}

// The same four numbers again: a port that was asked for is taken over from what is left of the old
// connection.
static void again(int family) {
  int server = listener(family, 5), error;
  int fd = from_port(family, 0, port_of(server), &error), port = port_of(fd);
  CHECK_EQ(error, 0);
  int peer = OK(accept(server, NULL, NULL));
  OK(close(fd));  // this side waits
  char c;
  CHECK_EQ(recv(peer, &c, 1, 0), 0);
  OK(close(peer));
  fd = from_port(family, port, port_of(server), &error);
  CHECK_EQ(error, 0);
  peer = OK(accept(server, NULL, NULL));
  send_all(fd, "fresh");
  expect(peer, "fresh");
  OK(close(fd));
  OK(close(peer));
  OK(close(server));
}

// The listener's side waits: a new SYN with the same numbers begins a new connection.
static void from_outside(int family) {
  int server = listener(family, 5), error;
  int fd = from_port(family, 0, port_of(server), &error), port = port_of(fd);
  CHECK_EQ(error, 0);
  int peer = OK(accept(server, NULL, NULL));
  OK(close(peer));
  await(fd, POLLRDHUP);
  OK(close(fd));
  fd = from_port(family, port, port_of(server), &error);
  CHECK_EQ(error, 0);
  peer = OK(accept(server, NULL, NULL));
  send_all(peer, "anew");
  expect(fd, "anew");
  OK(close(fd));
  OK(close(peer));
  OK(close(server));
}

// Connections to several peers leave from one port.
static void shared(int family) {
  int servers[3], fds[3], error, port = 0;
  for (int i = 0; i < 3; ++i) {
    servers[i] = listener(family, 2);
    fds[i] = from_port(family, port, port_of(servers[i]), &error);
    CHECK_EQ(error, 0);
    port = port_of(fds[i]);
  }
  int fd = from_port(family, port, port_of(servers[1]), &error);
  CHECK_EQ(error, EADDRNOTAVAIL);
  OK(close(fd));
  for (int i = 0; i < 3; ++i) {
    int peer = OK(accept(servers[i], NULL, NULL));
    char text[8] = {(char)('a' + i), 0};
    send_all(fds[i], text);
    expect(peer, text);
    OK(close(fds[i]));
    OK(close(peer));
    OK(close(servers[i]));
  }
}

int main(void) {
  EACH_FAMILY(family) {
    again((int)family);
    from_outside((int)family);
    shared((int)family);
  }
  return 0;
}
