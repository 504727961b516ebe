// semget(2), semop(2), semctl(2).
#include <sys/ipc.h>
#include <sys/sem.h>

#include "abi.h"

union semun {
  int val;
  struct semid_ds* buf;
  unsigned short* array;
  struct seminfo* info;
};

static int value(int id, int n) { return OK(semctl(id, n, GETVAL)); }
static void set(int id, int n, int v) { OK(semctl(id, n, SETVAL, (union semun){.val = v})); }
static int op(int id, int n, int change, int flags) {
  struct sembuf o = {n, change, flags};
  return semop(id, &o, 1);
}
// Until somebody sleeps on the semaphore.
static void wait_for_sleeper(int id, int n, int command, int count) {
  while (OK(semctl(id, n, command)) != count) sched_yield();
}

static void values(void) {
  int id = OK(semget(IPC_PRIVATE, 3, 0600));
  CHECK_EQ(value(id, 0), 0);
  CHECK_EQ(OK(semctl(id, 0, GETPID)), 0);
  unsigned short all[3] = {4, 5, 6};
  OK(semctl(id, 0, SETALL, (union semun){.array = all}));
  unsigned short got[3];
  OK(semctl(id, 0, GETALL, (union semun){.array = got}));
  CHECK_EQ(memcmp(all, got, sizeof(all)), 0);
  ZERO(op(id, 1, -5, 0));
  ZERO(op(id, 1, 0, 0));
  FAILS(op(id, 1, -1, IPC_NOWAIT), EAGAIN);
  FAILS(op(id, 0, 0, IPC_NOWAIT), EAGAIN);
  CHECK_EQ(OK(semctl(id, 1, GETPID)), getpid());
  // All or none, in order.
  struct sembuf both[] = {{0, -4, 0}, {1, -1, IPC_NOWAIT}};
  FAILS(semop(id, both, 2), EAGAIN);
  CHECK_EQ(value(id, 0), 4);
  struct sembuf same[] = {{0, -4, 0}, {0, 0, 0}, {0, 7, 0}};
  ZERO(semop(id, same, 3));
  CHECK_EQ(value(id, 0), 7);
  set(id, 2, 32767);
  FAILS(op(id, 2, 1, 0), ERANGE);
  FAILS(semctl(id, 2, SETVAL, (union semun){.val = 32768}), ERANGE);
  FAILS(semctl(id, 2, SETVAL, (union semun){.val = -1}), ERANGE);
  FAILS(op(id, 3, 1, 0), EFBIG);
  FAILS(semctl(id, 3, GETVAL), EINVAL);
  FAILS(semctl(id, -1, GETVAL), EINVAL);
  FAILS(semop(id, both, 0), EINVAL);
  FAILS(semop(-1, both, 1), EINVAL);
  FAILS(semop(id, both, 501), E2BIG);
  FAILS(semop(id, (void*)8, 1), EFAULT);
  struct semid_ds s;
  OK(semctl(id, 0, IPC_STAT, (union semun){.buf = &s}));
  CHECK_EQ(s.sem_nsems, 3);
  CHECK(s.sem_otime > 0 && s.sem_ctime > 0);
  CHECK_EQ(s.sem_perm.mode, 0600);
  OK(semctl(id, 0, IPC_RMID));
  FAILS(semctl(id, 0, GETVAL), EINVAL);
  FAILS(op(id, 0, 1, 0), EINVAL);
}

static void keys(void) {
  key_t key = 0x5eed0000 + getpid();
  FAILS(semget(key, 2, 0), ENOENT);
  FAILS(semget(key, 0, IPC_CREAT | 0600), EINVAL);
  FAILS(semget(key, 32001, IPC_CREAT | 0600), EINVAL);
  int id = OK(semget(key, 2, IPC_CREAT | 0640));
  FAILS(semget(key, 2, IPC_CREAT | IPC_EXCL | 0640), EEXIST);
  CHECK_EQ(OK(semget(key, 0, 0)), id);
  FAILS(semget(key, 3, 0), EINVAL);
  IN_CHILD({
    OK(setgid(1000));
    OK(setuid(1000));
    FAILS(op(id, 0, 1, 0), EACCES);
    FAILS(semctl(id, 0, GETVAL), EACCES);
    FAILS(semctl(id, 0, SETVAL, (union semun){.val = 1}), EACCES);
    FAILS(semctl(id, 0, IPC_RMID), EPERM);
  });
  struct seminfo info;
  int highest = OK(semctl(0, 0, SEM_INFO, (union semun){.info = &info}));
  CHECK(info.semusz >= 1 && info.semaem >= 2);
  bool found = false;
  struct semid_ds s;
  for (int i = 0; i <= highest; i++) found |= semctl(i, 0, SEM_STAT, (union semun){.buf = &s}) == id;
  CHECK(found);
  OK(semctl(0, 0, IPC_INFO, (union semun){.info = &info}));
  CHECK_EQ(info.semvmx, 32767);
  CHECK_EQ(info.semopm, 500);
  OK(semctl(id, 0, IPC_RMID));
}

static void on_signal(int number) { (void)number; }

