// proc_net_tcp(5), and /proc/sys/net/ipv4/tcp_*.
#include "tcp.h"

// The state in the row of a socket by its own and its peer's port; -1: there is none.
static int state_of(int family, int local, int remote) {
  FILE* f = fopen(family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6", "r");
  CHECK(f != NULL);
  char line[512], la[64], ra[64];
  int found = -1, first = 1;
  while (fgets(line, sizeof(line), f)) {
    if (first) {
      CHECK(strstr(line, "local_address") != NULL);
      first = 0;
      continue;
    }
    unsigned lp, rp, state, tx, rx;
    int n = sscanf(line, " %*d: %63[0-9A-F]:%x %63[0-9A-F]:%x %x %x:%x", la, &lp, ra, &rp, &state, &tx, &rx);
    if (n != 7) FAIL("a strange row: %s", line);
    CHECK_EQ(strlen(la), family == AF_INET ? 8 : 32);
    if ((int)lp == local && (int)rp == remote) {
      found = (int)state;
      CHECK_STR(la, family == AF_INET ? "0100007F" : "00000000000000000000000001000000");
    }
  }
  fclose(f);
  return found;
}

// Of the row of a socket: what waits to be sent, its timer and how long that has still to go, in ticks.
struct Row {
  unsigned send_queue, receive_queue, timer;
  unsigned long ticks;
};

static struct Row row_of(int family, int local, int remote) {
  FILE* f = fopen(family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6", "r");
  CHECK(f != NULL);
  char line[512];
  struct Row found = {0}, r;
  while (fgets(line, sizeof(line), f)) {
    unsigned lp, rp;
    int n = sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %*x %x:%x %x:%lx", &lp, &rp, &r.send_queue,
                   &r.receive_queue, &r.timer, &r.ticks);
    if (n == 6 && (int)lp == local && (int)rp == remote) found = r;
  }
  fclose(f);
  return found;
}

static int waiting(void) {
  FILE* f = fopen("/proc/net/sockstat", "r");
  CHECK(f != NULL);
  char line[256];
  int n = -1;
  while (fgets(line, sizeof(line), f)) sscanf(line, "TCP: inuse %*d orphan %*d tw %d", &n);
  fclose(f);
  CHECK(n >= 0);
  return n;
}

// Data that the peer does not read, behind them the FIN; and what is left of a connection that was closed.
static void queues(int family) {
  int fds[2], n;
  tcp_pair(family, fds);
  const int mine = port_of(fds[0]), other = port_of(fds[1]);
  CHECK_EQ(send(fds[0], "12345", 5, 0), 5);
  await(fds[1], POLLIN);
  CHECK_EQ(row_of(family, other, mine).receive_queue, 5);
  OK(shutdown(fds[0], SHUT_WR));
  await(fds[1], POLLRDHUP);
  for (int i = 0; state_of(family, mine, other) == TCP_FIN_WAIT1 && i < 1000; ++i) usleep(1000);
  CHECK_EQ(row_of(family, mine, other).send_queue, 0);
  OK(ioctl(fds[0], TIOCOUTQ, &n));
  CHECK_EQ(n, 0);
  char buf[8];
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), 0), 5);
  OK(close(fds[1]));
  await(fds[0], POLLHUP);
  struct Row row = row_of(family, mine, other);
  CHECK_EQ(row.send_queue, 0);
  CHECK_EQ(row.timer, 3);
  CHECK(row.ticks > 100 && row.ticks <= 6000);
  CHECK(waiting() > 0);
  OK(close(fds[0]));
}

int main(void) {
  EACH_FAMILY(family) {
    int f = (int)family, server = listener(f, 3), port = port_of(server);
    CHECK_EQ(state_of(f, port, 0), TCP_LISTEN);
    int fd = client_of(server, f), peer = OK(accept(server, NULL, NULL)), mine = port_of(fd);
    CHECK_EQ(state_of(f, mine, port), TCP_ESTABLISHED);
    CHECK_EQ(state_of(f, port, mine), TCP_ESTABLISHED);
    OK(shutdown(fd, SHUT_WR));
    await(peer, POLLRDHUP);
    CHECK_EQ(state_of(f, port, mine), TCP_CLOSE_WAIT);
    for (int i = 0; state_of(f, mine, port) == TCP_FIN_WAIT1 && i < 1000; ++i) usleep(1000);
    CHECK_EQ(state_of(f, mine, port), TCP_FIN_WAIT2);
    OK(close(peer));
    await(fd, POLLHUP);
    CHECK_EQ(state_of(f, mine, port), TCP_TIME_WAIT);
    OK(close(fd));
    CHECK_EQ(state_of(f, mine, port), TCP_TIME_WAIT);
    OK(close(server));
    CHECK_EQ(state_of(f, port, 0), -1);
    queues(f);
  }
  return 0;
}
