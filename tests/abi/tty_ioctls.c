// ioctl(2) of terminals that programs seldom use: tty_ioctl(4), who may and what happens.
#include <sys/ioctl.h>
#include <termios.h>

#include "abi.h"

static int g_master, g_slave;
static char g_name[64];

static void open_pty(void) {
  g_master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  OK(grantpt(g_master));
  OK(unlockpt(g_master));
  ZERO(ptsname_r(g_master, g_name, sizeof(g_name)));
  g_slave = OK(open(g_name, O_RDWR | O_NOCTTY));
}

static void raw(void) {
  struct termios t;
  OK(tcgetattr(g_slave, &t));
  cfmakeraw(&t);
  OK(tcsetattr(g_slave, TCSANOW, &t));
}

static int number(int fd, unsigned long request) {
  int n = -77;
  OK(ioctl(fd, request, &n));
  return n;
}

// What is written comes to the other side a little later.
static void comes(int fd, int n) {
  while (number(fd, FIONREAD) < n) sched_yield();
  CHECK_EQ(number(fd, FIONREAD), n);
}

static void queues(void) {
  raw();
  CHECK_EQ(number(g_slave, FIONREAD), 0);
  CHECK_EQ(write(g_master, "abcde", 5), 5);
  comes(g_slave, 5);
  CHECK_EQ(number(g_slave, TIOCINQ), 5);
  CHECK_EQ(write(g_slave, "xyz", 3), 3);
  comes(g_master, 3);
  OK(tcflush(g_slave, TCIFLUSH));
  CHECK_EQ(number(g_slave, FIONREAD), 0);
  CHECK_EQ(number(g_master, FIONREAD), 3);
  char text[8];
  CHECK_EQ(read(g_master, text, 8), 3);
  FAILS(ioctl(g_slave, TCFLSH, 3), EINVAL);
  FAILS(ioctl(g_slave, TCXONC, 4), EINVAL);
  OK(ioctl(g_slave, TCSBRK, 1));   // tcdrain
  OK(ioctl(g_slave, TCSBRKP, 0));  // no line to break
  OK(tcsendbreak(g_slave, 0));
  FAILS(ioctl(g_slave, 0x54ff, 0), ENOTTY);
  FAILS(ioctl(g_slave, TIOCMGET, text), ENOTTY);  // no modem
  FAILS(ioctl(g_slave, FIONREAD, 8), EFAULT);
}

// TIOCEXCL: nobody opens it any more, but who may administer.
static void exclusive(void) {
  CHECK_EQ(number(g_slave, TIOCGEXCL), 0);
  OK(ioctl(g_slave, TIOCEXCL));
  CHECK_EQ(number(g_slave, TIOCGEXCL), 1);
  OK(fchmod(g_slave, 0666));
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(open(g_name, O_RDWR | O_NOCTTY), EBUSY);
  });
  OK(ioctl(g_slave, TIOCNXCL));
  CHECK_EQ(number(g_slave, TIOCGEXCL), 0);
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    OK(open(g_name, O_RDWR | O_NOCTTY));
  });
}

static void windows(void) {
  struct winsize w = {.ws_row = 33, .ws_col = 99, .ws_xpixel = 5, .ws_ypixel = 6}, got;
  OK(ioctl(g_master, TIOCSWINSZ, &w));
  OK(ioctl(g_slave, TIOCGWINSZ, &got));
  CHECK_EQ(memcmp(&w, &got, sizeof(w)), 0);
  FAILS(ioctl(g_slave, TIOCSWINSZ, 8), EFAULT);
  int line = -1;
  OK(ioctl(g_slave, TIOCGETD, &line));
  CHECK_EQ(line, 0);
  line = 99;
  FAILS(ioctl(g_slave, TIOCSETD, &line), EINVAL);
  line = 0;
  OK(ioctl(g_slave, TIOCSETD, &line));
}

static void numbers(void) {
  unsigned n = ~0u;
  OK(ioctl(g_master, TIOCGPTN, &n));
  char want[64];
  snprintf(want, sizeof(want), "/dev/pts/%u", n);
  CHECK_STR(g_name, want);
  FAILS(ioctl(g_slave, TIOCGPTN, &n), ENOTTY);
  CHECK_EQ(number(g_master, TIOCGPTLCK), 0);
  int lock = 1;
  OK(ioctl(g_master, TIOCSPTLCK, &lock));
  CHECK_EQ(number(g_master, TIOCGPTLCK), 1);
  FAILS(open(g_name, O_RDWR | O_NOCTTY), EIO);
  lock = 0;
  OK(ioctl(g_master, TIOCSPTLCK, &lock));
  OK(close(OK(open(g_name, O_RDWR | O_NOCTTY))));
  struct stat a, b;
  OK(fstat(g_slave, &a));
  int device = number(g_slave, TIOCGDEV);
  CHECK_EQ((unsigned)device, (unsigned)a.st_rdev);
  int peer = OK(ioctl(g_master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  OK(fstat(peer, &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  CHECK_EQ(fcntl(peer, F_GETFD), FD_CLOEXEC);
  CHECK_STR(ttyname(peer), g_name);
}

// A session on it: groups, and input that comes from the program itself.
static void session(void) {
  FAILS(ioctl(g_slave, TIOCGSID, &(int){0}), ENOTTY);  // not ours
  FAILS(tcgetpgrp(g_slave), ENOTTY);
  IN_CHILD({
    OK(setsid());
    OK(ioctl(g_slave, TIOCSCTTY, 0));
    CHECK_EQ(number(g_slave, TIOCGSID), getpid());
    CHECK_EQ(number(g_slave, TIOCGPGRP), getpid());
    CHECK_EQ(number(g_master, TIOCGSID), getpid());
    int fd = OK(open("/dev/tty", O_RDWR));
    CHECK_EQ(number(fd, TIOCGPGRP), getpid());
    int other = 0x3fffffff;
    FAILS(ioctl(g_slave, TIOCSPGRP, &other), ESRCH);
    other = getppid();
    FAILS(ioctl(g_slave, TIOCSPGRP, &other), EPERM);  // of another session
    other = -5;
    FAILS(ioctl(g_slave, TIOCSPGRP, &other), EINVAL);
    raw();
    OK(tcflush(g_slave, TCIOFLUSH));
    OK(ioctl(g_slave, TIOCSCTTY, 0));  // it is already
    // Away from it: /dev/tty is nothing then.
    OK(ioctl(fd, TIOCNOTTY));
    FAILS(open("/dev/tty", O_RDWR), ENXIO);
    FAILS(ioctl(g_slave, TIOCGSID, &other), ENOTTY);
  });
}

int main(void) {
  open_pty();
  queues();
  exclusive();
  windows();
  numbers();
  signal(SIGHUP, SIG_IGN);
  signal(SIGCONT, SIG_IGN);
  session();
  // What is no terminal knows none of it.
  int fds[2];
  OK(pipe(fds));
  FAILS(ioctl(fds[0], TIOCGWINSZ, &(struct winsize){0}), ENOTTY);
  FAILS(ioctl(fds[0], TCGETS, &(struct termios){0}), ENOTTY);
  FAILS(tcgetpgrp(fds[0]), ENOTTY);
  return 0;
}
