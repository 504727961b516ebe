// msgrcv(2) with MSG_COPY, shmctl(2) with SHM_LOCK and SHM_STAT_ANY, semctl(2) of all values: less used
// calls.
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "abi.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

struct message {
  long type;
  char text[32];
};
union semun {
  int val;
  struct semid_ds* buf;
  unsigned short* array;
  struct seminfo* info;
};

static void messages(void) {
  int q = OK(msgget(IPC_PRIVATE, 0600));
  struct message m;
  for (int i = 0; i < 3; i++) {
    m.type = 10 - i;
    snprintf(m.text, sizeof(m.text), "message %d", i);
    OK(msgsnd(q, &m, 10, 0));
  }
  // The n-th, whatever its type; it stays.
  for (int i = 2; i >= 0; i--) {
    CHECK_EQ(msgrcv(q, &m, 32, i, MSG_COPY | IPC_NOWAIT), 10);
    CHECK_EQ(m.type, 10 - i);
    CHECK_EQ(m.text[8], '0' + i);
  }
  FAILS(msgrcv(q, &m, 32, 3, MSG_COPY | IPC_NOWAIT), ENOMSG);
  FAILS(msgrcv(q, &m, 32, 0, MSG_COPY), EINVAL);
  FAILS(msgrcv(q, &m, 32, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT), EINVAL);
  FAILS(msgrcv(q, &m, 5, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
  FAILS(msgrcv(q, &m, 5, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR), EINVAL);  // a copy is whole or none
  struct msqid_ds ds;
  OK(msgctl(q, IPC_STAT, &ds));
  CHECK_EQ(ds.msg_qnum, 3);
  CHECK_EQ(ds.__msg_cbytes, 30);
  // By negative type: the lowest first.
  CHECK_EQ(msgrcv(q, &m, 32, -9, 0), 10);
  CHECK_EQ(m.type, 8);
  CHECK_EQ(msgrcv(q, &m, 32, 10, MSG_EXCEPT), 10);
  CHECK_EQ(m.type, 9);
  OK(msgctl(q, IPC_STAT, &ds));
  CHECK_EQ(ds.msg_qnum, 1);
  CHECK_EQ(ds.msg_lrpid, getpid());
  CHECK_EQ(ds.msg_lspid, getpid());
  OK(msgctl(q, IPC_RMID, NULL));
  FAILS(msgrcv(q, &m, 32, 0, IPC_NOWAIT), EINVAL);
}

static void by_index(void) {
  int id = OK(shmget(IPC_PRIVATE, 5000, 0600));
  struct shm_info info;
  int top = OK(shmctl(0, SHM_INFO, (void*)&info));
  bool found = false;
  for (int i = 0; i <= top; i++) {
    struct shmid_ds ds;
    int got = shmctl(i, SHM_STAT_ANY, &ds);
    if (got == id) {
      found = true;
      CHECK_EQ(ds.shm_segsz, 5000);
      CHECK_EQ(ds.shm_cpid, getpid());
      CHECK_EQ(ds.shm_nattch, 0);
      CHECK_EQ(ds.shm_perm.mode & 0777, 0600);
    }
  }
  CHECK(found);
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    struct shmid_ds ds;
    FAILS(shmctl(id, IPC_STAT, &ds), EACCES);
    bool seen = false;
    for (int i = 0; i <= top; i++) {
      if (shmctl(i, SHM_STAT, &ds) == id) FAIL("SHM_STAT without permission");
      if (shmctl(i, SHM_STAT_ANY, &ds) == id) seen = true;
    }
    CHECK(seen);
    FAILS(shmctl(id, SHM_LOCK, NULL), EPERM);
    FAILS(shmctl(id, IPC_RMID, NULL), EPERM);
    FAILS(shmat(id, NULL, 0), EACCES);
  });
  OK(shmctl(id, SHM_LOCK, NULL));
  struct shmid_ds ds;
  OK(shmctl(id, IPC_STAT, &ds));
  CHECK(ds.shm_perm.mode & SHM_LOCKED);
  OK(shmctl(id, SHM_UNLOCK, NULL));
  OK(shmctl(id, IPC_STAT, &ds));
  CHECK_EQ(ds.shm_perm.mode & SHM_LOCKED, 0);
  // Removed while attached: the mode says so, and it goes with the last one.
  char* at = OK(shmat(id, NULL, 0));
  at[4999] = 'e';
  OK(shmctl(id, IPC_RMID, NULL));
  OK(shmctl(id, IPC_STAT, &ds));
  CHECK(ds.shm_perm.mode & SHM_DEST);
  CHECK_EQ(ds.shm_perm.__key, IPC_PRIVATE);
  OK(shmdt(at));
  FAILS(shmctl(id, IPC_STAT, &ds), EINVAL);
}

static void semaphores(void) {
  int id = OK(semget(IPC_PRIVATE, 4, 0600));
  unsigned short values[4] = {1, 2, 3, 4}, got[4];
  OK(semctl(id, 0, SETALL, (union semun){.array = values}));
  OK(semctl(id, 0, GETALL, (union semun){.array = got}));
  CHECK_EQ(memcmp(values, got, sizeof(got)), 0);
  CHECK_EQ(semctl(id, 2, GETVAL), 3);
  CHECK_EQ(semctl(id, 2, GETPID), getpid());
  values[1] = 32768;
  FAILS(semctl(id, 0, SETALL, (union semun){.array = values}), ERANGE);
  CHECK_EQ(semctl(id, 0, GETVAL), 1);
  FAILS(semctl(id, 0, SETVAL, (union semun){.val = -1}), ERANGE);
  FAILS(semctl(id, 4, GETVAL), EINVAL);
  // All or none of several operations, and none of those before the one that would wait.
  struct sembuf ops[3] = {{0, -1, IPC_NOWAIT}, {1, -2, IPC_NOWAIT}, {3, -5, IPC_NOWAIT}};
  FAILS(semop(id, ops, 3), EAGAIN);
  CHECK_EQ(semctl(id, 0, GETVAL), 1);
  CHECK_EQ(semctl(id, 1, GETVAL), 2);
  ops[2].sem_op = -4;
  OK(semop(id, ops, 3));
  OK(semctl(id, 0, GETALL, (union semun){.array = got}));
  CHECK_EQ(got[0] + got[1] + got[3], 0);
  // Waiters for zero and for more are counted apart.
  pid_t zero = FORK({
    struct sembuf op = {2, 0, 0};
    OK(semop(id, &op, 1));
  });
  pid_t more = FORK({
    struct sembuf op = {0, -1, 0};
    OK(semop(id, &op, 1));
  });
  abi_await_state(zero, 'S');
  abi_await_state(more, 'S');
  while (semctl(id, 2, GETZCNT) != 1 || semctl(id, 0, GETNCNT) != 1) sched_yield();
  CHECK_EQ(semctl(id, 2, GETNCNT), 0);
  CHECK_EQ(semctl(id, 0, GETZCNT), 0);
  OK(semctl(id, 2, SETVAL, (union semun){.val = 0}));
  WAIT_OK(zero);
  struct sembuf up = {0, 1, 0};
  OK(semop(id, &up, 1));
  WAIT_OK(more);
  struct sembuf bad = {9, 1, 0};
  FAILS(semop(id, &bad, 1), EFBIG);
  FAILS(semop(id, &up, 0), EINVAL);
  FAILS(semop(id, &up, 501), E2BIG);
  OK(semctl(id, 0, IPC_RMID));
}

int main(void) {
  messages();
  by_index();
  semaphores();
  return 0;
}
