// raw(7): protocols of one's own, IP_HDRINCL, fragments put together, headers that are wrong.
#include <netinet/ip.h>

#include <linux/errqueue.h>

#include "net.h"

static uint16_t checksum(const void* data, size_t size) {
  const unsigned char* p = data;
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < size; i += 2) sum += p[i] | p[i + 1] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

static void own_protocol(void) {
  int a = OK(socket(AF_INET, SOCK_RAW, 253)), b = OK(socket(AF_INET, SOCK_RAW, 253));
  struct sockaddr_in to = net_v4("127.0.0.1", 0);
  CHECK_EQ(sendto(a, "hello", 5, 0, SA(to)), 5);
  struct {
    struct iphdr ip;
    char text[16];
  } got;
  // All sockets of the protocol get it, the sender's too.
  CHECK_EQ(recv(b, &got, sizeof(got), MSG_DONTWAIT), 25);
  CHECK_EQ(got.ip.protocol, 253);
  CHECK(memcmp(got.text, "hello", 5) == 0);
  CHECK_EQ(recv(a, &got, sizeof(got), MSG_DONTWAIT), 25);
  // A name and a peer are filters.
  struct sockaddr_in other = net_v4("127.0.0.2", 0);
  OK(bind(b, SA(other)));
  CHECK_EQ(sendto(a, "one", 3, 0, SA(to)), 3);
  net_empty(b);
  CHECK_EQ(sendto(a, "two", 3, 0, SA(other)), 3);
  CHECK_EQ(recv(b, &got, sizeof(got), MSG_DONTWAIT), 23);
  FAILS(send(a, "x", 1, 0), EDESTADDRREQ);
  OK(connect(a, SA(other)));
  CHECK_EQ(send(a, "three", 5, 0), 5);
  CHECK_EQ(recv(b, &got, sizeof(got), MSG_DONTWAIT), 25);
  OK(close(a));
  OK(close(b));
}

struct datagram {
  struct iphdr ip;
  struct {
    uint16_t source, destination, length, sum;
  } udp;
  char text[64];
};

static struct datagram make(int port, int size) {
  struct datagram d = {.ip = {.version = 4, .ihl = 5, .ttl = 9, .protocol = IPPROTO_UDP}};
  d.ip.saddr = htonl(0x7f000005);
  d.ip.daddr = htonl(INADDR_LOOPBACK);
  d.ip.id = htons(4242);
  d.udp.source = htons(1);
  d.udp.destination = htons(port);
  d.udp.length = htons(8 + size);
  for (int i = 0; i < size; ++i) d.text[i] = 'a' + i % 26;
  return d;
}

static void with_header(void) {
  int raw = OK(socket(AF_INET, SOCK_RAW, IPPROTO_RAW)), fd = net_udp4("127.0.0.1", 0);
  CHECK_EQ(net_get(raw, SOL_IP, IP_HDRINCL), 1);
  net_set(fd, SOL_IP, IP_RECVTTL, 1);
  struct datagram d = make(net_port(fd), 5);
  struct sockaddr_in to = net_v4("127.0.0.1", 0);
  // The length and the checksum are filled in.
  CHECK_EQ(sendto(raw, &d, 33, 0, SA(to)), 33);
  struct NetMessage m;
  CHECK_EQ(net_recvmsg(fd, &m, MSG_DONTWAIT), 5);
  CHECK_EQ(((struct sockaddr_in*)&m.from)->sin_addr.s_addr, htonl(0x7f000005));
  CHECK_EQ(*(int*)net_cmsg(&m, SOL_IP, IP_TTL, sizeof(int)), 9);
  FAILS(sendto(raw, &d, 19, 0, SA(to)), EINVAL);
  // A header that claims to be longer than the packet.
  d.ip.ihl = 15;
  FAILS(sendto(raw, &d, 33, 0, SA(to)), EINVAL);
  d.ip.ihl = 5;
  d.udp.length = htons(200);
  CHECK_EQ(sendto(raw, &d, 33, 0, SA(to)), 33);
  net_empty(fd);
  d.udp.length = htons(7);
  CHECK_EQ(sendto(raw, &d, 33, 0, SA(to)), 33);
  net_empty(fd);
  d.udp.length = htons(13);
  d.udp.sum = 0x1234;
  CHECK_EQ(sendto(raw, &d, 33, 0, SA(to)), 33);
  net_empty(fd);

  // Fragments, in any order; one that contradicts ends them all.
  d = make(net_port(fd), 40);
  struct datagram f;
  static const int kOrder[3] = {2, 0, 1};
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3; ++i) {
      int n = kOrder[i];
      memset(&f, 0, sizeof(f));
      f.ip = d.ip;
      f.ip.id = htons(100 + round);
      f.ip.frag_off = htons((n * 2) | (n < 2 ? IP_MF : 0));
      memcpy(&f.udp, (char*)&d.udp + n * 16, 16);
      CHECK_EQ(sendto(raw, &f, 36, 0, SA(to)), 36);
      if (round == 1 && i == 0) {
        f.ip.frag_off = htons(5);
        CHECK_EQ(sendto(raw, &f, 36, 0, SA(to)), 36);
      }
    }
    char got[64];
    if (round == 0) {
      CHECK_EQ(recv(fd, got, sizeof(got), MSG_DONTWAIT), 40);
      CHECK(memcmp(got, d.text, 40) == 0);
    }
    net_empty(fd);
  }
  CHECK_EQ(checksum("\xff\xff", 2), 0);
}

