// What the programs on Internet sockets share.
#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "abi.h"

// A network namespace of our own with lo up, where that is allowed: on Linux as root. A sandbox has its own
// anyway.
static inline void net_private(void) {
  if (unshare(CLONE_NEWNET) != 0) return;
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ifreq r = {.ifr_name = "lo"};
  OK(ioctl(fd, SIOCGIFFLAGS, &r));
  r.ifr_flags |= IFF_UP;
  OK(ioctl(fd, SIOCSIFFLAGS, &r));
  OK(close(fd));
}

// A proc at ./proc that nothing makes read-only, in a mount namespace of our own; sys at ./sys of the network
// namespace that we are in.
static inline void net_own_proc(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  OK(mkdir("proc", 0755));
  OK(mkdir("sys", 0755));
  OK(mount("proc", "proc", "proc", 0, NULL));
  OK(mount("sysfs", "sys", "sysfs", 0, NULL));
}
static inline void net_no_proc(void) {
  OK(umount2("proc", MNT_DETACH));
  OK(umount2("sys", MNT_DETACH));
  OK(rmdir("proc"));
  OK(rmdir("sys"));
}

static inline struct sockaddr_in net_v4(const char* text, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  CHECK_EQ(inet_pton(AF_INET, text, &a.sin_addr), 1);
  return a;
}

static inline struct sockaddr_in6 net_v6(const char* text, int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  CHECK_EQ(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
  return a;
}

#define SA(a) ((struct sockaddr*)&(a)), (socklen_t)sizeof(a)

static inline int net_port(int fd) {
  struct sockaddr_storage a;
  socklen_t size = sizeof(a);
  OK(getsockname(fd, (struct sockaddr*)&a, &size));
  return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in*)&a)->sin_port
                                      : ((struct sockaddr_in6*)&a)->sin6_port);
}

// A UDP socket at this address, port 0: any.
static inline int net_udp4(const char* text, int port) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = net_v4(text, port);
  OK(bind(fd, SA(a)));
  return fd;
}
static inline int net_udp6(const char* text, int port) {
  int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  struct sockaddr_in6 a = net_v6(text, port);
  OK(bind(fd, SA(a)));
  return fd;
}

static inline void net_send4(int fd, const char* text, const char* to, int port) {
  struct sockaddr_in a = net_v4(to, port);
  CHECK_EQ(sendto(fd, text, strlen(text), 0, SA(a)), strlen(text));
}

// The next datagram is this text, and it is there already.
static inline void net_expect(int fd, const char* text) {
  char got[512];
  ssize_t n = OK(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT));
  got[n] = 0;
  CHECK_STR(got, text);
}
static inline void net_empty(int fd) {
  char c;
  FAILS(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
}

static inline void net_set(int fd, int level, int name, int value) {
  OK(setsockopt(fd, level, name, &value, sizeof(value)));
}
static inline int net_get(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  OK(getsockopt(fd, level, name, &value, &size));
  return value;
}

// One recvmsg(2) with ancillary data; net_cmsg() finds an item of it.
struct NetMessage {
  struct msghdr header;
  struct iovec iov;
  struct sockaddr_storage from;
  char data[2048];
  char control[512] __attribute__((aligned(8)));
};
static inline ssize_t net_recvmsg(int fd, struct NetMessage* m, int flags) {
  memset(m, 0, sizeof(*m));
  m->iov = (struct iovec){m->data, sizeof(m->data)};
  m->header = (struct msghdr){&m->from, sizeof(m->from), &m->iov, 1, m->control, sizeof(m->control), 0};
  return recvmsg(fd, &m->header, flags);
}
static inline void* net_cmsg(struct NetMessage* m, int level, int type, size_t size) {
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&m->header); c; c = CMSG_NXTHDR(&m->header, c)) {
    if (c->cmsg_level != level || c->cmsg_type != type) continue;
    CHECK_EQ(c->cmsg_len, CMSG_LEN(size));
    return CMSG_DATA(c);
  }
  return NULL;
}

// sendmsg(2) with one ancillary item.
static inline ssize_t net_sendmsg(int fd, struct sockaddr* to, socklen_t to_size, const char* text, int level,
                                  int type, const void* value, size_t size) {
  char control[128] __attribute__((aligned(8))) = {0};
  struct iovec iov = {(void*)text, strlen(text)};
  struct msghdr m = {to, to_size, &iov, 1, control, CMSG_SPACE(size), 0};
  struct cmsghdr* c = CMSG_FIRSTHDR(&m);
  *c = (struct cmsghdr){CMSG_LEN(size), level, type};
  memcpy(CMSG_DATA(c), value, size);
  return sendmsg(fd, &m, 0);
}
