// Pseudo-terminals: modes, echo, editing, raw reads, windows: pty(7), termios(3).
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "abi.h"

static int g_master, g_slave;

static void open_pty(void) {
  g_master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  OK(grantpt(g_master));
  OK(unlockpt(g_master));
  g_slave = OK(open(ptsname(g_master), O_RDWR | O_NOCTTY));
}

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

static void type(const char* text) { CHECK_EQ(write(g_master, text, strlen(text)), strlen(text)); }

static int waiting(int fd) {
  int count = -1;
  OK(ioctl(fd, FIONREAD, &count));
  return count;
}

static void canonical(void) {
  struct termios t;
  OK(tcgetattr(g_slave, &t));
  CHECK(t.c_lflag & ICANON && t.c_lflag & ECHO && t.c_lflag & ISIG);
  CHECK(t.c_oflag & OPOST && t.c_oflag & ONLCR && t.c_iflag & ICRNL);
  CHECK_EQ(t.c_cc[VINTR], 3);
  CHECK_EQ(t.c_cc[VEOF], 4);
  CHECK_EQ(t.c_cc[VERASE], 0x7f);
  CHECK_EQ(t.c_cc[VKILL], 21);
  CHECK_EQ(cfgetospeed(&t), B38400);

  // A line is handed over when it is whole; it comes back as echo.
  type("hel");
  expect(g_master, "hel");
  struct pollfd set = {.fd = g_slave, .events = POLLIN};
  CHECK_EQ(poll(&set, 1, 0), 0);
  type("lo\r");
  expect(g_master, "lo\r\n");
  CHECK_EQ(poll(&set, 1, 0), 1);
  expect(g_slave, "hello\n");
  // Editing: erase, kill, erase a word, the next one literally.
  type("ax\177b\n");
  expect(g_slave, "ab\n");
  type("junk\025ok\n");
  expect(g_slave, "ok\n");
  type("one two\027three\n");
  expect(g_slave, "one three\n");
  type("\026\003\n");
  expect(g_slave, "\003\n");
  OK(tcflush(g_master, TCIFLUSH));
  // One line a read, in pieces if asked; two lines wait apart.
  type("first\nsecond\n");
  char c[32];
  CHECK_EQ(read(g_slave, c, 3), 3);
  CHECK_EQ(read(g_slave, c, 32), 3);
  CHECK_EQ(memcmp(c, "st\n", 3), 0);
  CHECK_EQ(read(g_slave, c, 32), 7);
  // End of file: what is there, or nothing.
  type("part\004");
  CHECK_EQ(read(g_slave, c, 32), 4);
  type("\004");
  CHECK_EQ(read(g_slave, c, 32), 0);
  OK(tcflush(g_slave, TCOFLUSH));
}

static void output(void) {
  struct termios t;
  OK(tcgetattr(g_slave, &t));
  t.c_lflag &= ~ECHO;
  OK(tcsetattr(g_slave, TCSANOW, &t));
  char c[64];
  OK(fcntl(g_master, F_SETFL, O_NONBLOCK));
  while (read(g_master, c, sizeof(c)) > 0) continue;
  CHECK_EQ(errno, EAGAIN);
  OK(fcntl(g_master, F_SETFL, 0));
  CHECK_EQ(write(g_slave, "a\nb", 3), 3);
  expect(g_master, "a\r\nb");
  type("quiet\n");
  expect(g_slave, "quiet\n");
  CHECK_EQ(waiting(g_master), 0);
  t.c_oflag &= ~OPOST;
  OK(tcsetattr(g_slave, TCSADRAIN, &t));
  CHECK_EQ(write(g_slave, "x\ny", 3), 3);
  expect(g_master, "x\ny");
}

static void raw(void) {
  struct termios t;
  OK(tcgetattr(g_slave, &t));
  cfmakeraw(&t);
  OK(tcsetattr(g_slave, TCSAFLUSH, &t));
  type("\003\004\r");
  expect(g_slave, "\003\004\r");
  // Read waits for VMIN bytes, or VTIME.
  t.c_cc[VMIN] = 4;
  OK(tcsetattr(g_slave, TCSANOW, &t));
  pid_t pid = FORK(char c[8]; CHECK_EQ(read(g_slave, c, 8), 4));
  type("ab");
  abi_await_state(pid, 'S');
  type("cd");
  WAIT_OK(pid);
  t.c_cc[VMIN] = 0;
  OK(tcsetattr(g_slave, TCSANOW, &t));
  char c[8];
  CHECK_EQ(read(g_slave, c, 8), 0);
  t.c_cc[VTIME] = 1;
  OK(tcsetattr(g_slave, TCSANOW, &t));
  long long begin = abi_ns(CLOCK_MONOTONIC);
  CHECK_EQ(read(g_slave, c, 8), 0);
  CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 90000000);
}

int main(void) {
  open_pty();
  CHECK(isatty(g_slave) && isatty(g_master));
  CHECK(strncmp(ptsname(g_master), "/dev/pts/", 9) == 0);
  char name[64];
  ZERO(ttyname_r(g_slave, name, sizeof(name)));
  CHECK_STR(name, ptsname(g_master));
  struct stat st;
  OK(fstat(g_slave, &st));
  CHECK(S_ISCHR(st.st_mode));
  CHECK_EQ(st.st_rdev >> 8, 136);
  canonical();
  output();
  raw();
  struct winsize size = {.ws_row = 1}, got;
  OK(ioctl(g_slave, TIOCGWINSZ, &size));
  CHECK_EQ(size.ws_row, 0);
  size = (struct winsize){24, 80, 1, 2};
  OK(ioctl(g_master, TIOCSWINSZ, &size));
  OK(ioctl(g_slave, TIOCGWINSZ, &got));
  CHECK_EQ(memcmp(&size, &got, sizeof(size)), 0);
  FAILS(ioctl(g_slave, TCGETS, (void*)8), EFAULT);
  FAILS(lseek(g_slave, 0, SEEK_SET), ESPIPE);
  int fds[2];
  OK(pipe(fds));
  struct termios t;
  FAILS(tcgetattr(fds[0], &t), ENOTTY);
  CHECK(!isatty(fds[0]));

  // The ends part.
  OK(close(g_slave));
  char c;
  FAILS(read(g_master, &c, 1), EIO);
  struct pollfd set = {.fd = g_master, .events = POLLIN};
  CHECK_EQ(poll(&set, 1, -1), 1);
  CHECK(set.revents & POLLHUP);
  open_pty();
  OK(close(g_master));
  CHECK_EQ(read(g_slave, &c, 1), 0);
  FAILS(write(g_slave, "x", 1), EIO);
  return 0;
}
