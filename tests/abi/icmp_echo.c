// ICMP echo by raw sockets (raw(7)) and by ping sockets (icmp(7)); ICMP_FILTER; ICMPv6 checksums.
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#include "net.h"

static uint16_t checksum(const void* data, size_t size) {
  const unsigned char* p = data;
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < size; i += 2) sum += p[i] | p[i + 1] << 8;
  if (size & 1) sum += p[size - 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

struct echo {
  unsigned char type, code;
  uint16_t sum, id, sequence;
  char text[24];
};

static void raw4(void) {
  int fd = OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  uint32_t only_replies = ~(1u << ICMP_ECHOREPLY);
  OK(setsockopt(fd, SOL_RAW, 1 /* ICMP_FILTER */, &only_replies, sizeof(only_replies)));
  struct echo e = {ICMP_ECHO, 0, 0, htons(77), htons(5), "are you there?"};
  e.sum = checksum(&e, sizeof(e));
  struct sockaddr_in a = net_v4("127.0.0.1", 0), from;
  CHECK_EQ(sendto(fd, &e, sizeof(e), 0, SA(a)), sizeof(e));
  struct {
    struct iphdr ip;
    struct echo e;
  } got;
  socklen_t size = sizeof(from);
  CHECK_EQ(recvfrom(fd, &got, sizeof(got), MSG_DONTWAIT, (struct sockaddr*)&from, &size), sizeof(got));
  CHECK_EQ(got.ip.version, 4);
  CHECK_EQ(got.ip.protocol, IPPROTO_ICMP);
  CHECK_EQ(ntohs(got.ip.tot_len), sizeof(got));
  CHECK_EQ(checksum(&got.ip, 20), 0);
  CHECK_EQ(checksum(&got.e, sizeof(got.e)), 0);
  CHECK_EQ(got.e.type, ICMP_ECHOREPLY);
  CHECK_EQ(got.e.id, e.id);
  CHECK_STR(got.e.text, e.text);
  CHECK_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  CHECK_EQ(from.sin_port, 0);
  net_empty(fd);
  // A wrong checksum gets no answer.
  e.sum ^= 1;
  CHECK_EQ(sendto(fd, &e, sizeof(e), 0, SA(a)), sizeof(e));
  net_empty(fd);
  OK(close(fd));
}

static void raw6(void) {
  int fd = OK(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
  struct icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  OK(setsockopt(fd, SOL_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)));
  // The kernel fills the checksum in.
  struct echo e = {ICMP6_ECHO_REQUEST, 0, 0, htons(78), htons(6), "and you?"}, got;
  struct sockaddr_in6 a = net_v6("::1", 0);
  CHECK_EQ(sendto(fd, &e, sizeof(e), 0, SA(a)), sizeof(e));
  CHECK_EQ(recv(fd, &got, sizeof(got), MSG_DONTWAIT), sizeof(got));
  CHECK_EQ(got.type, ICMP6_ECHO_REPLY);
  CHECK_EQ(got.id, e.id);
  CHECK_STR(got.text, e.text);
  int value = 3;
  FAILS(setsockopt(fd, SOL_RAW, IPV6_CHECKSUM, &value, sizeof(value)), EINVAL);
  OK(close(fd));
}

static void ping(void) {
  int range = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
  if (range >= 0) {
    write(range, "0 2147483647", 12);
    close(range);
  }
  int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  if (fd < 0) {
    CHECK_EQ(errno, EACCES);
    return;
  }
  struct echo e = {ICMP_ECHO, 0, 0, 0, htons(7), "ping"}, got;
  struct sockaddr_in a = net_v4("127.0.0.1", 0);
  FAILS(sendto(fd, &e, 4, 0, SA(a)), EINVAL);
  CHECK_EQ(sendto(fd, &e, sizeof(e), 0, SA(a)), sizeof(e));
  CHECK_EQ(recv(fd, &got, sizeof(got), MSG_DONTWAIT), sizeof(got));
  CHECK_EQ(got.type, ICMP_ECHOREPLY);
  CHECK_EQ(ntohs(got.id), net_port(fd));
  CHECK_STR(got.text, "ping");
  e.type = ICMP_ECHOREPLY;
  FAILS(sendto(fd, &e, sizeof(e), 0, SA(a)), EINVAL);
  OK(close(fd));
  fd = OK(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6));
  struct sockaddr_in6 a6 = net_v6("::1", 0);
  e.type = ICMP6_ECHO_REQUEST;
  CHECK_EQ(sendto(fd, &e, sizeof(e), 0, SA(a6)), sizeof(e));
  CHECK_EQ(recv(fd, &got, sizeof(got), MSG_DONTWAIT), sizeof(got));
  CHECK_EQ(got.type, ICMP6_ECHO_REPLY);
  OK(close(fd));
}

int main(void) {
  net_private();
  raw4();
  raw6();
  ping();
  return 0;
}
