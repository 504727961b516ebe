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
  }
  return 0;
}