static void sleeping(void) {
  int id = OK(semget(IPC_PRIVATE, 2, 0600));
  pid_t child = FORK(ZERO(op(id, 0, -2, 0)); ZERO(op(id, 1, 1, 0)));
  wait_for_sleeper(id, 0, GETNCNT, 1);
  ZERO(op(id, 0, 1, 0));
  CHECK_EQ(OK(semctl(id, 0, GETNCNT)), 1);
  ZERO(op(id, 0, 1, 0));
  ZERO(op(id, 1, -1, 0));
  CHECK_EQ(value(id, 0), 0);
  WAIT_OK(child);
  // A zero that is gone again has been there for whoever waits for it.
  set(id, 0, 1);
  child = FORK(ZERO(op(id, 0, 0, 0)));
  wait_for_sleeper(id, 0, GETZCNT, 1);
  struct sembuf down_up[] = {{0, -1, 0}};
  ZERO(semop(id, down_up, 1));
  ZERO(op(id, 0, 1, 0));
  WAIT_OK(child);
  // What is given goes to the sleeper, not to who comes again first.
  set(id, 0, 0);
  child = FORK(ZERO(op(id, 0, -1, 0)));
  wait_for_sleeper(id, 0, GETNCNT, 1);
  ZERO(op(id, 0, 1, 0));
  FAILS(op(id, 0, -1, IPC_NOWAIT), EAGAIN);
  WAIT_OK(child);
  // Removal, signals (never restarted) and time.
  child = FORK(FAILS(op(id, 0, -1, 0), EIDRM));
  wait_for_sleeper(id, 0, GETNCNT, 1);
  OK(semctl(id, 0, IPC_RMID));
  WAIT_OK(child);
  id = OK(semget(IPC_PRIVATE, 1, 0600));
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  OK(sigaction(SIGUSR1, &action, NULL));
  child = FORK(FAILS(op(id, 0, -1, 0), EINTR));
  wait_for_sleeper(id, 0, GETNCNT, 1);
  OK(kill(child, SIGUSR1));
  WAIT_OK(child);
  CHECK_EQ(OK(semctl(id, 0, GETNCNT)), 0);
  struct timespec brief = {0, 10000000};
  struct sembuf down = {0, -1, 0};
  FAILS(semtimedop(id, &down, 1, &brief), EAGAIN);
  struct timespec wrong = {0, 1000000000};
  FAILS(semtimedop(id, &down, 1, &wrong), EINVAL);
  OK(semctl(id, 0, IPC_RMID));
}

static void undo(void) {
  int id = OK(semget(IPC_PRIVATE, 2, 0600));
  set(id, 0, 5);
  IN_CHILD({
    ZERO(op(id, 0, -3, SEM_UNDO));
    ZERO(op(id, 1, 4, SEM_UNDO));
    ZERO(op(id, 1, -1, 0));
    CHECK_EQ(value(id, 0), 2);
  });
  CHECK_EQ(value(id, 0), 5);
  CHECK_EQ(value(id, 1), 0);  // not below
  // A child has none of its parent's; SETVAL makes processes forget.
  IN_CHILD({
    ZERO(op(id, 0, -3, SEM_UNDO));
    IN_CHILD(ZERO(op(id, 0, -1, 0)));
    CHECK_EQ(value(id, 0), 1);
    set(id, 0, 9);
  });
  CHECK_EQ(value(id, 0), 9);
  // A death lets others go on.
  set(id, 0, 1);
  pid_t holder = FORK(ZERO(op(id, 0, -1, SEM_UNDO)); ZERO(op(id, 1, 1, 0)); pause());
  ZERO(op(id, 1, -1, 0));
  pid_t waiter = FORK(ZERO(op(id, 0, -1, SEM_UNDO)));
  wait_for_sleeper(id, 0, GETNCNT, 1);
  OK(kill(holder, SIGKILL));
  WAIT_SIGNAL(holder, SIGKILL);
  WAIT_OK(waiter);
  CHECK_EQ(value(id, 0), 1);
  OK(semctl(id, 0, IPC_RMID));
}

static int g_id;

static void* takes(void* arg) {
  ZERO(op(g_id, 0, -1, SEM_UNDO));
  return arg;
}

// Threads share what is taken back: only the end of the process does it.
static void threads(void) {
  g_id = OK(semget(IPC_PRIVATE, 1, 0600));
  set(g_id, 0, 3);
  IN_CHILD({
    pthread_t t;
    ZERO(pthread_create(&t, NULL, takes, NULL));
    ZERO(pthread_join(t, NULL));
    takes(NULL);
    CHECK_EQ(value(g_id, 0), 1);
  });
  CHECK_EQ(value(g_id, 0), 3);
  // Four processes, one after the other in the section.
  set(g_id, 0, 1);
  int* shared = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pid_t children[4];
  for (int i = 0; i < 4; i++)
    children[i] = FORK(for (int k = 0; k < 300; k++) {
      ZERO(op(g_id, 0, -1, SEM_UNDO));
      volatile int* v = shared;
      int before = *v;
      if (k % 16 == 0) sched_yield();
      *v = before + 1;
      ZERO(op(g_id, 0, 1, SEM_UNDO));
    });
  for (int i = 0; i < 4; i++) WAIT_OK(children[i]);
  CHECK_EQ(*shared, 1200);
  OK(semctl(g_id, 0, IPC_RMID));
}

int main(void) {
  values();
  keys();
  sleeping();
  undo();
  threads();
  return 0;
}
