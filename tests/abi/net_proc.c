// /proc/net (proc(5)): devices, addresses, sockets, counters.
#include "net.h"

static char g_text[65536];
static char* file(const char* name) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/net/%s", name);
  abi_get(path, g_text, sizeof(g_text));
  return g_text;
}

static long counter(const char* line, const char* name) {
  // The line of names, then the line of values.
  char *names = strstr(file("snmp"), line), *values = strstr(names + 1, line);
  char *save1, *save2;
  *strchr(names, '\n') = 0;
  *strchr(values, '\n') = 0;
  char *n = strtok_r(names, " ", &save1), *v = strtok_r(values, " ", &save2);
  while (n && v && strcmp(n, name) != 0) n = strtok_r(NULL, " ", &save1), v = strtok_r(NULL, " ", &save2);
  CHECK(n && v);
  return atol(v);
}

int main(void) {
  net_private();
  CHECK(strstr(file("dev"), "    lo: ") != NULL);
  CHECK(strstr(file("if_inet6"), "00000000000000000000000000000001 01 80 10 80       lo\n") != NULL);
  CHECK(strncmp(file("route"), "Iface\tDestination\tGateway ", 26) == 0);
  CHECK(strncmp(file("arp"), "IP address ", 11) == 0);
  int fd = net_udp4("127.0.0.1", 0), peer = OK(socket(AF_INET, SOCK_DGRAM, 0));
  char row[256];
  struct stat st;
  OK(fstat(fd, &st));
  snprintf(row, sizeof(row),
           ": 0100007F:%04X 00000000:0000 07 00000000:00000000 00:00000000 "
           "00000000     0        0 %lu ",
           net_port(fd), (unsigned long)st.st_ino);
  CHECK(strstr(file("udp"), row) != NULL);
  struct sockaddr_in a = net_v4("127.0.0.1", net_port(fd));
  OK(connect(peer, SA(a)));
  snprintf(row, sizeof(row), ": 0100007F:%04X 0100007F:%04X 01 ", net_port(peer), net_port(fd));
  CHECK(strstr(file("udp"), row) != NULL);
  // All rows are of one width.
  for (char *line = file("udp"), *end; (end = strchr(line, '\n')); line = end + 1) CHECK_EQ(end - line, 127);
  int six = net_udp6("::1", 0);
  snprintf(row, sizeof(row),
           ": 00000000000000000000000001000000:%04X "
           "00000000000000000000000000000000:0000 07 ",
           net_port(six));
  CHECK(strstr(file("udp6"), row) != NULL);
  OK(close(six));
  CHECK(strstr(file("udp6"), row) == NULL);
  int raw = OK(socket(AF_INET, SOCK_RAW, 253));
  CHECK(strstr(file("raw"), ": 00000000:00FD 00000000:0000 07 ") != NULL);
  OK(close(raw));

  long sent = counter("Udp: ", "OutDatagrams"), got = counter("Udp: ", "InDatagrams"),
       lost = counter("Udp: ", "NoPorts");
  CHECK_EQ(write(peer, "x", 1), 1);
  net_expect(fd, "x");
  CHECK_EQ(counter("Udp: ", "OutDatagrams"), sent + 1);
  CHECK_EQ(counter("Udp: ", "InDatagrams"), got + 1);
  long icmp = counter("Icmp: ", "OutDestUnreachs");
  OK(close(fd));
  CHECK_EQ(write(peer, "x", 1), 1);
  CHECK_EQ(counter("Udp: ", "NoPorts"), lost + 1);
  CHECK_EQ(counter("Icmp: ", "OutDestUnreachs"), icmp + 1);
  CHECK_EQ(counter("Ip: ", "DefaultTTL"), 64);
  CHECK(strstr(file("sockstat"), "UDP: inuse 1 mem") != NULL);
  CHECK(strstr(file("snmp6"), "Udp6InDatagrams") != NULL);
  return 0;
}