// Only the first fragment has all options (RFC 791, 3.1): headers of two sizes, in either order.
static void uneven_headers(void) {
  int raw = OK(socket(AF_INET, SOCK_RAW, IPPROTO_RAW)), fd = net_udp4("127.0.0.1", 0);
  struct sockaddr_in to = net_v4("127.0.0.1", 0);
  net_set(fd, SOL_IP, IP_RECVTTL, 1);
  struct datagram d = make(net_port(fd), 40);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 2; ++i) {
      int first = (i == 0) == (round < 2), words = first == (round & 1) ? 15 : 5;
      struct {
        struct iphdr ip;
        char rest[40 + 48];
      } f;
      memset(&f, 1, sizeof(f));  // options: nothing
      f.ip = d.ip;
      f.ip.ihl = words;
      f.ip.ttl = first ? 77 : 9;
      f.ip.id = htons(200 + round);
      f.ip.frag_off = htons(first ? IP_MF : 2);
      int size = first ? 16 : 32;
      memcpy((char*)&f + words * 4, (char*)&d.udp + (first ? 0 : 16), size);
      CHECK_EQ(sendto(raw, &f, words * 4 + size, 0, SA(to)), words * 4 + size);
    }
    struct NetMessage m;
    CHECK_EQ(net_recvmsg(fd, &m, MSG_DONTWAIT), 40);
    CHECK(memcmp(m.data, d.text, 40) == 0);
    CHECK_EQ(*(int*)net_cmsg(&m, SOL_IP, IP_TTL, sizeof(int)), 77);
  }
  OK(close(raw));
  OK(close(fd));
}

// IP_RECVORIGDSTADDR of a packet that has no ports.
static void no_ports(void) {
  int a = OK(socket(AF_INET, SOCK_RAW, 253));
  net_set(a, SOL_IP, IP_RECVORIGDSTADDR, 1);
  struct sockaddr_in to = net_v4("127.0.0.1", 0);
  struct NetMessage m;
  for (int size = 0; size < 6; ++size) {
    CHECK_EQ(sendto(a, "\1\2\3\4\5\6", size, 0, SA(to)), size);
    CHECK_EQ(net_recvmsg(a, &m, MSG_DONTWAIT), 20 + size);
    struct sockaddr_in* told = net_cmsg(&m, SOL_IP, IP_ORIGDSTADDR, sizeof(*told));
    CHECK_EQ(told != NULL, size >= 4);
    if (told) CHECK_EQ(told->sin_port, htons(0x304));
  }
  OK(close(a));
}

