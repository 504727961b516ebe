// socket(7), "Signals": SIGURG and SIGIO of a TCP socket.
#include "tcp.h"

static volatile int g_urg, g_io;
static void on_urg(int signal) {
  (void)signal;
  g_urg++;
}
static void on_io(int signal) {
  (void)signal;
  g_io++;
}

static void wait_for(volatile int* count, int wanted) {
  for (int i = 0; *count < wanted && i < 10000; ++i) usleep(1000);
  if (*count < wanted) FAIL("%d signals of %d", *count, wanted);
}

static void urgent(int family) {
  int fds[2];
  char c;
  tcp_pair(family, fds);
  g_urg = 0;
  CHECK_EQ(send(fds[0], "a", 1, MSG_OOB), 1);
  await(fds[1], POLLPRI);
  CHECK_EQ(g_urg, 0);  // nobody owns it
  CHECK_EQ(recv(fds[1], &c, 1, MSG_OOB), 1);
  OK(fcntl(fds[1], F_SETOWN, getpid()));
  CHECK_EQ(fcntl(fds[1], F_GETOWN), getpid());
  CHECK_EQ(send(fds[0], "b", 1, MSG_OOB), 1);
  wait_for(&g_urg, 1);
  await(fds[1], POLLPRI);
  CHECK_EQ(recv(fds[1], &c, 1, MSG_OOB), 1);
  CHECK_EQ(c, 'b');
  send_all(fds[0], "plain");
  await(fds[1], POLLIN);
  CHECK_EQ(g_urg, 1);
  CHECK_EQ(g_io, 0);
  close_pair(fds);
}

static void readiness(int family) {
  int fds[2];
  tcp_pair(family, fds);
  g_io = 0;
  OK(fcntl(fds[1], F_SETOWN, getpid()));
  OK(fcntl(fds[1], F_SETFL, O_ASYNC | O_NONBLOCK));
  send_all(fds[0], "x");
  wait_for(&g_io, 1);
  int before = g_io;
  OK(close(fds[0]));
  wait_for(&g_io, before + 1);
  OK(fcntl(fds[1], F_SETFL, 0));
  OK(close(fds[1]));
}

static void of_listener(int family) {
  int server = listener(family, 2);
  g_io = 0;
  OK(fcntl(server, F_SETOWN, getpid()));
  OK(fcntl(server, F_SETFL, O_ASYNC));
  int fd = client_of(server, family);
  wait_for(&g_io, 1);
  OK(close(fd));
  OK(close(server));
}

int main(void) {
  signal(SIGURG, on_urg);
  EACH_FAMILY(family) {
    signal(SIGIO, on_io);
    g_io = 0;
    urgent((int)family);
    readiness((int)family);
    of_listener((int)family);
  }
  return 0;
}
