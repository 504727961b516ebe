// sendmmsg(2), recvmmsg(2), MSG_MORE, UDP_CORK, UDP_SEGMENT.
#include <netinet/udp.h>

#include "net.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static void many(void) {
  int fd = net_udp4("127.0.0.1", 0), from = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = net_v4("127.0.0.1", net_port(fd)), bad = net_v4("127.0.0.1", 0);
  struct mmsghdr out[4] = {0}, in[6] = {0};
  struct iovec pieces[4], rooms[6];
  static const char* const kText[] = {"one", "two", "three", "four"};
  for (int i = 0; i < 4; ++i) {
    pieces[i] = (struct iovec){(void*)kText[i], strlen(kText[i])};
    out[i].msg_hdr = (struct msghdr){&a, sizeof(a), &pieces[i], 1, NULL, 0, 0};
  }
  char got[6][16];
  struct sockaddr_in senders[6];
  for (int i = 0; i < 6; ++i) {
    rooms[i] = (struct iovec){got[i], sizeof(got[i])};
    in[i].msg_hdr = (struct msghdr){&senders[i], sizeof(senders[i]), &rooms[i], 1, NULL, 0, 0};
  }
  CHECK_EQ(sendmmsg(from, out, 4, 0), 4);
  CHECK_EQ(out[2].msg_len, 5);
  CHECK_EQ(recvmmsg(fd, in, 6, MSG_DONTWAIT, NULL), 4);
  for (int i = 0; i < 4; ++i) {
    CHECK_EQ(in[i].msg_len, strlen(kText[i]));
    CHECK(memcmp(got[i], kText[i], in[i].msg_len) == 0);
    CHECK_EQ(ntohs(senders[i].sin_port), net_port(from));
  }
  FAILS(recvmmsg(fd, in, 6, MSG_DONTWAIT, NULL), EAGAIN);
  // What went out before the bad one counts.
  out[2].msg_hdr.msg_name = &bad;
  CHECK_EQ(sendmmsg(from, out, 4, 0), 2);
  FAILS(sendmmsg(from, out + 2, 1, 0), EINVAL);
  CHECK_EQ(recvmmsg(fd, in, 6, MSG_WAITFORONE, NULL), 2);
}

static void corked(void) {
  int fd = net_udp4("127.0.0.1", 0), from = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = net_v4("127.0.0.1", net_port(fd));
  OK(connect(from, SA(a)));
  CHECK_EQ(send(from, "one ", 4, MSG_MORE), 4);
  net_empty(fd);
  CHECK_EQ(send(from, "two ", 4, MSG_MORE), 4);
  CHECK_EQ(send(from, "three", 5, 0), 5);
  net_expect(fd, "one two three");
  net_set(from, SOL_UDP, UDP_CORK, 1);
  CHECK_EQ(net_get(from, SOL_UDP, UDP_CORK), 1);
  CHECK_EQ(write(from, "a", 1), 1);
  CHECK_EQ(write(from, "b", 1), 1);
  net_empty(fd);
  net_set(from, SOL_UDP, UDP_CORK, 0);
  net_expect(fd, "ab");
  CHECK_EQ(write(from, "c", 1), 1);
  net_expect(fd, "c");
}

static void segments(void) {
  int fd = net_udp4("127.0.0.1", 0), from = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = net_v4("127.0.0.1", net_port(fd));
  net_set(from, SOL_UDP, UDP_SEGMENT, 4);
  CHECK_EQ(net_get(from, SOL_UDP, UDP_SEGMENT), 4);
  CHECK_EQ(sendto(from, "abcdefghij", 10, 0, SA(a)), 10);
  net_expect(fd, "abcd");
  net_expect(fd, "efgh");
  net_expect(fd, "ij");
  net_set(from, SOL_UDP, UDP_SEGMENT, 0);
  uint16_t size = 5;
  CHECK_EQ(net_sendmsg(from, SA(a), "abcdefghij", SOL_UDP, UDP_SEGMENT, &size, sizeof(size)), 10);
  net_expect(fd, "abcde");
  net_expect(fd, "fghij");
  net_empty(fd);
  int value = -1;
  FAILS(setsockopt(from, SOL_UDP, UDP_SEGMENT, &value, sizeof(value)), EINVAL);
  FAILS(setsockopt(from, SOL_UDP, 77, &value, sizeof(value)), ENOPROTOOPT);
}

int main(void) {
  net_private();
  many();
  corked();
  segments();
  return 0;
}
