// System V objects as a PID namespace sees who made and used them.
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "abi.h"

static pid_t clone_with(unsigned long flags) {
  return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}
// Columns 1... of the last line of a file: numbers.
static long column(const char* path, int number) {
  char text[16384];
  CHECK(abi_get(path, text, sizeof(text)) > 0);
  char* line = text;
  for (char* next = line; (next = strchr(next, '\n')) && next[1]; next++) line = next + 1;
  char* state;
  char* word = strtok_r(line, " \n", &state);
  while (--number > 0) word = strtok_r(NULL, " \n", &state);
  CHECK(word != NULL);
  return strtol(word, NULL, 10);
}

static int sem, msg, shm;

static void check_inside(void) {
  struct {
    long type;
    char text[4];
  } message = {1, "abc"};
  struct msqid_ds q;
  struct shmid_ds s;
  struct semid_ds set;
  CHECK_EQ(getpid(), 1);
  // By somebody who is nobody here.
  OK(msgctl(msg, IPC_STAT, &q));
  CHECK_EQ(q.msg_lspid, 0);
  CHECK_EQ(q.msg_lrpid, 0);
  OK(shmctl(shm, IPC_STAT, &s));
  CHECK_EQ(s.shm_cpid, 0);
  CHECK_EQ(s.shm_lpid, 0);
  OK(semctl(sem, 0, IPC_STAT, &set));
  CHECK_EQ(semctl(sem, 0, GETPID), 0);
  // By itself.
  OK(msgsnd(msg, &message, 4, 0));
  OK(msgctl(msg, IPC_STAT, &q));
  CHECK_EQ(q.msg_lspid, 1);
  OK(shmdt(shmat(shm, NULL, 0)));
  OK(shmctl(shm, IPC_STAT, &s));
  CHECK_EQ(s.shm_lpid, 1);
  OK(semctl(sem, 0, SETVAL, 3));
  CHECK_EQ(semctl(sem, 0, GETPID), 1);
  CHECK_EQ(column("/proc/sysvipc/msg", 2), msg);
  CHECK_EQ(column("/proc/sysvipc/shm", 2), shm);
  CHECK_EQ(column("/proc/sysvipc/sem", 2), sem);
}

int main(void) {
  OK(unshare(CLONE_NEWIPC));
  sem = OK(semget(IPC_PRIVATE, 1, 0600));
  msg = OK(msgget(IPC_PRIVATE, 0600));
  shm = OK(shmget(IPC_PRIVATE, 4096, 0600));
  struct {
    long type;
    char text[4];
  } message = {1, "abc"};
  OK(semctl(sem, 0, SETVAL, 1));
  OK(msgsnd(msg, &message, 4, 0));
  CHECK_EQ(OK(msgrcv(msg, &message, 4, 0, 0)), 4);
  OK(shmdt(shmat(shm, NULL, 0)));
  pid_t child = OK(clone_with(CLONE_NEWPID));
  if (child == 0) {
    check_inside();
    _exit(0);
  }
  WAIT_OK(child);
  // Who is gone has its number for a while still.
  struct msqid_ds q;
  struct shmid_ds s;
  OK(msgctl(msg, IPC_STAT, &q));
  CHECK_EQ(q.msg_lrpid, getpid());
  OK(shmctl(shm, IPC_STAT, &s));
  CHECK_EQ(s.shm_cpid, getpid());
  CHECK_EQ(column("/proc/sysvipc/shm", 5), getpid());
  CHECK_EQ(column("/proc/sysvipc/msg", 7), getpid());
  return 0;
}
