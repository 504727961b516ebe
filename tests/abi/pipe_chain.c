// Data through chains of processes: many pipes, many readers, poll over all, splice through.
#include <poll.h>

#include "abi.h"

enum { kStages = 10, kBytes = 200000 };

static void copy_all(int from, int to, char add) {
  char buffer[8192];
  for (ssize_t n; (n = OK(read(from, buffer, sizeof(buffer)))) > 0;) {
    for (ssize_t i = 0; i < n; i++) buffer[i] += add;
    for (ssize_t at = 0; at < n;) at += OK(write(to, buffer + at, n - at));
  }
}

int main(void) {
  // A chain in which every stage adds one.
  int in[2], from;
  OK(pipe(in));
  from = in[0];
  pid_t pids[kStages + 1];
  for (int i = 0; i < kStages; i++) {
    int next[2];
    OK(pipe(next));
    pids[i] = FORK({
      OK(close(in[1]));
      OK(close(next[0]));
      copy_all(from, next[1], 1);
    });
    OK(close(from));
    OK(close(next[1]));
    from = next[0];
  }
  pids[kStages] = FORK({
    char buffer[5000];
    for (int at = 0; at < kBytes; at += sizeof(buffer)) {
      for (size_t i = 0; i < sizeof(buffer); i++) buffer[i] = (char)(at + i);
      for (size_t k = 0; k < sizeof(buffer);) k += OK(write(in[1], buffer + k, sizeof(buffer) - k));
    }
  });
  OK(close(in[1]));
  char buffer[4096];
  int have = 0;
  for (ssize_t n; (n = OK(read(from, buffer, sizeof(buffer)))) > 0; have += n) {
    for (ssize_t i = 0; i < n; i++) CHECK_EQ(buffer[i], (char)(have + i + kStages));
  }
  CHECK_EQ(have, kBytes);
  for (int i = 0; i <= kStages; i++) WAIT_OK(pids[i]);

  // Many writers, one who watches them all until the last is gone.
  enum { kMany = 20 };
  struct pollfd set[kMany];
  for (int i = 0; i < kMany; i++) {
    int fds[2];
    OK(pipe(fds));
    pids[i % kStages] = FORK({
      for (int k = 0; k <= i % 5; k++) CHECK_EQ(write(fds[1], &i, sizeof(i)), sizeof(i));
    });
    OK(close(fds[1]));
    set[i] = (struct pollfd){.fd = fds[0], .events = POLLIN};
  }
  int open = kMany, messages = 0;
  while (open > 0) {
    CHECK(OK(poll(set, kMany, -1)) > 0);
    for (int i = 0; i < kMany; i++) {
      if (set[i].revents & POLLIN) {
        int value;
        CHECK_EQ(read(set[i].fd, &value, sizeof(value)), sizeof(value));
        CHECK_EQ(value, i);
        messages++;
      } else if (set[i].revents & POLLHUP) {
        OK(close(set[i].fd));
        set[i].fd = -1;
        open--;
      }
    }
  }
  CHECK_EQ(messages, kMany / 5 * 15);
  for (int i = 0; i < kMany; i++) CHECK(wait(NULL) > 0);

  // Ping-pong of single bytes between two processes.
  int a[2], b[2];
  OK(pipe(a));
  OK(pipe(b));
  pid_t pid = FORK({
    char c;
    OK(close(a[1]));
    while (OK(read(a[0], &c, 1)) == 1) {
      c++;
      CHECK_EQ(write(b[1], &c, 1), 1);
    }
  });
  OK(close(a[0]));
  for (int i = 0; i < 250; i++) {
    char c = (char)i;
    CHECK_EQ(write(a[1], &c, 1), 1);
    CHECK_EQ(read(b[0], &c, 1), 1);
    CHECK_EQ(c, (char)(i + 1));
  }
  OK(close(a[1]));
  WAIT_OK(pid);
  return 0;
}
