// exit(3), exit_group(2): order of what runs, what is closed and released, memory and locks of the dead.
#include <sys/file.h>

#include "abi.h"

static int g_out;

static void say(const char* text) { CHECK_EQ(write(g_out, text, strlen(text)), strlen(text)); }
static void first(void) { say("1"); }
static void second(void) { say("2"); }
static void on_exit_call(int status, void* arg) { say(status == 4 && arg == &g_out ? "3" : "?"); }

static void* sleeper(void* arg) {
  for (;;) pause();
  return arg;
}

int main(void) {
  abi_scratch();
  int fds[2];
  char text[64];
  OK(pipe(fds));
  g_out = fds[1];
  pid_t pid = FORK({
    atexit(first);
    atexit(second);
    on_exit(on_exit_call, &g_out);
    pthread_t thread;
    ZERO(pthread_create(&thread, NULL, sleeper, NULL));
    FILE* file = fopen("buffered", "w");
    fputs("flushed", file);
    exit(4);
  });
  WAIT_EXIT(pid, 4);
  CHECK_EQ(read(fds[0], text, sizeof(text)), 3);
  CHECK_EQ(memcmp(text, "321", 3), 0);
  abi_get("buffered", text, sizeof(text));
  CHECK_STR(text, "flushed");

  // The end closes its files: readers see the end, locks go, before the parent hears of it.
  pid = FORK({
    int fd = OK(open("lock", O_RDWR | O_CREAT, 0600));
    OK(flock(fd, LOCK_EX));
    OK(dup2(fds[1], 100));
    OK(close(fds[1]));
    raise(SIGKILL);
  });
  OK(close(fds[1]));
  WAIT_SIGNAL(pid, SIGKILL);
  CHECK_EQ(read(fds[0], text, 1), 0);
  OK(flock(OK(open("lock", O_RDWR)), LOCK_EX | LOCK_NB));

  // The process ends in a system call of any kind, when a thread calls exit_group.
  const char* kinds = "rpwfs";
  for (const char* kind = kinds; *kind; kind++) {
    pid = FORK({
      int in[2];
      OK(pipe(in));
      pthread_t thread;
      ZERO(pthread_create(&thread, NULL, sleeper, NULL));
      pid_t main_tid = abi_tid();
      pid_t watcher = fork();
      if (watcher == 0) {
        abi_await_state(main_tid, 'S');
        kill(main_tid, SIGTERM);
        _exit(0);
      }
      char c;
      int word = 0;

      switch (*kind) {
        case 'r':
          read(in[0], &c, 1);
          break;
        case 'p':
          pause();
          break;
        case 'w':
          waitpid(watcher, NULL, WSTOPPED | __WALL), pause();
          break;
        case 'f':
          syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0);
          break;
        case 's':
          nanosleep(&(struct timespec){.tv_sec = 1000}, NULL);
          break;
      }
      for (;;) pause();
    });
    WAIT_SIGNAL(pid, SIGTERM);
  }
  // vm of a big one goes quickly and wholly: again and again.
  for (int i = 0; i < 5; i++) {
    pid = FORK({
      char* p = OK(mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      for (int k = 0; k < 16 << 20; k += 4096) p[k] = 1;
      _exit(p[4096]);
    });
    WAIT_EXIT(pid, 1);
  }
  return 0;
}
