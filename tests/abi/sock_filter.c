// Filters of sockets: what they refuse, what they let through and cut, on every kind of socket that has them.
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>

#include <stddef.h>

#include "tcp.h"

#define PROGRAM(...)                               \
  struct sock_filter code[] = {__VA_ARGS__};       \
  struct sock_fprog program = {                    \
      .len = sizeof(code) / sizeof(code[0]),       \
      .filter = code,                              \
  }

static int attach(int fd, struct sock_fprog* program) {
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, sizeof(*program));
}

static void refused(int fd, struct sock_filter* code, size_t n) {
  struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
  FAILS(attach(fd, &program), EINVAL);
}
#define REFUSED(...)                               \
  do {                                             \
    struct sock_filter bad[] = {__VA_ARGS__};      \
    refused(fd, bad, sizeof(bad) / sizeof(bad[0])); \
  } while (0)
#define ALL BPF_STMT(BPF_RET | BPF_K, 0xffffffff)

static void programs(void) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  REFUSED(BPF_STMT(BPF_LD | BPF_IMM, 1));                                             // no end
  REFUSED(BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), ALL);                                  // past the end
  REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 3), ALL);                                        // nobody wrote it
  REFUSED(BPF_STMT(BPF_ST, 16), ALL);                                                 // no such word
  REFUSED(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALL);
  REFUSED(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), ALL);
  REFUSED(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ALL);
  REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_AD_OFF + 2), ALL);         // nothing there
  REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_MAX), ALL);
  REFUSED(BPF_STMT(BPF_LDX | BPF_W | BPF_ABS, 0), ALL);
  REFUSED(BPF_STMT(0xffff, 0), ALL);
  struct sock_fprog empty = {.len = 0, .filter = NULL}, nowhere = {.len = 1, .filter = (void*)8};
  FAILS(attach(fd, &empty), EINVAL);
  FAILS(attach(fd, &nowhere), EFAULT);
  FAILS(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &empty, sizeof(empty) - 1), EINVAL);
  int zero = 0, one = 1;
  FAILS(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof(zero)), ENOENT);

  PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0));
  socklen_t size = 0;
  OK(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &size));
  CHECK_EQ(size, 0);
  OK(attach(fd, &program));
  OK(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &size));
  CHECK_EQ(size, 2);
  struct sock_filter back[2];
  size = 1;
  FAILS(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, back, &size), EINVAL);
  size = 2;
  OK(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, back, &size));
  CHECK_EQ(size, 2);
  CHECK_EQ(memcmp(back, code, sizeof(back)), 0);
  // Another takes its place; locked, nobody changes it.
  {
    struct sock_filter all[] = {ALL};
    struct sock_fprog any = {.len = 1, .filter = all};
    OK(attach(fd, &any));
    OK(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one)));
    FAILS(attach(fd, &any), EPERM);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof(zero)), EPERM);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &zero, sizeof(zero)), EPERM);
  }
  OK(close(fd));
}

