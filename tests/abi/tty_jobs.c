// The controlling terminal: foreground group, ^C, ^Z, background reads, SIGWINCH, hangup: credentials(7),
// tty_ioctl(4).
#include <sys/ioctl.h>
#include <termios.h>

#include "abi.h"

static int g_master;
static char g_name[64];
static atomic_int* g_word;
static volatile int g_signal;

static void note(int signal) { g_signal = signal; }

// The child of a new session on a new terminal; the statements run as its leader.
#define ON_TERMINAL(...)                            \
  ({                                                \
    atomic_store(g_word, 0);                        \
    g_master = OK(posix_openpt(O_RDWR | O_NOCTTY)); \
    OK(unlockpt(g_master));                         \
    strcpy(g_name, ptsname(g_master));              \
    FORK({                                          \
      OK(setsid());                                 \
      FAILS(open("/dev/tty", O_RDWR), ENXIO);       \
      int tty = OK(open(g_name, O_RDWR));           \
      OK(close(g_master));                          \
      (void)tty;                                    \
      __VA_ARGS__;                                  \
    });                                             \
  })

static void type(const char* text) { CHECK_EQ(write(g_master, text, strlen(text)), strlen(text)); }

int main(void) {
  g_word = abi_shared(4096);
  int status;

  // Opening gave it to the leader of the session.
  pid_t pid = ON_TERMINAL({
    CHECK_EQ(tcgetpgrp(tty), getpid());
    CHECK_EQ(tcgetsid(tty), getpid());
    int again = OK(open("/dev/tty", O_RDWR));
    CHECK_EQ(tcgetpgrp(again), getpid());
    FAILS(tcsetpgrp(tty, 0x3fffffff), ESRCH);
    OK(ioctl(tty, TIOCSCTTY, 0));  // it is ours already
    abi_handle(SIGHUP, SIG_IGN, 0);
    OK(ioctl(tty, TIOCNOTTY));
    FAILS(open("/dev/tty", O_RDWR), ENXIO);
    OK(ioctl(tty, TIOCSCTTY, 0));
    OK(close(OK(open("/dev/tty", O_RDWR))));
  });
  WAIT_OK(pid);
  OK(close(g_master));

  // ^C, ^\ and ^Z reach the foreground group alone.
  const struct {
    const char* key;
    int signal;
  } keys[] = {{"\003", SIGINT}, {"\034", SIGQUIT}, {"\032", SIGTSTP}};
  for (int i = 0; i < 3; i++) {
    pid = ON_TERMINAL({
      abi_handle(SIGTTOU, SIG_IGN, 0);
      abi_handle(SIGINT, note, 0);
      pid_t job = FORK({
        OK(setpgid(0, 0));
        abi_await(g_word, 1);
        abi_handle(SIGINT, SIG_DFL, 0);
        atomic_store(g_word, 2);
        for (;;) pause();
      });
      while (setpgid(job, job) != 0) continue;
      OK(tcsetpgrp(tty, job));
      CHECK_EQ(tcgetpgrp(tty), job);
      atomic_store(g_word, 1);
      CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
      if (keys[i].signal == SIGTSTP) {
        CHECK(WIFSTOPPED(status));
        CHECK_EQ(WSTOPSIG(status), SIGTSTP);
        OK(kill(job, SIGKILL));
        WAIT_SIGNAL(job, SIGKILL);
      } else {
        CHECK(WIFSIGNALED(status));
        CHECK_EQ(WTERMSIG(status), keys[i].signal);
      }
      CHECK_EQ(g_signal, 0);  // not us
    });
    abi_await(g_word, 2);
    type(keys[i].key);
    WAIT_OK(pid);
    OK(close(g_master));
  }

  // Background: reading stops the job; writing does with TOSTOP; ignoring gives EIO for reads.
  pid = ON_TERMINAL({
    char c;
    pid_t job = FORK(OK(setpgid(0, 0)); read(tty, &c, 1));
    while (setpgid(job, job) != 0 && errno != EACCES) continue;
    CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGTTIN);
    OK(kill(job, SIGKILL));
    WAIT_SIGNAL(job, SIGKILL);
    IN_CHILD(OK(setpgid(0, 0)); abi_handle(SIGTTIN, SIG_IGN, 0); FAILS(read(tty, &c, 1), EIO);
             CHECK_EQ(write(tty, "x", 1), 1));
    struct termios t;
    OK(tcgetattr(tty, &t));
    t.c_lflag |= TOSTOP;
    OK(tcsetattr(tty, TCSANOW, &t));
    job = FORK(OK(setpgid(0, 0)); write(tty, "x", 1));
    CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
    CHECK_EQ(WSTOPSIG(status), SIGTTOU);
    OK(kill(job, SIGKILL));
    WAIT_SIGNAL(job, SIGKILL);
    job = FORK(OK(setpgid(0, 0)); tcsetattr(tty, TCSANOW, &t));
    CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
    CHECK_EQ(WSTOPSIG(status), SIGTTOU);
    OK(kill(job, SIGKILL));
    WAIT_SIGNAL(job, SIGKILL);
  });
  WAIT_OK(pid);
  OK(close(g_master));

  // A change of the window tells the foreground.
  pid = ON_TERMINAL({
    abi_handle(SIGWINCH, note, 0);
    sigset_t block;
    sigset_t none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGWINCH);
    OK(sigprocmask(SIG_BLOCK, &block, NULL));
    atomic_store(g_word, 1);
    sigsuspend(&none);
    CHECK_EQ(g_signal, SIGWINCH);
    struct winsize size;
    OK(ioctl(tty, TIOCGWINSZ, &size));
    CHECK_EQ(size.ws_col, 100);
  });
  abi_await(g_word, 1);
  OK(ioctl(g_master, TIOCSWINSZ, &(struct winsize){50, 100, 0, 0}));
  WAIT_OK(pid);
  OK(close(g_master));

  // The master goes: the leader gets SIGHUP.
  pid = ON_TERMINAL(atomic_store(g_word, 1); for (;;) pause());
  abi_await(g_word, 1);
  OK(close(g_master));
  WAIT_SIGNAL(pid, SIGHUP);
  // The leader goes: the foreground gets it.
  pid = ON_TERMINAL({
    pid_t job = FORK({
      abi_handle(SIGHUP, note, 0);
      atomic_store(g_word, 1);
      while (g_signal != SIGHUP) sched_yield();
      // And has no controlling terminal any more, at the latest a moment later.
      for (int again; (again = open("/dev/tty", O_RDWR)) >= 0; sched_yield()) OK(close(again));
      CHECK_EQ(errno, ENXIO);
      atomic_store(g_word, 3);
    });
    (void)job;
    abi_await(g_word, 1);
  });
  WAIT_OK(pid);
  abi_await(g_word, 3);
  return 0;
}
