// fork(2): what the child has of its own and what it shares.
#include "abi.h"

int g_data = 1;

int main(void) {
  abi_scratch();
  pid_t parent = getpid();
  atomic_int* shared = abi_shared(4096);
  abi_put("f", "abcdef");
  int fd = OK(open("f", O_RDONLY));
  int local = 1;
  char* heap = malloc(100000);
  memset(heap, 'p', 100000);
  abi_handle(SIGUSR1, SIG_IGN, 0);
  OK(alarm(100));

  pid_t pid = FORK({
    CHECK_EQ(getppid(), parent);
    CHECK(getpid() != parent);
    CHECK_EQ(getpid(), abi_tid());
    g_data = local = 2;
    memset(heap, 'c', 100000);
    // The file position is common, the descriptor is not.
    char c[2];
    CHECK_EQ(read(fd, c, 2), 2);
    CHECK_EQ(c[1], 'b');
    OK(close(fd));
    OK(open("f", O_RDONLY));
    // Dispositions are inherited, alarms and pending signals are not.
    struct sigaction action;
    OK(sigaction(SIGUSR1, NULL, &action));
    CHECK_EQ(action.sa_handler, SIG_IGN);
    CHECK_EQ(alarm(0), 0);
    OK(chdir("/"));
    umask(077);
    atomic_store(shared, getpid());
  });
  WAIT_OK(pid);
  CHECK_EQ(atomic_load(shared), pid);
  CHECK_EQ(g_data, 1);
  CHECK_EQ(local, 1);
  for (int i = 0; i < 100000; i += 4096) CHECK_EQ(heap[i], 'p');
  CHECK(alarm(0) > 0);
  char c;
  CHECK_EQ(read(fd, &c, 1), 1);
  CHECK_EQ(c, 'c');
  CHECK(abi_exists("f"));
  CHECK_EQ(umask(022), 022);

  // Pending signals stay with the parent.
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  OK(raise(SIGUSR2));
  IN_CHILD({
    OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR2));
    sigset_t mask;
    OK(sigprocmask(SIG_BLOCK, NULL, &mask));
    CHECK(sigismember(&mask, SIGUSR2));
  });
  OK(sigpending(&pending));
  CHECK(sigismember(&pending, SIGUSR2));

  // Several at once, in generations.
  pid_t children[10];
  for (int i = 0; i < 10; i++) children[i] = FORK(IN_CHILD(atomic_fetch_add(shared + 1, i + 1)));
  for (int i = 0; i < 10; i++) WAIT_OK(children[i]);
  CHECK_EQ(atomic_load(shared + 1), 55);
  FAILS(waitpid(-1, NULL, 0), ECHILD);
  return 0;
}
