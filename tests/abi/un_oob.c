// MSG_OOB on AF_UNIX streams: the last byte of a send is urgent (Linux 5.15, CONFIG_AF_UNIX_OOB; as since 6.11).
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "abi.h"

#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif

static int a, b;

static void fresh(void) {
  int pair[2];
  if (a) close(a), close(b);
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  a = pair[0], b = pair[1];
}

static void put(const char* text, int flags) { CHECK_EQ(send(a, text, strlen(text), flags), (long)strlen(text)); }

static void got(const char* want, size_t size, int flags) {
  char text[64] = "";
  ssize_t n = recv(b, text, size, flags | MSG_DONTWAIT);
  if (n < 0) FAIL("recv of \"%s\"", want);
  text[n] = 0;
  CHECK_STR(text, want);
}

static void nothing(int flags, int error) {
  char text[64];
  FAILS(recv(b, text, sizeof(text), flags | MSG_DONTWAIT), error);
}

static int at_mark(void) {
  int n = -1;
  OK(ioctl(b, SIOCATMARK, &n));
  return n;
}

static short events(void) {
  struct pollfd p = {b, POLLIN | POLLPRI, 0};
  OK(poll(&p, 1, 0));
  return p.revents;
}

static void basics(void) {
  fresh();
  CHECK_EQ(events(), 0);
  CHECK_EQ(at_mark(), 0);
  nothing(MSG_OOB, EINVAL);
  put("hello", MSG_OOB);
  CHECK_EQ(events(), POLLIN | POLLPRI);
  CHECK_EQ(at_mark(), 0);
  got("o", 10, MSG_OOB | MSG_PEEK);
  got("hell", 10, 0);  // not beyond the mark
  CHECK_EQ(at_mark(), 1);
  CHECK_EQ(events(), POLLIN | POLLPRI);
  got("o", 10, MSG_OOB);
  nothing(MSG_OOB, EINVAL);
  CHECK_EQ(events() & POLLPRI, 0);
  CHECK_EQ(at_mark(), 1);
  nothing(0, EAGAIN);
  CHECK_EQ(at_mark(), 0);

  // It is told when it is taken that it is urgent.
  put("x", MSG_OOB);
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  CHECK_EQ(recvmsg(b, &message, MSG_OOB), 1);
  CHECK(message.msg_flags & MSG_OOB);
  FAILS(send(a, "", 0, MSG_OOB), EOPNOTSUPP);
  FAILS(send(a, NULL, 0, MSG_OOB), EOPNOTSUPP);
}

static void reading(void) {
  // Taken first: the rest stays in two pieces.
  fresh();
  put("ab", MSG_OOB);
  put("cd", 0);
  got("b", 1, MSG_OOB);
  char text[64] = "";
  CHECK(recv(b, text, 10, MSG_DONTWAIT) > 0);
  if (strcmp(text, "acd") == 0) return;  // until Linux 6.10, which differs in more
  CHECK_STR(text, "a");
  got("cd", 10, 0);
  nothing(0, EAGAIN);
  // Passed over: it is lost.
  put("ab", MSG_OOB);
  put("cd", 0);
  got("a", 10, 0);
  CHECK_EQ(at_mark(), 1);
  got("cd", 10, 0);
  nothing(MSG_OOB, EINVAL);
  // Alone it does not come with the others.
  put("x", MSG_OOB);
  nothing(0, EAGAIN);
  nothing(MSG_OOB, EINVAL);
  // A second one: the first is an ordinary byte again.
  put("ab", MSG_OOB);
  put("cd", MSG_OOB);
  got("abc", 10, 0);
  got("d", 1, MSG_OOB);
  nothing(0, EAGAIN);
  // Peeking.
  put("ab", MSG_OOB);
  put("cd", 0);
  got("a", 10, MSG_PEEK);
  got("a", 10, 0);
  got("cd", 10, MSG_PEEK);
  got("b", 10, MSG_OOB);
  got("cd", 10, 0);
  nothing(0, EAGAIN);
}

static void inlined(void) {
  fresh();
  int one = 1;
  OK(setsockopt(b, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)));
  put("abc", MSG_OOB);
  put("de", 0);
  CHECK_EQ(events(), POLLIN | POLLPRI);
  nothing(MSG_OOB, EINVAL);
  got("ab", 10, 0);
  CHECK_EQ(at_mark(), 1);
  got("c", 1, 0);
  CHECK_EQ(at_mark(), 0);
  got("de", 10, 0);
  put("x", MSG_OOB);
  put("y", 0);
  got("xy", 10, 0);
}

static volatile int g_urgent;
static void on_urgent(int signal) {
  (void)signal;
  g_urgent++;
}

static void signals(void) {
  fresh();
  abi_handle(SIGURG, on_urgent, 0);
  OK(fcntl(b, F_SETOWN, getpid()));
  put("no", 0);
  CHECK_EQ(g_urgent, 0);
  put("yes", MSG_OOB);
  CHECK_EQ(g_urgent, 1);
  // The reader is woken for it.
  fresh();
  int status;
  pid_t child = FORK({
    struct pollfd p = {b, POLLPRI, 0};
    CHECK_EQ(poll(&p, 1, 20000), 1);
    CHECK_EQ(p.revents, POLLPRI);
    char byte;
    CHECK_EQ(recv(b, &byte, 1, MSG_OOB), 1);
    CHECK_EQ(byte, '!');
  });
  abi_await_state(child, 'S');
  put("!", MSG_OOB);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

static void ends(void) {
  // A byte that has been taken is not unread.
  fresh();
  put("x", MSG_OOB);
  got("x", 1, MSG_OOB);
  OK(close(b));
  char byte;
  ZERO(recv(a, &byte, 1, MSG_DONTWAIT));
  b = dup(a);
  // One that has not is.
  fresh();
  put("x", MSG_OOB);
  OK(close(b));
  FAILS(recv(a, &byte, 1, MSG_DONTWAIT), ECONNRESET);
  FAILS(send(a, "x", 1, MSG_OOB | MSG_NOSIGNAL), EPIPE);
  b = dup(a);
  // Other kinds have none.
  int pair[2];
  for (int kind = 0; kind < 2; kind++) {
    OK(socketpair(AF_UNIX, kind ? SOCK_DGRAM : SOCK_SEQPACKET, 0, pair));
    FAILS(send(pair[0], "x", 1, MSG_OOB), EOPNOTSUPP);
    FAILS(recv(pair[1], &byte, 1, MSG_OOB | MSG_DONTWAIT), EOPNOTSUPP);
    close(pair[0]), close(pair[1]);
  }
}

int main(void) {
  fresh();
  if (send(a, "x", 1, MSG_OOB) == -1) {
    CHECK_EQ(errno, EOPNOTSUPP);  // a kernel without it
    return 0;
  }
  basics();
  reading();
  inlined();
  signals();
  ends();
  return 0;
}
