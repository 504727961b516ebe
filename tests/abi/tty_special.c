// Terminals: VMIN and VTIME, special characters, input and output changes, full queues (termios(3)).
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "abi.h"

static int g_master, g_slave;
static struct termios g_plain;

static void open_pty(void) {
  g_master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  OK(unlockpt(g_master));
  g_slave = OK(ioctl(g_master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  OK(tcgetattr(g_slave, &g_plain));
}

// Until there is something to read: what is written comes to the other side a little later.
static void await_input(void) {
  int n = 0;
  while (n == 0) OK(ioctl(g_slave, FIONREAD, &n));
}

static void type(const char* text) { CHECK_EQ(write(g_master, text, strlen(text)), strlen(text)); }

// What the slave reads at once.
static void reads(const char* want) {
  char text[256] = "";
  ssize_t n = OK(read(g_slave, text, sizeof(text) - 1));
  text[n] = 0;
  CHECK_STR(text, want);
}

static void shows(const char* want) {
  char text[256] = "";
  size_t have = 0;
  while (have < strlen(want)) have += OK(read(g_master, text + have, sizeof(text) - 1 - have));
  text[have] = 0;
  CHECK_STR(text, want);
}

static void settings(tcflag_t in, tcflag_t out, tcflag_t local, int min, int time) {
  struct termios t = g_plain;
  t.c_iflag = in, t.c_oflag = out, t.c_lflag = local;
  t.c_cc[VMIN] = min, t.c_cc[VTIME] = time;
  OK(tcsetattr(g_slave, TCSAFLUSH, &t));
}

static void raw_reads(void) {
  char text[16];
  // Nothing awaited: what there is.
  settings(0, 0, 0, 0, 0);
  CHECK_EQ(read(g_slave, text, 16), 0);
  type("ab");
  await_input();
  reads("ab");
  // A time alone, for the first byte.
  settings(0, 0, 0, 0, 1);
  long long begin = abi_ns(CLOCK_MONOTONIC);
  CHECK_EQ(read(g_slave, text, 16), 0);
  CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 90000000);
  type("c");
  await_input();
  reads("c");
  // A number: not before that many are there, or as many as were asked for.
  settings(0, 0, 0, 3, 0);
  pid_t pid = FORK(reads("xyz"));
  abi_await_state(pid, 'S');
  type("x");
  type("y");
  struct pollfd p = {.fd = g_slave, .events = POLLIN};
  CHECK_EQ(poll(&p, 1, 0), 0);  // poll(2) asks for VMIN too
  type("z");
  WAIT_OK(pid);
  type("12345");
  struct pollfd all = {.fd = g_slave, .events = POLLIN};
  CHECK_EQ(poll(&all, 1, -1), 1);
  CHECK_EQ(read(g_slave, text, 2), 2);
  // Both: the time runs between bytes.
  settings(0, 0, 0, 10, 1);
  type("pq");
  int n = 0;
  while (n < 2) OK(ioctl(g_slave, FIONREAD, &n));
  reads("pq");
  // Not waiting is not waiting.
  OK(fcntl(g_slave, F_SETFL, O_NONBLOCK));
  FAILS(read(g_slave, text, 16), EAGAIN);
  OK(fcntl(g_slave, F_SETFL, 0));
}

static void input_changes(void) {
  settings(ICRNL, 0, 0, 3, 0);
  type("a\rb");
  reads("a\nb");
  settings(INLCR, 0, 0, 3, 0);
  type("a\nb");
  reads("a\rb");
  settings(IGNCR, 0, 0, 2, 0);
  type("a\rb");
  reads("ab");
  settings(ISTRIP, 0, 0, 2, 0);
  type("\xe1z");
  reads("az");
  settings(IUCLC, 0, IEXTEN, 5, 0);
  type("LoWeR");
  reads("lower");
}

static void output_changes(void) {
  settings(0, OPOST | ONLCR, 0, 1, 0);
  CHECK_EQ(write(g_slave, "a\nb", 3), 3);
  shows("a\r\nb");
  settings(0, OPOST | OCRNL, 0, 1, 0);
  CHECK_EQ(write(g_slave, "a\rb", 3), 3);
  shows("a\nb");
  settings(0, OPOST | OLCUC, 0, 1, 0);
  CHECK_EQ(write(g_slave, "Up!", 3), 3);
  shows("UP!");
  settings(0, OPOST | TAB3, 0, 1, 0);
  CHECK_EQ(write(g_slave, "\rab\tc", 5), 5);
  shows("\rab      c");
  settings(0, ONLCR, 0, 1, 0);  // without OPOST nothing is changed
  CHECK_EQ(write(g_slave, "x\n", 2), 2);
  shows("x\n");
}

static void editing(void) {
  settings(ICRNL, 0, ICANON | IEXTEN, 1, 0);
  type("wrong\025right\n");  // ^U
  reads("right\n");
  type("one two \027three\n");  // ^W
  reads("one three\n");
  type("ab\177c\n");  // DEL
  reads("ac\n");
  type("\026\003\026\004\n");  // ^V: the next one plainly
  reads("\003\004\n");
  type("no line end\004");  // ^D: what there is
  reads("no line end");
  type("\004");
  reads("");
  // A line at a time, however much is asked for; the rest of one stays.
  type("first\nsecond\n");
  reads("first\n");
  char text[4];
  CHECK_EQ(read(g_slave, text, 3), 3);
  reads("ond\n");
  // Another end of lines.
  struct termios t;
  OK(tcgetattr(g_slave, &t));
  t.c_cc[VEOL] = ';';
  t.c_cc[VEOF] = _POSIX_VDISABLE;
  OK(tcsetattr(g_slave, TCSANOW, &t));
  type("a;b\004\n");
  reads("a;");
  reads("b\004\n");
  // Echo of what cannot be seen.
  settings(0, 0, ICANON | ECHO | ECHOCTL | ECHOE | ECHOK, 1, 0);
  type("\001x\177\n");
  shows("^Ax\b \b\n");
  reads("\001\n");
}

// A line that is too long: its end still comes through.
static void long_lines(void) {
  settings(0, 0, ICANON, 1, 0);
  OK(tcflush(g_slave, TCIOFLUSH));
  char piece[512];
  memset(piece, 'l', sizeof(piece));
  for (int i = 0; i < 9; i++) CHECK_EQ(write(g_master, piece, sizeof(piece)), sizeof(piece));
  type("\n");
  static char line[8192];
  ssize_t n = OK(read(g_slave, line, sizeof(line)));
  CHECK_EQ(n, 4096);
  CHECK_EQ(line[4095], '\n');
  CHECK_EQ(line[4094], 'l');
}

int main(void) {
  open_pty();
  raw_reads();
  input_changes();
  output_changes();
  editing();
  long_lines();
  return 0;
}
