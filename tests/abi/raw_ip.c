// raw(7): protocols of one's own, IP_HDRINCL, fragments put together, headers that are wrong.
#include <netinet/ip.h>

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

int main(void) {
  net_private();
  uneven_headers();
  no_ports();
  own_protocol();
  with_header();
  return 0;
}