// Datagrams: a program sees the header of UDP in front of the data.
static void udp(int family) {
  int to = OK(socket(family, SOCK_DGRAM, 0)), from = OK(socket(family, SOCK_DGRAM, 0));
  struct Address a = loopback(family, 0);
  OK(bind(to, &a.any, a.size));
  OK(getsockname(to, &a.any, &a.size));
  OK(connect(from, &a.any, a.size));
  char buf[64];
  {
    // Those that begin with 'k', six bytes of them, if a port's number says so.
    PROGRAM(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'k', 0, 3),
            BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 2),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)port_of(to), 0, 1), BPF_STMT(BPF_RET | BPF_K, 14),
            BPF_STMT(BPF_RET | BPF_K, 0));
    OK(attach(to, &program));
  }
  CHECK_EQ(send(from, "drop this", 9, 0), 9);
  CHECK_EQ(send(from, "keep this", 9, 0), 9);
  CHECK_EQ(send(from, "kurz", 4, 0), 4);
  await(to, POLLIN);
  CHECK_EQ(recv(to, buf, sizeof(buf), 0), 6);
  CHECK_EQ(memcmp(buf, "keep t", 6), 0);
  CHECK_EQ(recv(to, buf, sizeof(buf), 0), 4);
  FAILS(recv(to, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  {
    // Never less than the header.
    PROGRAM(BPF_STMT(BPF_RET | BPF_K, 1));
    OK(attach(to, &program));
  }
  CHECK_EQ(send(from, "nothing of it", 13, 0), 13);
  await(to, POLLIN);
  CHECK_EQ(recv(to, buf, sizeof(buf), 0), 0);
  {
    // The network header, the interface, arithmetic; a load past the end ends with nothing.
    PROGRAM(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (unsigned)SKF_NET_OFF), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, family == AF_INET ? 4 : 6, 0, 10),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_IFINDEX),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, if_nametoindex("lo"), 0, 8),
            BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_PROTOCOL),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6, 0, 6),
            BPF_STMT(BPF_LDX | BPF_IMM, 3), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 5),
            BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 10), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'x' % 10, 0, 2),
            BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), BPF_STMT(BPF_RET | BPF_K, 0xffff),
            BPF_STMT(BPF_RET | BPF_K, 0));
    OK(attach(to, &program));
  }
  CHECK_EQ(send(from, "x too", 3, 0), 3);  // too short
  CHECK_EQ(send(from, "y is not", 8, 0), 8);
  CHECK_EQ(send(from, "x is it", 7, 0), 7);
  await(to, POLLIN);
  CHECK_EQ(recv(to, buf, sizeof(buf), 0), 7);
  FAILS(recv(to, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  OK(setsockopt(to, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int)));
  CHECK_EQ(send(from, "any", 3, 0), 3);
  await(to, POLLIN);
  CHECK_EQ(recv(to, buf, sizeof(buf), 0), 3);
  OK(close(to));
  OK(close(from));
}

// A listener's filter is its connections', and applies to SYNs.
static void tcp(int family) {
  int server = listener(family, 4);
  {
    PROGRAM(BPF_STMT(BPF_RET | BPF_K, 0));
    // Newer kernels want CAP_NET_ADMIN for it.
    if (attach(server, &program) < 0 && errno == EPERM) {
      OK(close(server));
      return;
    }
    OK(attach(server, &program));
  }
  int fd = tcp_socket(family);
  struct Address a = loopback(family, port_of(server));
  OK(fcntl(fd, F_SETFL, O_NONBLOCK));
  FAILS(connect(fd, &a.any, a.size), EINPROGRESS);
  CHECK_EQ(poll_now(fd, POLLOUT, 100), 0);
  OK(close(fd));
  {
    // Segments with data only if these begin with 'a'; the offset of the data says where.
    PROGRAM(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
            BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x3c), BPF_STMT(BPF_MISC | BPF_TAX, 0),
            BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 0, 2),
            BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'b', 1, 0), ALL,
            BPF_STMT(BPF_RET | BPF_K, 0));
    OK(attach(server, &program));
  }
  fd = tcp_socket(family);
  OK(connect(fd, &a.any, a.size));
  int peer = OK(accept(server, NULL, NULL));
  char buf[8];
  CHECK_EQ(send(fd, "abc", 3, 0), 3);
  await(peer, POLLIN);
  CHECK_EQ(recv(peer, buf, sizeof(buf), 0), 3);
  CHECK_EQ(send(fd, "bcd", 3, 0), 3);
  CHECK_EQ(poll_now(peer, POLLIN, 50), 0);
  // Without the filter it comes with the next attempt.
  OK(setsockopt(peer, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int)));
  await(peer, POLLIN);
  CHECK_EQ(recv(peer, buf, sizeof(buf), 0), 3);
  OK(close(peer));
  OK(close(fd));
  OK(close(server));
}

