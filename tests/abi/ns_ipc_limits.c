// The sysctls of System V IPC act, each in its namespace (proc_sys_kernel(5)).
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "abi.h"

static void put(const char* name, const char* value) {
  char path[64];
  snprintf(path, sizeof(path), "proc/sys/kernel/%s", name);
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
  OK(close(fd));
}

static void is(const char* name, const char* value) {
  char path[64], buf[128];
  snprintf(path, sizeof(path), "proc/sys/kernel/%s", name);
  int fd = OK(open(path, O_RDONLY));
  ssize_t n = OK(read(fd, buf, sizeof(buf) - 1));
  buf[n] = 0;
  CHECK_STR(buf, value);
  OK(close(fd));
}

static void refused(const char* name, const char* value) {
  char path[64];
  snprintf(path, sizeof(path), "proc/sys/kernel/%s", name);
  int fd = OK(open(path, O_WRONLY));
  FAILS(write(fd, value, strlen(value)), EINVAL);
  OK(close(fd));
}

static void segments(void) {
  put("shmmax", "8192\n");
  is("shmmax", "8192\n");
  FAILS(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
  int a = OK(shmget(IPC_PRIVATE, 8192, 0600));
  put("shmall", "3");
  FAILS(shmget(IPC_PRIVATE, 8192, 0600), ENOSPC);
  int b = OK(shmget(IPC_PRIVATE, 4096, 0600));
  put("shmall", "1000");
  put("shmmni", "2");
  FAILS(shmget(IPC_PRIVATE, 4096, 0600), ENOSPC);
  struct shminfo info;
  OK(shmctl(0, IPC_INFO, (struct shmid_ds*)&info));
  CHECK_EQ(info.shmmax, 8192);
  CHECK_EQ(info.shmmni, 2);
  CHECK_EQ(info.shmall, 1000);
  refused("shmmni", "32769");
  refused("shmmni", "nothing");
  OK(shmctl(a, IPC_RMID, NULL));
  OK(shmctl(b, IPC_RMID, NULL));
}

static void messages(void) {
  struct {
    long type;
    char text[64];
  } m = {1, ""};
  put("msgmax", "32");
  put("msgmnb", "64");
  int q = OK(msgget(IPC_PRIVATE, 0600));
  FAILS(msgsnd(q, &m, 33, IPC_NOWAIT), EINVAL);
  OK(msgsnd(q, &m, 32, IPC_NOWAIT));
  OK(msgsnd(q, &m, 32, IPC_NOWAIT));
  FAILS(msgsnd(q, &m, 1, IPC_NOWAIT), EAGAIN);
  put("msgmni", "1");
  FAILS(msgget(IPC_PRIVATE, 0600), ENOSPC);
  struct msginfo info;
  OK(msgctl(0, IPC_INFO, (struct msqid_ds*)&info));
  CHECK_EQ(info.msgmax, 32);
  CHECK_EQ(info.msgmnb, 64);
  CHECK_EQ(info.msgmni, 1);
  OK(msgctl(q, IPC_RMID, NULL));
}

static void semaphores(void) {
  put("sem", "5 8 2 3\n");
  is("sem", "5\t8\t2\t3\n");
  FAILS(semget(IPC_PRIVATE, 6, 0600), EINVAL);
  int a = OK(semget(IPC_PRIVATE, 5, 0600));
  FAILS(semget(IPC_PRIVATE, 4, 0600), ENOSPC);
  struct sembuf ops[3] = {{0, 1, 0}, {1, 1, 0}, {2, 1, 0}};
  FAILS(semop(a, ops, 3), E2BIG);
  OK(semop(a, ops, 2));
  put("sem", "5 100");
  is("sem", "5\t100\t2\t3\n");
  int b = OK(semget(IPC_PRIVATE, 4, 0600)), c = OK(semget(IPC_PRIVATE, 1, 0600));
  FAILS(semget(IPC_PRIVATE, 1, 0600), ENOSPC);
  OK(semctl(a, 0, IPC_RMID));
  OK(semctl(b, 0, IPC_RMID));
  OK(semctl(c, 0, IPC_RMID));
}

int main(void) {
  OK(unshare(CLONE_NEWIPC | CLONE_NEWNS));
  abi_scratch();
  // A proc whose settings nobody has made read-only.
  OK(mkdir("proc", 0755));
  OK(mount("none", "proc", "proc", 0, NULL));
  segments();
  messages();
  semaphores();
  // Another namespace has what Linux starts with.
  OK(unshare(CLONE_NEWIPC));
  is("msgmax", "8192\n");
  is("shmmni", "4096\n");
  is("sem", "32000\t1024000000\t500\t32000\n");
  OK(umount("proc"));
  return 0;
}
