// More of terminals: flow control, signals switched off, VEOL, packet mode, many at once, opening by name.
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "abi.h"

static int g_master, g_slave;

static void open_pty(void) {
  g_master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  OK(unlockpt(g_master));
  g_slave = OK(open(ptsname(g_master), O_RDWR | O_NOCTTY));
}

static void type(const char* text) { CHECK_EQ(write(g_master, text, strlen(text)), strlen(text)); }

static void expect(int fd, const char* want) {
  char text[256] = "";
  size_t have = 0;
  while (have < strlen(want)) {
    ssize_t n = OK(read(fd, text + have, sizeof(text) - 1 - have));
    CHECK(n > 0);
    have += n;
  }
  text[have] = 0;
  CHECK_STR(text, want);
}

int main(void) {
  // Locked until unlocked.
  int locked = OK(posix_openpt(O_RDWR | O_NOCTTY));
  FAILS(open(ptsname(locked), O_RDWR | O_NOCTTY), EIO);
  int one = 1, zero = 0, value;
  OK(ioctl(locked, TIOCGPTLCK, &value));
  CHECK_EQ(value, 1);
  OK(ioctl(locked, TIOCSPTLCK, &zero));
  int peer = OK(ioctl(locked, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  CHECK(isatty(peer));
  OK(ioctl(locked, TIOCGPTN, &value));
  char name[64];
  snprintf(name, sizeof(name), "/dev/pts/%d", value);
  CHECK_STR(ptsname(locked), name);
  struct stat st;
  OK(stat(name, &st));
  OK(close(peer));
  OK(close(locked));
  FAILS(stat(name, &st), ENOENT);  // gone with its master

  open_pty();
  struct termios t;
  OK(tcgetattr(g_slave, &t));
  t.c_lflag &= ~(ECHO | ISIG);
  t.c_cc[VEOL] = ';';
  OK(tcsetattr(g_slave, TCSANOW, &t));
  type("a;b\003\n");
  expect(g_slave, "a;");
  expect(g_slave, "b\003\n");
  // Echo of control characters, and of erasing.
  t.c_lflag |= ECHO | ECHOCTL | ECHOE;
  OK(tcsetattr(g_slave, TCSANOW, &t));
  type("\001x\177");
  expect(g_master, "^Ax\b \b");
  type("\n");
  expect(g_master, "\r\n");
  expect(g_slave, "\001\n");
  // Mapping of input.
  t.c_lflag &= ~ECHO;
  t.c_iflag = (t.c_iflag & ~ICRNL) | INLCR | IGNCR;
  OK(tcsetattr(g_slave, TCSANOW, &t));
  type("p\rq;");
  expect(g_slave, "pq;");
  t.c_iflag = ICRNL | IXON | ISTRIP;
  OK(tcsetattr(g_slave, TCSANOW, &t));
  type("\xe1\r");
  expect(g_slave, "a\n");

  // Stopped output waits.
  t.c_oflag = 0;
  OK(tcsetattr(g_slave, TCSANOW, &t));
  OK(tcflow(g_slave, TCOOFF));
  OK(fcntl(g_slave, F_SETFL, O_NONBLOCK));
  FAILS(write(g_slave, "x", 1), EAGAIN);
  OK(tcflow(g_slave, TCOON));
  CHECK_EQ(write(g_slave, "x", 1), 1);
  expect(g_master, "x");
  OK(fcntl(g_slave, F_SETFL, 0));
  // Discarded input.
  type("rubbish");
  OK(tcflush(g_slave, TCIFLUSH));
  type("fine\n");
  expect(g_slave, "fine\n");
  OK(tcdrain(g_slave));
  OK(tcsendbreak(g_slave, 0));
  // Packet mode: a byte before the data.
  OK(ioctl(g_master, TIOCPKT, &one));
  CHECK_EQ(write(g_slave, "data", 4), 4);
  char c[16];
  CHECK_EQ(read(g_master, c, 16), 5);
  CHECK_EQ(memcmp(c, "\0data", 5), 0);
  OK(ioctl(g_master, TIOCPKT, &zero));
  // What a program writes faster than it is read waits; nothing is lost.
  OK(tcgetattr(g_slave, &t));
  pid_t pid = FORK({
    OK(close(g_master));
    for (int i = 0; i < 50; i++) {
      char block[1000];
      memset(block, 'A' + i % 26, sizeof(block));
      for (size_t at = 0; at < sizeof(block);) at += OK(write(g_slave, block + at, sizeof(block) - at));
    }
  });
  char block[4096];
  for (int have = 0; have < 50000;) {
    ssize_t n = OK(read(g_master, block, sizeof(block)));
    for (ssize_t i = 0; i < n; i++) CHECK_EQ(block[i], 'A' + (have + i) / 1000 % 26);
    have += n;
  }
  WAIT_OK(pid);
  // Several of them.
  int masters[8];
  for (int i = 0; i < 8; i++) {
    masters[i] = OK(posix_openpt(O_RDWR | O_NOCTTY));
    for (int k = 0; k < i; k++) {
      strcpy(name, ptsname(masters[k]));
      CHECK(strcmp(name, ptsname(masters[i])) != 0);
    }
  }
  return 0;
}
