// IPC namespaces: System V objects and POSIX message queues (ipc_namespaces(7)).
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "abi.h"

// Opens a file of a proc that nothing makes read-only.
static int open_proc(const char* name, int flags) {
  char path[128];
  OK(mkdir("proc", 0755));
  OK(mount("proc", "proc", "proc", 0, NULL));
  snprintf(path, sizeof(path), "proc/%s", name);
  int fd = OK(open(path, flags));
  OK(umount2("proc", MNT_DETACH));
  OK(rmdir("proc"));
  return fd;
}

#define KEY 0x6e730001

static int lines(const char* path) {
  char text[16384];
  int fd = OK(open(path, O_RDONLY)), n = 0;
  long size = OK(read(fd, text, sizeof(text)));
  for (long i = 0; i < size; i++) n += text[i] == '\n';
  OK(close(fd));
  return n - 1;  // the head
}

static void sysv(void) {
  int sem = OK(semget(KEY, 1, IPC_CREAT | 0600)), msg = OK(msgget(KEY, IPC_CREAT | 0600)),
      shm = OK(shmget(KEY, 4096, IPC_CREAT | 0600));
  char* at = shmat(shm, NULL, 0);
  CHECK(at != (void*)-1);
  strcpy(at, "outside");
  int undo = OK(semget(IPC_PRIVATE, 1, 0600));
  OK(semctl(undo, 0, SETVAL, 5));
  int home = OK(open("/proc/self/ns/ipc", O_RDONLY)), here = lines("/proc/sysvipc/sem");
  IN_CHILD({
    struct sembuf take = {0, -2, SEM_UNDO};
    OK(semop(undo, &take, 1));
    OK(unshare(CLONE_NEWIPC));
    CHECK_EQ(lines("/proc/sysvipc/sem"), 0);
    CHECK_EQ(lines("/proc/sysvipc/msg"), 0);
    CHECK_EQ(lines("/proc/sysvipc/shm"), 0);
    FAILS(semget(KEY, 1, 0600), ENOENT);
    FAILS(msgget(KEY, 0600), ENOENT);
    FAILS(shmget(KEY, 4096, 0600), ENOENT);
    FAILS(shmctl(shm, IPC_RMID, NULL), EINVAL);
    // What is mapped stays, and can be let go.
    CHECK_STR(at, "outside");
    OK(shmdt(at));
    int own = OK(semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600));
    OK(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600));
    OK(shmget(KEY, 8192, IPC_CREAT | IPC_EXCL | 0600));
    CHECK_EQ(lines("/proc/sysvipc/sem"), 1);
    OK(semctl(own, 2, SETVAL, 9));
    IN_CHILD({ CHECK_EQ(OK(semctl(OK(semget(KEY, 3, 0)), 2, GETVAL)), 9); });
    OK(setns(home, CLONE_NEWIPC));
    CHECK_EQ(OK(semget(KEY, 1, 0600)), sem);
    // Taken back when it left.
    CHECK_EQ(OK(semctl(undo, 0, GETVAL)), 5);
  });
  CHECK_EQ(OK(semget(KEY, 1, 0600)), sem);
  CHECK_EQ(OK(msgget(KEY, 0600)), msg);
  CHECK_EQ(OK(shmget(KEY, 4096, 0600)), shm);
  CHECK_EQ(lines("/proc/sysvipc/sem"), here);
  OK(semctl(undo, 0, IPC_RMID));
  OK(semctl(sem, 0, IPC_RMID));
  OK(msgctl(msg, IPC_RMID, NULL));
  OK(shmctl(shm, IPC_RMID, NULL));
  OK(shmdt(at));
  OK(close(home));
}

// The objects go with the last task.
static void last_task(void) {
  for (int i = 0; i < 20; i++)
    IN_CHILD({
      OK(unshare(CLONE_NEWIPC));
      int shm = OK(shmget(IPC_PRIVATE, 1 << 20, 0600));
      char* at = shmat(shm, NULL, 0);
      CHECK(at != (void*)-1);
      memset(at, 1, 1 << 20);
      OK(semget(IPC_PRIVATE, 100, 0600));
      OK(msgget(IPC_PRIVATE, 0600));
    });
  // One that is mapped outside of its namespace lives on.
  IN_CHILD({
    int home = OK(open("/proc/self/ns/ipc", O_RDONLY));
    OK(unshare(CLONE_NEWIPC));
    int shm = OK(shmget(IPC_PRIVATE, 4096, 0600));
    char* at = shmat(shm, NULL, 0);
    CHECK(at != (void*)-1);
    strcpy(at, "left");
    OK(setns(home, 0));
    CHECK_STR(at, "left");
    IN_CHILD({
      CHECK_STR(at, "left");
      OK(shmdt(at));
    });
    OK(shmdt(at));
    FAILS(shmdt(at), EINVAL);
  });
}

static void queues(void) {
  struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 64};
  mq_unlink("/ns");
  mqd_t outer = OK(mq_open("/ns", O_RDWR | O_CREAT | O_EXCL, 0600, &attributes));
  OK(mq_send(outer, "outer", 6, 0));
  IN_CHILD({
    char text[64];
    OK(unshare(CLONE_NEWIPC));
    FAILS(mq_open("/ns", O_RDWR), ENOENT);
    mqd_t inner = OK(mq_open("/ns", O_RDWR | O_CREAT | O_EXCL, 0600, &attributes));
    OK(mq_send(inner, "inner", 6, 0));
    // An open one is what it is.
    CHECK_EQ(OK(mq_receive(outer, text, sizeof(text), NULL)), 6);
    CHECK_STR(text, "outer");
    CHECK_EQ(OK(mq_receive(inner, text, sizeof(text), NULL)), 6);
    CHECK_STR(text, "inner");
    // Limits are the namespace's.
    int fd = open_proc("sys/fs/mqueue/msg_max", O_WRONLY);
    OK(write(fd, "7\n", 2));
    OK(close(fd));
  });
  char text[16];
  int fd = OK(open("/proc/sys/fs/mqueue/msg_max", O_RDONLY));
  long n = OK(read(fd, text, sizeof(text) - 1));
  text[n] = 0;
  CHECK(strcmp(text, "7\n") != 0);
  OK(close(fd));
  struct mq_attr got;
  OK(mq_getattr(outer, &got));
  CHECK_EQ(got.mq_curmsgs, 0);
  OK(mq_close(outer));
  OK(mq_unlink("/ns"));
}

// What queues of namespaces that ended took of RLIMIT_MSGQUEUE is given back.
static void charges(void) {
  struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = 8192};
  for (int i = 0; i < 30; i++)
    IN_CHILD({
      OK(unshare(CLONE_NEWIPC));
      for (int k = 0; k < 4; k++) {
        char name[16];
        snprintf(name, sizeof(name), "/q%d", k);
        // Linux takes its time to give back.
        while (mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes) < 0) {
          CHECK_EQ(errno, EMFILE);
          sched_yield();
        }
      }
    });
}

int main(void) {
  abi_scratch();
  struct rlimit limit = {819200, 819200};
  OK(setrlimit(RLIMIT_MSGQUEUE, &limit));
  sysv();
  last_task();
  queues();
  charges();
  return 0;
}
