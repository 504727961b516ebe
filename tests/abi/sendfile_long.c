// sendfile(2) of much: others on the same CPU get their turn meanwhile, and the sender can be killed.
#include <sys/sendfile.h>

#include "abi.h"

int main(void) {
  enum { kSize = 0x7ffff000 };
  struct Shared {
    atomic_int begun, ended;
  }* shared = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(OK(sched_getcpu()), &one);
  OK(sched_setaffinity(0, sizeof(one), &one));
  int in = OK(memfd_create("hole", 0)), out = OK(open("/dev/null", O_WRONLY));
  OK(ftruncate(in, kSize));

  pid_t sender = OK(fork());
  if (sender == 0) {
    shared->begun = 1;
    for (int i = 0; i < 16; i++) {
      off_t start = 0;
      CHECK_EQ(sendfile(out, in, &start, kSize), kSize);
      shared->ended++;
    }
    _exit(0);
  }
  while (!shared->begun) sched_yield();
  struct timespec moment = {.tv_nsec = 2000000};
  OK(nanosleep(&moment, NULL));
  CHECK_EQ(shared->ended, 0);
  OK(kill(sender, SIGKILL));
  WAIT_SIGNAL(sender, SIGKILL);
  CHECK_EQ(shared->ended, 0);
  return 0;
}
