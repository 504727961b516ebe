// kcmp(2): what two tasks share, and in which order the rest stands.
#include <linux/kcmp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/sem.h>

#include "abi.h"

static long kcmp(pid_t a, pid_t b, int type, unsigned long x, unsigned long y) {
  return syscall(SYS_kcmp, a, b, type, x, y);
}

static atomic_int g_tid, g_leave;

static void* thread(void* arg) {
  (void)arg;
  atomic_store(&g_tid, abi_tid());
  while (!atomic_load(&g_leave)) sched_yield();
  return NULL;
}

static void files(void) {
  pid_t me = getpid();
  int a = OK(open("/dev/null", O_RDONLY)), b = OK(open("/dev/null", O_RDONLY)), c = OK(dup(a));
  CHECK_EQ(kcmp(me, me, KCMP_FILE, a, a), 0);
  CHECK_EQ(kcmp(me, me, KCMP_FILE, a, c), 0);
  long order = kcmp(me, me, KCMP_FILE, a, b);
  CHECK(order == 1 || order == 2);
  CHECK_EQ(kcmp(me, me, KCMP_FILE, b, a), 3 - order);
  CHECK_EQ(kcmp(me, me, KCMP_FILE, c, b), order);
  FAILS(kcmp(me, me, KCMP_FILE, a, 999), EBADF);
  FAILS(kcmp(me, me, KCMP_FILE, 999, a), EBADF);
  int place = OK(open("/", O_PATH));
  CHECK_EQ(kcmp(me, me, KCMP_FILE, place, place), 0);
  pid_t parent = me;
  IN_CHILD({
    CHECK_EQ(kcmp(parent, getpid(), KCMP_FILE, a, a), 0);
    CHECK_EQ(kcmp(parent, getpid(), KCMP_FILE, a, c), 0);
    CHECK_EQ(kcmp(parent, getpid(), KCMP_FILE, a, b), order);
    OK(close(a));
    FAILS(kcmp(parent, getpid(), KCMP_FILE, a, a), EBADF);
  });

  // What an epoll watches.
  int epoll = OK(epoll_create1(0)), event_fd = OK(eventfd(0, 0)), other = OK(eventfd(0, 0));
  struct epoll_event event = {.events = EPOLLIN};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, event_fd, &event));
  struct kcmp_epoll_slot slot = {.efd = epoll, .tfd = event_fd, .toff = 0};
  CHECK_EQ(kcmp(me, me, KCMP_EPOLL_TFD, event_fd, (unsigned long)&slot), 0);
  CHECK(kcmp(me, me, KCMP_EPOLL_TFD, other, (unsigned long)&slot) > 0);
  slot.toff = 1;
  FAILS(kcmp(me, me, KCMP_EPOLL_TFD, event_fd, (unsigned long)&slot), ENOENT);
  slot = (struct kcmp_epoll_slot){.efd = epoll, .tfd = other};
  FAILS(kcmp(me, me, KCMP_EPOLL_TFD, event_fd, (unsigned long)&slot), ENOENT);
  slot.efd = a;
  FAILS(kcmp(me, me, KCMP_EPOLL_TFD, event_fd, (unsigned long)&slot), EINVAL);
  slot.efd = 999;
  FAILS(kcmp(me, me, KCMP_EPOLL_TFD, event_fd, (unsigned long)&slot), EBADF);
  FAILS(kcmp(me, me, KCMP_EPOLL_TFD, 999, (unsigned long)&slot), EBADF);
  FAILS(kcmp(me, me, KCMP_EPOLL_TFD, event_fd, 8), EFAULT);
}

int main(void) {
  pid_t me = getpid();
  files();
  for (int type = KCMP_VM; type <= KCMP_SYSVSEM; type++) CHECK_EQ(kcmp(me, me, type, 0, 0), 0);
  FAILS(kcmp(me, me, KCMP_TYPES, 0, 0), EINVAL);
  FAILS(kcmp(me, me, -1, 0, 0), EINVAL);
  FAILS(kcmp(me, 0x3fffffff, KCMP_VM, 0, 0), ESRCH);
  FAILS(kcmp(0x3fffffff, me, 99, 0, 0), ESRCH);
  FAILS(kcmp(0, me, KCMP_VM, 0, 0), ESRCH);

  IN_CHILD(CHECK_EQ(kcmp(me, getpid(), KCMP_SYSVSEM, 0, 0), 0));  // neither has anything to undo

  // Something to undo is a thread's too, and not a child's.
  int set = OK(semget(IPC_PRIVATE, 1, 0600));
  struct sembuf up = {0, 1, SEM_UNDO};
  OK(semop(set, &up, 1));
  IN_CHILD({
    long order = OK(kcmp(me, getpid(), KCMP_SYSVSEM, 0, 0));
    CHECK(order == 1 || order == 2);
    CHECK_EQ(kcmp(getpid(), me, KCMP_SYSVSEM, 0, 0), 3 - order);
  });

  pthread_t t;
  ZERO(pthread_create(&t, NULL, thread, NULL));
  while (atomic_load(&g_tid) == 0) sched_yield();
  for (int type = KCMP_VM; type <= KCMP_SYSVSEM; type++) CHECK_EQ(kcmp(me, g_tid, type, 0, 0), 0);
  atomic_store(&g_leave, 1);
  ZERO(pthread_join(t, NULL));
  OK(semctl(set, 0, IPC_RMID));

  IN_CHILD({
    const int apart[] = {KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND};
    for (int i = 0; i < 4; i++) {
      long order = OK(kcmp(me, getpid(), apart[i], 0, 0));
      CHECK(order == 1 || order == 2);
      CHECK_EQ(kcmp(getpid(), me, apart[i], 0, 0), 3 - order);
    }
  });
  // A child that shares some.
  pid_t child = OK(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
  if (child == 0) {
    CHECK_EQ(kcmp(getppid(), getpid(), KCMP_FILES, 0, 0), 0);
    CHECK(kcmp(getppid(), getpid(), KCMP_FS, 0, 0) > 0);
    _exit(0);
  }
  WAIT_OK(child);

  // A stranger may not ask, and neither about itself and others.
  IN_CHILD({
    OK(setresgid(1000, 1000, 1000));
    OK(setresuid(1000, 1000, 1000));
    FAILS(kcmp(me, getpid(), KCMP_VM, 0, 0), EPERM);
    FAILS(kcmp(getpid(), me, 99, 0, 0), EPERM);
    FAILS(kcmp(getpid(), 0x3fffffff, KCMP_VM, 0, 0), ESRCH);
    CHECK_EQ(kcmp(getpid(), getpid(), KCMP_VM, 0, 0), 0);
    // Of the same user, but not dumpable since the change.
    pid_t mine = getpid();
    IN_CHILD(FAILS(kcmp(mine, getpid(), KCMP_VM, 0, 0), EPERM));
    OK(prctl(PR_SET_DUMPABLE, 1));
    IN_CHILD(CHECK(kcmp(mine, getpid(), KCMP_VM, 0, 0) > 0));
  });
  return 0;
}
