// tcp(7): how connections end: FIN and RST, shutdown(2), SO_LINGER, SIGPIPE.
#include "tcp.h"

static volatile int g_sigpipe;
static void on_sigpipe(int signal) {
  (void)signal;
  g_sigpipe++;
}

static void in_order(int family) {
  int fds[2];
  char c;
  tcp_pair(family, fds);
  send_all(fds[0], "last");
  OK(close(fds[0]));
  expect(fds[1], "last");
  CHECK_EQ(recv(fds[1], &c, 1, 0), 0);
  CHECK_EQ(recv(fds[1], &c, 1, 0), 0);
  CHECK_EQ(send(fds[1], "x", 1, 0), 1);  // nobody is there, as the answer will tell
  await(fds[1], POLLERR | POLLHUP);
  g_sigpipe = 0;
  FAILS(send(fds[1], "x", 1, 0), EPIPE);
  CHECK_EQ(g_sigpipe, 1);
  FAILS(send(fds[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  FAILS(write(fds[1], "x", 1), EPIPE);
  CHECK_EQ(g_sigpipe, 2);
  OK(close(fds[1]));
}

static void half(int family) {
  int fds[2];
  char c;
  tcp_pair(family, fds);
  OK(shutdown(fds[0], SHUT_WR));
  CHECK_EQ(recv(fds[1], &c, 1, 0), 0);
  send_all(fds[1], "answer");
  expect(fds[0], "answer");
  FAILS(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  OK(shutdown(fds[0], SHUT_WR));
  OK(close(fds[1]));
  CHECK_EQ(recv(fds[0], &c, 1, 0), 0);
  await(fds[0], POLLHUP);
  FAILS(shutdown(fds[0], SHUT_RDWR), ENOTCONN);
  OK(close(fds[0]));
  tcp_pair(family, fds);
  OK(shutdown(fds[0], SHUT_RD));
  CHECK_EQ(recv(fds[0], &c, 1, 0), 0);
  send_all(fds[1], "heard");
  await(fds[0], POLLIN);
  expect(fds[0], "heard");  // what comes is read all the same
  CHECK_EQ(recv(fds[0], &c, 1, 0), 0);
  send_all(fds[0], "fine");
  expect(fds[1], "fine");
  close_pair(fds);
}

static void unread(int family) {
  int fds[2];
  char c;
  tcp_pair(family, fds);
  send_all(fds[0], "nobody reads this");
  await(fds[1], POLLIN);
  OK(close(fds[1]));
  await(fds[0], POLLERR);
  CHECK_EQ(poll_now(fds[0], POLLIN | POLLOUT | POLLRDHUP, 0),
           POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
  FAILS(recv(fds[0], &c, 1, 0), ECONNRESET);
  CHECK_EQ(recv(fds[0], &c, 1, 0), 0);
  FAILS(send(fds[0], &c, 1, MSG_NOSIGNAL), EPIPE);
  FAILS(getpeername(fds[0], &(struct sockaddr){0}, &(socklen_t){sizeof(struct sockaddr)}), ENOTCONN);
  OK(close(fds[0]));
}

static void linger(int family) {
  int fds[2];
  char c;
  struct linger l = {1, 0};
  tcp_pair(family, fds);
  OK(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
  OK(close(fds[0]));
  await(fds[1], POLLERR);
  CHECK_EQ(int_option(fds[1], SOL_SOCKET, SO_ERROR), ECONNRESET);
  CHECK_EQ(recv(fds[1], &c, 1, 0), 0);
  OK(close(fds[1]));
  // Data before the reset are read.
  tcp_pair(family, fds);
  send_all(fds[0], "before");
  await(fds[1], POLLIN);
  OK(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
  OK(close(fds[0]));
  await(fds[1], POLLERR);
  expect(fds[1], "before");
  FAILS(recv(fds[1], &c, 1, 0), ECONNRESET);
  OK(close(fds[1]));
  l.l_linger = 5;
  tcp_pair(family, fds);
  OK(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
  send_all(fds[0], "kept");
  OK(close(fds[0]));
  expect(fds[1], "kept");
  CHECK_EQ(recv(fds[1], &c, 1, 0), 0);
  OK(close(fds[1]));
}

static void* blocked_reader(void* argument) {
  char c;
  return (void*)(long)recv(*(int*)argument, &c, 1, 0);
}

static void wakes(int family) {
  int fds[2];
  pthread_t thread;
  void* result;
  tcp_pair(family, fds);
  ZERO(pthread_create(&thread, NULL, blocked_reader, &fds[0]));
  usleep(20000);
  OK(shutdown(fds[0], SHUT_RD));
  ZERO(pthread_join(thread, &result));
  CHECK_EQ((long)result, 0);
  close_pair(fds);
  tcp_pair(family, fds);
  ZERO(pthread_create(&thread, NULL, blocked_reader, &fds[0]));
  OK(close(fds[1]));
  ZERO(pthread_join(thread, &result));
  CHECK_EQ((long)result, 0);
  OK(close(fds[0]));
}

// The port is free at once for a listener that may share it, and not before for one that may not.
static void port_again(int family) {
  int server = tcp_socket(family), fds[2];
  struct Address a = loopback(family, 0);
  OK(set_int(server, SOL_SOCKET, SO_REUSEADDR, 1));
  OK(bind(server, &a.any, a.size));
  OK(listen(server, 1));
  a = loopback(family, port_of(server));
  fds[0] = client_of(server, family);
  fds[1] = OK(accept(server, NULL, NULL));
  OK(close(server));
  server = tcp_socket(family);
  FAILS(bind(server, &a.any, a.size), EADDRINUSE);
  OK(close(fds[1]));  // this side waits
  OK(close(fds[0]));
  FAILS(bind(server, &a.any, a.size), EADDRINUSE);
  OK(set_int(server, SOL_SOCKET, SO_REUSEADDR, 1));
  OK(bind(server, &a.any, a.size));
  OK(listen(server, 1));
  int other = tcp_socket(family);
  OK(set_int(other, SOL_SOCKET, SO_REUSEADDR, 1));
  FAILS(bind(other, &a.any, a.size), EADDRINUSE);
  OK(close(other));
  OK(close(server));
}

int main(void) {
  signal(SIGPIPE, on_sigpipe);
  EACH_FAMILY(family) {
    in_order((int)family);
    half((int)family);
    unread((int)family);
    linger((int)family);
    wakes((int)family);
    port_again((int)family);
  }
  return 0;
}
