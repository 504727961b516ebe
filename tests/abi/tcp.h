// What the programs about TCP share: addresses of loopback, listeners, connected pairs; both families.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "abi.h"

static const int kFamilies[] = {AF_INET, AF_INET6};
#define EACH_FAMILY(f) \
  for (size_t f##_i = 0, f = AF_INET; f##_i < 2 && (f = (size_t)kFamilies[f##_i], 1); ++f##_i)

struct Address {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  };
  socklen_t size;
};

static inline struct Address loopback(int family, int port) {
  struct Address a;
  memset(&a, 0, sizeof(a));
  a.any.sa_family = (sa_family_t)family;
  if (family == AF_INET) {
    a.v4.sin_port = htons((uint16_t)port);
    a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.size = sizeof(a.v4);
  } else {
    a.v6.sin6_port = htons((uint16_t)port);
    a.v6.sin6_addr = in6addr_loopback;
    a.size = sizeof(a.v6);
  }
  return a;
}

static inline int tcp_socket(int family) { return OK(socket(family, SOCK_STREAM, 0)); }

static inline int port_of(int fd) {
  struct Address a;
  a.size = sizeof(a.v6);
  OK(getsockname(fd, &a.any, &a.size));
  return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

// A listener on a port of its own.
static inline int listener(int family, int backlog) {
  int fd = tcp_socket(family);
  struct Address a = loopback(family, 0);
  OK(bind(fd, &a.any, a.size));
  OK(listen(fd, backlog));
  return fd;
}

static inline int client_of(int server, int family) {
  int fd = tcp_socket(family);
  struct Address a = loopback(family, port_of(server));
  OK(connect(fd, &a.any, a.size));
  return fd;
}

// A connection: fds[0] connected, fds[1] accepted.
static inline void tcp_pair(int family, int fds[2]) {
  int server = listener(family, 5);
  fds[0] = client_of(server, family);
  fds[1] = OK(accept(server, NULL, NULL));
  OK(close(server));
}

static inline void close_pair(int fds[2]) {
  OK(close(fds[0]));
  OK(close(fds[1]));
}

static inline int int_option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  OK(getsockopt(fd, level, name, &value, &size));
  return value;
}

static inline int set_int(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value));
}

// What poll(2) says after at most `ms`.
static inline int poll_now(int fd, short events, int ms) {
  struct pollfd p = {fd, events, 0};
  OK(poll(&p, 1, ms));
  return p.revents;
}

// Waits until `fd` has these events.
static inline void await(int fd, short events) {
  int got = poll_now(fd, events, 20000);
  if (!(got & events)) FAIL("waited for events 0x%x, got 0x%x", events, got);
}

static inline void send_all(int fd, const char* text) {
  CHECK_EQ(send(fd, text, strlen(text), 0), strlen(text));
}

static inline void expect(int fd, const char* text) {
  char buf[256] = {0};
  CHECK_EQ(recv(fd, buf, strlen(text), MSG_WAITALL), strlen(text));
  CHECK_STR(buf, text);
}
