// sendmmsg(2), recvmmsg(2), MSG_PEEK with SO_PEEK_OFF.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

static void batches(void) {
  int fds[2];
  struct mmsghdr out[4] = {0}, in[6] = {0};
  struct iovec out_iov[4], in_iov[6];
  char buf[6][16];
  static const char* words[4] = {"a", "bb", "ccc", "dddd"};
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
  for (int i = 0; i < 4; i++) {
    out_iov[i] = (struct iovec){(char*)words[i], i + 1};
    out[i].msg_hdr = (struct msghdr){.msg_iov = &out_iov[i], .msg_iovlen = 1};
  }
  for (int i = 0; i < 6; i++) {
    in_iov[i] = (struct iovec){buf[i], sizeof(buf[i])};
    in[i].msg_hdr = (struct msghdr){.msg_iov = &in_iov[i], .msg_iovlen = 1};
  }
  CHECK_EQ(sendmmsg(fds[0], out, 4, 0), 4);
  for (int i = 0; i < 4; i++) CHECK_EQ(out[i].msg_len, i + 1);
  CHECK_EQ(recvmmsg(fds[1], in, 2, 0, NULL), 2);
  CHECK_EQ(in[1].msg_len, 2);
  CHECK_EQ(memcmp(buf[1], "bb", 2), 0);
  CHECK_EQ(recvmmsg(fds[1], in, 6, MSG_WAITFORONE, NULL), 2);
  CHECK_EQ(in[1].msg_len, 4);
  FAILS(recvmmsg(fds[1], in, 6, MSG_DONTWAIT, NULL), EAGAIN);
  CHECK_EQ(sendmmsg(fds[0], out, 0, 0), 0);
  // The time is looked at after each message.
  CHECK_EQ(sendmmsg(fds[0], out, 1, 0), 1);
  struct timespec none = {0, 0}, wrong = {0, -1};
  CHECK_EQ(recvmmsg(fds[1], in, 6, 0, &none), 1);
  FAILS(recvmmsg(fds[1], in, 6, 0, &wrong), EINVAL);
  // What went out before an error counts.
  out[2].msg_hdr.msg_iov = (void*)8;
  CHECK_EQ(sendmmsg(fds[0], out, 4, 0), 2);
  FAILS(sendmmsg(fds[0], out + 2, 2, 0), EFAULT);
  FAILS(sendmmsg(fds[0], (void*)8, 2, 0), EFAULT);
  CHECK_EQ(recvmmsg(fds[1], in, 6, MSG_DONTWAIT, NULL), 2);
}

static void set_peek(int fd, int value) {
  OK(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &value, sizeof(value)));
}

static int peek_of(int fd) {
  int value;
  socklen_t size = sizeof(value);
  OK(getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &value, &size));
  return value;
}

static void peeks(void) {
  int fds[2];
  char buf[16];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  CHECK_EQ(peek_of(fds[1]), -1);
  CHECK_EQ(write(fds[0], "01234", 5), 5);
  CHECK_EQ(write(fds[0], "56789", 5), 5);
  CHECK_EQ(recv(fds[1], buf, 7, MSG_PEEK), 7);
  CHECK_EQ(recv(fds[1], buf, 7, MSG_PEEK), 7);
  set_peek(fds[1], 2);
  CHECK_EQ(recv(fds[1], buf, 2, MSG_PEEK), 2);
  CHECK_EQ(memcmp(buf, "23", 2), 0);
  CHECK_EQ(peek_of(fds[1]), 4);
  CHECK_EQ(recv(fds[1], buf, 4, MSG_PEEK), 4);
  CHECK_EQ(memcmp(buf, "4567", 4), 0);
  CHECK_EQ(recv(fds[1], buf, 3, 0), 3);  // takes the peek's place along
  CHECK_EQ(memcmp(buf, "012", 3), 0);
  CHECK_EQ(peek_of(fds[1]), 5);
  CHECK_EQ(recv(fds[1], buf, 16, MSG_PEEK), 2);
  CHECK_EQ(memcmp(buf, "89", 2), 0);
  FAILS(recv(fds[1], buf, 16, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(recv(fds[1], buf, 16, 0), 7);
  set_peek(fds[1], -1);
  OK(close(fds[0]));
  OK(close(fds[1]));
  // Datagrams.
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
  CHECK_EQ(write(fds[0], "abc", 3), 3);
  CHECK_EQ(write(fds[0], "defg", 4), 4);
  set_peek(fds[1], 1);
  CHECK_EQ(recv(fds[1], buf, 16, MSG_PEEK), 2);
  CHECK_EQ(memcmp(buf, "bc", 2), 0);
  CHECK_EQ(recv(fds[1], buf, 16, MSG_PEEK), 4);
  CHECK_EQ(memcmp(buf, "defg", 4), 0);
  CHECK_EQ(recv(fds[1], buf, 16, 0), 3);
  CHECK_EQ(peek_of(fds[1]), 4);
  CHECK_EQ(recv(fds[1], buf, 16, 0), 4);
}

int main(void) {
  batches();
  peeks();
  return 0;
}