static void unix_sockets(int type) {
  int fds[2];
  char buf[8];
  OK(socketpair(AF_UNIX, type, 0, fds));
  PROGRAM(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'n', 0, 1),
          BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 3));
  OK(attach(fds[1], &program));
  CHECK_EQ(send(fds[0], "no", 2, 0), 2);
  CHECK_EQ(send(fds[0], "yes sir", 7, 0), 7);
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), 0), 3);
  CHECK_EQ(memcmp(buf, "yes", 3), 0);
  FAILS(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  OK(close(fds[0]));
  OK(close(fds[1]));
}

static void netlink(void) {
  int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  struct {
    struct nlmsghdr header;
    struct rtgenmsg message;
  } ask = {{sizeof(ask), RTM_NEWLINK + 2000, NLM_F_REQUEST | NLM_F_ACK, 7, 0}, {AF_UNSPEC}};
  char buf[512];
  CHECK_EQ(send(fd, &ask, sizeof(ask), 0), sizeof(ask));
  CHECK(OK(recv(fd, buf, sizeof(buf), 0)) >= (ssize_t)sizeof(struct nlmsghdr));
  // Errors are not wanted.
  PROGRAM(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(NLMSG_ERROR), 0, 1), BPF_STMT(BPF_RET | BPF_K, 0), ALL);
  OK(attach(fd, &program));
  CHECK_EQ(send(fd, &ask, sizeof(ask), 0), sizeof(ask));
  FAILS(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  OK(close(fd));
}

// Packet sockets: what tcpdump does.
static void packets(int type) {
  int tap = socket(AF_PACKET, type, htons(ETH_P_ALL));
  if (tap < 0) {
    CHECK_EQ(errno, EPERM);
    return;
  }
  struct sockaddr_ll lo = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex("lo")};
  const unsigned front = type == SOCK_RAW ? ETHER_HDR_LEN : 0;
  {
    // UDP to us that begins with 'q', as it comes in: the link and the network header and five bytes.
    PROGRAM(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_PROTOCOL),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 8),
            BPF_STMT(BPF_LD | BPF_B | BPF_ABS, front + 9), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
            BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, front), BPF_STMT(BPF_LD | BPF_B | BPF_IND, front + 8),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'q', 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_PKTTYPE),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 1, 0),
            BPF_STMT(BPF_RET | BPF_K, front + 28 + 5), BPF_STMT(BPF_RET | BPF_K, 0));
    OK(attach(tap, &program));
  }
  OK(bind(tap, (struct sockaddr*)&lo, sizeof(lo)));
  OK(set_int(tap, SOL_PACKET, PACKET_AUXDATA, 1));
  int to = OK(socket(AF_INET, SOCK_DGRAM, 0)), from = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct Address a = loopback(AF_INET, 0);
  OK(bind(to, &a.any, a.size));
  OK(getsockname(to, &a.any, &a.size));
  CHECK_EQ(sendto(from, "other", 5, 0, &a.any, a.size), 5);
  CHECK_EQ(sendto(from, "quite long", 10, 0, &a.any, a.size), 10);
  await(tap, POLLIN);
  char buf[128], control[128];
  struct iovec iov = {buf, sizeof(buf)};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  CHECK_EQ(recvmsg(tap, &message, 0), front + 28 + 5);
  CHECK_EQ(memcmp(buf + front + 28, "quite", 5), 0);
  struct cmsghdr* c = CMSG_FIRSTHDR(&message);
  CHECK(c && c->cmsg_type == PACKET_AUXDATA);
  struct tpacket_auxdata aux;
  memcpy(&aux, CMSG_DATA(c), sizeof(aux));
  CHECK_EQ(aux.tp_len, front + 28 + 10);
  CHECK_EQ(aux.tp_snaplen, front + 28 + 5);
  FAILS(recv(tap, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  OK(close(tap));
  OK(close(to));
  OK(close(from));
}

int main(void) {
  programs();
  EACH_FAMILY(family) {
    udp((int)family);
    tcp((int)family);
  }
  unix_sockets(SOCK_DGRAM);
  unix_sockets(SOCK_SEQPACKET);
  netlink();
  packets(SOCK_RAW);
  packets(SOCK_DGRAM);
  return 0;
}
