// An interactive bash on a pseudo-terminal: prompt, echo, ^C, ^Z and fg, window size, exit.
#include <sys/ioctl.h>
#include <termios.h>

#include "abi.h"

static int g_master;
static char g_seen[65536];
static size_t g_have, g_from;

static void send(const char* text) { CHECK_EQ(write(g_master, text, strlen(text)), strlen(text)); }

static void on_alarm(int signal) {
  (void)signal;
  FAIL("the shell said nothing more than: %s", g_seen + (g_from > 200 ? g_from - 200 : 0));
}

// Reads until the text appears after what was awaited before.
static void await_text(const char* text) {
  for (;;) {
    g_seen[g_have] = 0;
    char* found = strstr(g_seen + g_from, text);
    if (found) {
      g_from = found + strlen(text) - g_seen;
      return;
    }
    ssize_t n = read(g_master, g_seen + g_have, sizeof(g_seen) - 1 - g_have);
    if (n <= 0) FAIL("the shell went away before \"%s\"; it said: %s", text, g_seen);
    g_have += n;
  }
}

int main(void) {
  abi_scratch();
  abi_handle(SIGALRM, on_alarm, 0);
  OK(alarm(15));
  g_master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  OK(unlockpt(g_master));
  char name[64];
  strcpy(name, ptsname(g_master));
  OK(ioctl(g_master, TIOCSWINSZ, &(struct winsize){33, 77, 0, 0}));
  pid_t pid = FORK({
    OK(setsid());
    int tty = OK(open(name, O_RDWR));
    for (int fd = 0; fd < 3; fd++) OK(dup2(tty, fd));
    OK(close(tty));
    OK(close(g_master));
    char* args[] = {"bash", "--norc", "--noprofile", "-i", NULL};
    char* env[] = {"PS1=ready> ", "PATH=/usr/bin:/bin", "TERM=dumb", "HOME=/", NULL};
    OK(execve("/bin/bash", args, env));
  });
  await_text("ready> ");
  send("echo $((6*7))-answer\n");
  await_text("\r\n42-answer");
  await_text("ready> ");
  send("stty size\n");
  await_text("\r\n33 77");
  await_text("ready> ");
  // ^C ends the program, not the shell.
  send("echo start-cat; cat\n");
  await_text("\r\nstart-cat\r\n");
  send("hello\n");
  await_text("hello\r\nhello\r\n");
  send("\003");
  await_text("ready> ");
  send("echo status-$?\n");
  await_text("status-130");
  await_text("ready> ");
  // Job control.
  send("echo start-two; cat\n");
  await_text("\r\nstart-two\r\n");
  send("one\n");
  await_text("one\r\none\r\n");
  send("\032");
  await_text("Stopped");
  await_text("ready> ");
  send("jobs\n");
  await_text("[1]");
  await_text("ready> ");
  send("fg\n");
  await_text("cat\r\n");
  send("two\n");
  await_text("two\r\ntwo\r\n");
  send("\004");
  await_text("ready> ");
  // The window changes size while the shell waits.
  OK(ioctl(g_master, TIOCSWINSZ, &(struct winsize){44, 99, 0, 0}));
  send("stty size; stty -echo; echo quiet\n");
  await_text("44 99\r\nquiet");
  await_text("ready> ");
  send("stty echo\n");
  await_text("ready> ");
  send("exit 5\n");
  WAIT_EXIT(pid, 5);
  return 0;
}
