// A program that executes itself again and again: pid, parent, descriptors and directory stay, memory does
// not pile up.
#include "abi.h"

int main(int argc, char** argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 0;
  if (rounds == 0) {
    abi_scratch();
    abi_put("f", "0123456789012345678901234567890123456789");
    int fd = OK(open("f", O_RDONLY));
    CHECK_EQ(dup2(fd, 30), 30);
    OK(setenv("FIRST_PID", "", 1));
  }
  char number[16], pid[16];
  snprintf(pid, sizeof(pid), "%d", getpid());
  if (rounds > 0) {
    CHECK_STR(getenv("FIRST_PID"), pid);
    char c;
    CHECK_EQ(read(30, &c, 1), 1);
    CHECK_EQ(c, '0' + (rounds - 1) % 10);
    CHECK(abi_exists("f"));
    FAILS(fcntl(31, F_GETFD), EBADF);
    CHECK_EQ(umask(027), rounds == 1 ? 022 : 027);
    sigset_t set;
    OK(sigprocmask(SIG_BLOCK, NULL, &set));
    CHECK(sigismember(&set, SIGUSR1));
  }
  if (rounds == 25) {
    char text[4096];
    abi_get("/proc/self/status", text, sizeof(text));
    char* at = strstr(text, "VmRSS:");
    CHECK(at && atol(at + 6) < 50000);
    return 0;
  }
  OK(setenv("FIRST_PID", pid, 1));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  OK(dup3(30, 31, O_CLOEXEC));
  // Much memory, and threads: all gone with the next.
  char* block = malloc(4 << 20);
  memset(block, rounds, 4 << 20);
  snprintf(number, sizeof(number), "%d", rounds + 1);
  char* args[] = {argv[0], number, NULL};
  OK(execv(argv[0], args));
  return 1;
}