// What ICMP says of packets that a raw socket has sent.
static void errors(void) {
  struct NetMessage m;
  struct {
    struct sock_extended_err e;
    struct sockaddr_in offender;
  } * t;
  int gone = net_udp4("127.0.0.1", 0), fd = OK(socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
  struct sockaddr_in to = net_v4("127.0.0.1", 0);
  struct datagram d = make(net_port(gone), 5);
  OK(close(gone));
  OK(bind(fd, SA(to)));
  // Not asked, not connected: nothing.
  CHECK_EQ(sendto(fd, &d.udp, 13, 0, SA(to)), 13);
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_ERROR), 0);
  // Connected: what is final.
  OK(connect(fd, SA(to)));
  CHECK_EQ(send(fd, &d.udp, 13, 0), 13);
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  while (recv(fd, &m, sizeof(m), MSG_DONTWAIT) > 0) {
  }
  // Asked for: with the header, and what is told of the message itself.
  net_set(fd, SOL_IP, IP_RECVERR, 1);
  net_set(fd, SOL_IP, IP_RECVTTL, 1);
  net_set(fd, SOL_SOCKET, SO_TIMESTAMP, 1);
  CHECK_EQ(send(fd, &d.udp, 13, 0), 13);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 13);
  CHECK(memcmp(m.data, &d.udp, 6) == 0 && memcmp(m.data + 8, "abcde", 5) == 0);
  CHECK_EQ(((struct sockaddr_in*)&m.from)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  CHECK_EQ(((struct sockaddr_in*)&m.from)->sin_port, 0);
  t = net_cmsg(&m, SOL_IP, IP_RECVERR, sizeof(*t));
  CHECK(t != NULL);
  CHECK_EQ(t->e.ee_errno, ECONNREFUSED);
  CHECK_EQ(t->e.ee_type, 3);
  CHECK_EQ(t->offender.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  CHECK_EQ(*(int*)net_cmsg(&m, SOL_IP, IP_TTL, sizeof(int)), 64);
  CHECK(net_cmsg(&m, SOL_SOCKET, SO_TIMESTAMP, 16) != NULL);
  // An error that nobody has asked for holds up no packet, but one that has its header.
  CHECK_EQ(send(fd, &d.udp, 13, 0), 13);
  CHECK_EQ(send(fd, &d.udp, 13, 0), 13);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 13);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 13);
  FAILS(net_recvmsg(fd, &m, MSG_ERRQUEUE), EAGAIN);
  CHECK_EQ(send(fd, &d.udp, 13, 0), 13);
  // A header of one's own is part of what was sent.
  net_set(fd, SOL_IP, IP_HDRINCL, 1);
  FAILS(send(fd, &d, 33, 0), ECONNREFUSED);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 13);
  CHECK_EQ(send(fd, &d, 33, 0), 33);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), -1);
  d.ip.saddr = htonl(INADDR_LOOPBACK);
  CHECK_EQ(send(fd, &d, 33, 0), 33);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 33);
  CHECK_EQ(((struct iphdr*)m.data)->ttl, 9);
  OK(close(fd));
}

static void errors6(void) {
  struct NetMessage m;
  struct {
    struct sock_extended_err e;
    struct sockaddr_in6 offender;
  } * t;
  int gone = net_udp6("::1", 0), fd = OK(socket(AF_INET6, SOCK_RAW, IPPROTO_UDP));
  struct sockaddr_in6 to = net_v6("::1", 0);
  struct datagram d = make(net_port(gone), 5);
  OK(close(gone));
  net_set(fd, SOL_IPV6, IPV6_CHECKSUM, 6);
  net_set(fd, SOL_IPV6, IPV6_RECVERR, 1);
  net_set(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
  CHECK_EQ(sendto(fd, &d.udp, 13, 0, SA(to)), 13);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 13);
  CHECK(memcmp(m.data, &d.udp, 6) == 0 && memcmp(m.data + 8, "abcde", 5) == 0);
  t = net_cmsg(&m, SOL_IPV6, IPV6_RECVERR, sizeof(*t));
  CHECK(t != NULL);
  CHECK_EQ(t->e.ee_errno, ECONNREFUSED);
  CHECK_EQ(t->e.ee_origin, SO_EE_ORIGIN_ICMP6);
  CHECK(memcmp(&t->offender.sin6_addr, &in6addr_loopback, 16) == 0);
  CHECK_EQ(*(int*)net_cmsg(&m, SOL_IPV6, IPV6_HOPLIMIT, sizeof(int)), 64);
  OK(close(fd));
}

// How much of a packet is quoted to a ping socket, and in a way that ends nothing: by a message of our own making.
static void ping_errors(void) {
  struct NetMessage m;
  int range = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
  if (range >= 0) {
    write(range, "0 2147483647", 12);
    close(range);
  }
  int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  if (fd < 0) return;  // not for our group
  struct {
    unsigned char type, code;
    uint16_t sum, id, sequence;
    struct iphdr ip;
    unsigned char quoted[20];
  } error = {.type = 11};
  struct sockaddr_in to = net_v4("127.0.0.1", 0);
  OK(connect(fd, SA(to)));
  net_set(fd, SOL_IP, IP_RECVERR, 1);
  unsigned char ping[20] = {8};
  CHECK_EQ(send(fd, ping, sizeof(ping), 0), sizeof(ping));
  int id = net_port(fd);
  error.ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 1, .protocol = IPPROTO_ICMP, .tot_len = htons(40)};
  error.ip.saddr = error.ip.daddr = htonl(INADDR_LOOPBACK);
  error.quoted[0] = 8;
  error.quoted[4] = id >> 8;
  error.quoted[5] = id;
  error.sum = checksum(&error, sizeof(error));
  int raw = OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  CHECK_EQ(sendto(raw, &error, sizeof(error), 0, SA(to)), sizeof(error));
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 20);
  CHECK_EQ(m.data[0], 8);
  OK(close(raw));
  OK(close(fd));
}

int main(void) {
  net_private();
  uneven_headers();
  no_ports();
  own_protocol();
  with_header();
  errors();
  errors6();
  ping_errors();
  return 0;
}
