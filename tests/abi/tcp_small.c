// A reader that sleeps while much comes in small pieces; writers of several threads; TCP_NODELAY, TCP_CORK,
// MSG_MORE.
#include "tcp.h"

enum { kPieces = 20000 };

static void* reader(void* argument) {
  int fd = *(int*)argument;
  unsigned char buf[1000];
  size_t at = 0;
  for (;;) {
    ssize_t n = OK(recv(fd, buf, sizeof(buf), 0));
    if (n == 0) break;
    for (ssize_t i = 0; i < n; ++i, ++at)
      if (buf[i] != (unsigned char)(at * 3)) FAIL("byte %zu is wrong", at);
  }
  return (void*)at;
}

static void many_small(int family) {
  int fds[2];
  tcp_pair(family, fds);
  OK(set_int(fds[0], IPPROTO_TCP, TCP_NODELAY, 1));
  OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
  size_t at = 0;
  // As much as fits while nobody reads.
  for (int i = 0; i < kPieces; ++i) {
    unsigned char c[3] = {(unsigned char)(at * 3), (unsigned char)(at * 3 + 3), (unsigned char)(at * 3 + 6)};
    ssize_t n = send(fds[0], c, sizeof(c), 0);
    if (n < 0) {
      CHECK_EQ(errno, EAGAIN);
      break;
    }
    at += (size_t)n;
  }
  CHECK(at > 1000);
  OK(fcntl(fds[0], F_SETFL, 0));
  pthread_t thread;
  void* got;
  ZERO(pthread_create(&thread, NULL, reader, &fds[1]));
  for (int i = 0; i < kPieces; ++i, ++at) {
    unsigned char c = (unsigned char)(at * 3);
    CHECK_EQ(send(fds[0], &c, 1, 0), 1);
  }
  OK(shutdown(fds[0], SHUT_WR));
  ZERO(pthread_join(thread, &got));
  CHECK_EQ((size_t)got, at);
  close_pair(fds);
}

static void held_back(int family) {
  int fds[2];
  char buf[64];
  tcp_pair(family, fds);
  OK(set_int(fds[0], IPPROTO_TCP, TCP_CORK, 1));
  send_all(fds[0], "one ");
  send_all(fds[0], "two");
  CHECK_EQ(poll_now(fds[1], POLLIN, 20), 0);
  OK(set_int(fds[0], IPPROTO_TCP, TCP_CORK, 0));
  await(fds[1], POLLIN);
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), 0), 7);
  OK(set_int(fds[0], IPPROTO_TCP, TCP_NODELAY, 1));
  // It is held for a while only, which is soon over where others have the CPU: some attempts.
  for (int attempt = 0, early = 1; early; ++attempt) {
    CHECK(attempt < 20);
    CHECK_EQ(send(fds[0], "head", 4, MSG_MORE), 4);
    early = poll_now(fds[1], POLLIN, 20);
    CHECK_EQ(send(fds[0], "body", 4, 0), 4);
    CHECK_EQ(recv(fds[1], buf, 8, MSG_WAITALL), 8);
  }
  // Nobody waits for ever.
  CHECK_EQ(send(fds[0], "alone", 5, MSG_MORE), 5);
  expect(fds[1], "alone");
  close_pair(fds);
}

static void* writer(void* argument) {
  int fd = *(int*)argument;
  char record[100];
  static atomic_int next;
  memset(record, 'A' + atomic_fetch_add(&next, 1) % 26, sizeof(record));
  for (int i = 0; i < 500; ++i) CHECK_EQ(send(fd, record, sizeof(record), 0), sizeof(record));
  return NULL;
}

static void together(int family) {
  int fds[2];
  pthread_t thread[4];
  tcp_pair(family, fds);
  for (int i = 0; i < 4; ++i) ZERO(pthread_create(&thread[i], NULL, writer, &fds[0]));
  // One call's bytes stay together.
  for (int i = 0; i < 4 * 500; ++i) {
    char record[100];
    CHECK_EQ(recv(fds[1], record, sizeof(record), MSG_WAITALL), sizeof(record));
    for (size_t k = 1; k < sizeof(record); ++k) CHECK_EQ(record[k], record[0]);
  }
  for (int i = 0; i < 4; ++i) ZERO(pthread_join(thread[i], NULL));
  close_pair(fds);
}

int main(void) {
  EACH_FAMILY(family) {
    many_small((int)family);
    held_back((int)family);
    together((int)family);
  }
  return 0;
}
