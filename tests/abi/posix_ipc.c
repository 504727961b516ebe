// POSIX shared memory and named semaphores between processes: shm_overview(7), sem_overview(7).
#include <semaphore.h>

#include "abi.h"

static char g_name[64];

static void semaphores(void) {
  snprintf(g_name, sizeof(g_name), "/abi-sem-%d", getpid());
  sem_t* s = sem_open(g_name, O_CREAT | O_EXCL, 0600, 2);
  CHECK(s != SEM_FAILED);
  CHECK(sem_open(g_name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED);
  CHECK_EQ(errno, EEXIST);
  CHECK(sem_open("/abi-sem-none", 0) == SEM_FAILED);
  CHECK_EQ(errno, ENOENT);
  CHECK(sem_open("/a/b", O_CREAT, 0600, 1) == SEM_FAILED);
  int value;
  OK(sem_getvalue(s, &value));
  CHECK_EQ(value, 2);
  OK(sem_wait(s));
  OK(sem_trywait(s));
  FAILS(sem_trywait(s), EAGAIN);
  struct timespec past = {1, 0};
  FAILS(sem_timedwait(s, &past), ETIMEDOUT);
  FAILS(sem_timedwait(s, &(struct timespec){1, 1000000000}), EINVAL);
  // Ping-pong with a child that opens it by name.
  char other[80];
  snprintf(other, sizeof(other), "%s-back", g_name);
  sem_t* back = sem_open(other, O_CREAT | O_EXCL, 0600, 0);
  CHECK(back != SEM_FAILED);
  pid_t pid = FORK({
    sem_t* mine = sem_open(g_name, 0);
    sem_t* answer = sem_open(other, 0);
    CHECK(mine != SEM_FAILED && answer != SEM_FAILED);
    for (int i = 0; i < 100; i++) {
      OK(sem_wait(mine));
      OK(sem_post(answer));
    }
  });
  for (int i = 0; i < 100; i++) {
    OK(sem_post(s));
    OK(sem_wait(back));
  }
  WAIT_OK(pid);
  // Unlinked it works on for those who have it; the name is free.
  OK(sem_unlink(g_name));
  FAILS(sem_unlink(g_name), ENOENT);
  OK(sem_post(s));
  OK(sem_wait(s));
  sem_t* fresh = sem_open(g_name, O_CREAT | O_EXCL, 0600, 7);
  CHECK(fresh != SEM_FAILED);
  OK(sem_getvalue(s, &value));
  CHECK_EQ(value, 0);
  OK(sem_unlink(g_name));
  OK(sem_unlink(other));
  OK(sem_close(s));
  OK(sem_close(fresh));
  OK(sem_close(back));
}

static void on_signal(int signal) { (void)signal; }

// Waiters in several processes: each post lets one go; one that dies waiting takes none with it.
static void waiters(void) {
  sem_t* s = abi_shared(4096);
  OK(sem_init(s, 1, 0));
  pid_t pids[4];
  for (int i = 0; i < 4; i++) pids[i] = FORK(OK(sem_wait(s)));
  for (int i = 0; i < 4; i++) abi_await_state(pids[i], 'S');
  OK(kill(pids[1], SIGKILL));
  WAIT_SIGNAL(pids[1], SIGKILL);
  for (int i = 0; i < 3; i++) OK(sem_post(s));
  WAIT_OK(pids[0]);
  WAIT_OK(pids[2]);
  WAIT_OK(pids[3]);
  FAILS(sem_trywait(s), EAGAIN);
  abi_handle(SIGUSR1, on_signal, 0);
  pid_t pid = FORK(FAILS(sem_wait(s), EINTR));
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGUSR1));
  WAIT_OK(pid);
  OK(sem_destroy(s));
}

static void memory(void) {
  snprintf(g_name, sizeof(g_name), "/abi-shm-%d", getpid());
  int fd = OK(shm_open(g_name, O_CREAT | O_EXCL | O_RDWR, 0640));
  FAILS(shm_open(g_name, O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 0);
  CHECK_EQ(st.st_mode, S_IFREG | 0640);
  OK(ftruncate(fd, 3 * 4096));
  int* p = OK(mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  IN_CHILD({
    int again = OK(shm_open(g_name, O_RDWR, 0));
    int* q = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 4096));
    q[7] = 4711;
    CHECK_EQ(pwrite(again, "text", 4, 8192), 4);
  });
  CHECK_EQ(p[1024 + 7], 4711);
  CHECK_EQ(memcmp(&p[2048], "text", 4), 0);
  int reader = OK(shm_open(g_name, O_RDONLY, 0));
  FAILS(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, reader, 0), EACCES);
  IN_CHILD({
    OK(setresgid(1000, 1000, 1000));
    OK(setresuid(1000, 1000, 1000));
    FAILS(shm_open(g_name, O_RDWR, 0), EACCES);
    CHECK_EQ(shm_unlink(g_name), -1);
    CHECK(errno == EPERM || errno == EACCES);
  });
  OK(shm_unlink(g_name));
  FAILS(shm_open(g_name, O_RDWR, 0), ENOENT);
  p[0] = 1;  // the memory stays
  OK(munmap(p, 3 * 4096));
}

int main(void) {
  semaphores();
  waiters();
  memory();
  return 0;
}
