// shmget(2), shmat(2), shmdt(2), shmctl(2).
#include <sys/ipc.h>
#include <sys/shm.h>

#include "abi.h"

enum { kSize = 3 * 4096 + 10 };

static struct shmid_ds stat_of(int id) {
  struct shmid_ds s;
  OK(shmctl(id, IPC_STAT, &s));
  return s;
}

static void sharing(void) {
  int id = OK(shmget(IPC_PRIVATE, kSize, 0600));
  char* a = OK(shmat(id, NULL, 0));
  CHECK_EQ((uintptr_t)a % 4096, 0);
  CHECK_EQ(a[0], 0);
  CHECK_EQ(a[kSize - 1], 0);
  a[0] = 'a';
  char* b = OK(shmat(id, NULL, SHM_RDONLY));
  CHECK(a != b);
  CHECK_EQ(b[0], 'a');
  IN_CHILD({
    a[1] = 'b';
    CHECK_EQ(stat_of(id).shm_nattch, 4);
  });
  CHECK_EQ(b[1], 'b');
  struct shmid_ds s = stat_of(id);
  CHECK_EQ(s.shm_segsz, kSize);
  CHECK_EQ(s.shm_nattch, 2);
  CHECK_EQ(s.shm_cpid, getpid());
  CHECK_EQ(s.shm_perm.mode, 0600);
  CHECK(s.shm_atime >= s.shm_ctime && s.shm_dtime >= s.shm_ctime);
  // Beyond the last page is nothing; the rest of the page is memory.
  a[4 * 4096 - 1] = 1;
  // Removed, it stays as long as somebody has it, and can still be attached by number.
  OK(shmctl(id, IPC_RMID, NULL));
  s = stat_of(id);
  CHECK_EQ(s.shm_perm.mode, 0600 | SHM_DEST);
  CHECK_EQ(s.shm_perm.__key, IPC_PRIVATE);
  char* c = OK(shmat(id, NULL, 0));
  CHECK_EQ(c[1], 'b');
  OK(shmdt(a));
  OK(shmdt(b));
  FAILS(shmdt(b), EINVAL);
  CHECK_EQ(c[0], 'a');
  OK(shmdt(c));
  FAILS(shmctl(id, IPC_STAT, &s), EINVAL);
  FAILS(shmat(id, NULL, 0), EINVAL);
}

static void places(void) {
  int id = OK(shmget(IPC_PRIVATE, 8192, 0600));
  char* hole = OK(mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  FAILS(shmat(id, hole, 0), EINVAL);
  FAILS(shmat(id, hole + 1, 0), EINVAL);
  FAILS(shmat(id, NULL, SHM_REMAP), EINVAL);
  CHECK_EQ(OK(shmat(id, hole + 4096, SHM_REMAP)), hole + 4096);
  hole[4096] = 1;
  OK(munmap(hole + 8 * 4096, 8 * 4096));
  CHECK_EQ(OK(shmat(id, hole + 8 * 4096 + 5, SHM_RND)), hole + 8 * 4096);
  CHECK_EQ(hole[8 * 4096], 1);
  FAILS(shmdt(hole), EINVAL);
  FAILS(shmdt(hole + 4097), EINVAL);
  FAILS(shmdt(hole + 2 * 4096), EINVAL);
  // What is left of an attachment goes at once.
  OK(munmap(hole + 9 * 4096, 4096));
  OK(shmdt(hole + 8 * 4096));
  OK(shmdt(hole + 4096));
  CHECK_EQ(stat_of(id).shm_nattch, 0);
  OK(shmctl(id, IPC_RMID, NULL));
}

static void keys(void) {
  key_t key = 0x5eed0000 + getpid();
  FAILS(shmget(key, 100, 0600), ENOENT);
  FAILS(shmget(key, 0, IPC_CREAT | 0600), EINVAL);
  int id = OK(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0640));
  FAILS(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0640), EEXIST);
  CHECK_EQ(OK(shmget(key, 100, IPC_CREAT | 0640)), id);
  CHECK_EQ(OK(shmget(key, 0, 0)), id);
  FAILS(shmget(key, 101, 0), EINVAL);
  IN_CHILD({
    OK(setgid(1000));
    OK(setuid(1000));
    FAILS(shmget(key, 100, 0600), EACCES);
    CHECK_EQ(OK(shmget(key, 100, 0)), id);
    FAILS(shmat(id, NULL, 0), EACCES);
    FAILS(shmat(id, NULL, SHM_RDONLY), EACCES);
    struct shmid_ds s;
    FAILS(shmctl(id, IPC_STAT, &s), EACCES);
    FAILS(shmctl(id, IPC_RMID, NULL), EPERM);
  });
  struct shmid_ds s = stat_of(id);
  s.shm_perm.uid = 1000;
  s.shm_perm.mode = 0777 | 0400 << 9;
  OK(shmctl(id, IPC_SET, &s));
  s = stat_of(id);
  CHECK_EQ(s.shm_perm.uid, 1000);
  CHECK_EQ(s.shm_perm.cuid, 0);
  CHECK_EQ(s.shm_perm.mode, 0777);
  IN_CHILD({
    OK(setuid(1000));
    char* at = OK(shmat(id, NULL, 0));
    at[0] = 'x';
    OK(shmctl(id, IPC_RMID, NULL));
    FAILS(shmget(key, 100, 0), ENOENT);
  });
  FAILS(shmctl(id, IPC_STAT, &s), EINVAL);
  FAILS(shmctl(-1, IPC_STAT, &s), EINVAL);
  id = OK(shmget(IPC_PRIVATE, 100, 0600));
  FAILS(shmctl(id, 99, &s), EINVAL);
  FAILS(shmctl(id, IPC_STAT, (void*)8), EFAULT);
  // The table, as ipcs(1) reads it.
  struct shm_info info;
  int highest = OK(shmctl(0, SHM_INFO, (struct shmid_ds*)&info));
  CHECK(info.used_ids >= 1 && highest >= 0 && info.shm_tot >= 1);
  bool found = false;
  for (int i = 0; i <= highest; i++) found |= shmctl(i, SHM_STAT, &s) == id;
  CHECK(found);
  char text[8192];
  char want[64];
  abi_get("/proc/sysvipc/shm", text, sizeof(text));
  snprintf(want, sizeof(want), "%10d %10d  %4o %21d", 0, id, 0600, 100);
  CHECK(strstr(text, want) != NULL);
  OK(shmctl(id, IPC_RMID, NULL));
}

static void exec_and_exit(void) {
  int id = OK(shmget(IPC_PRIVATE, 4096, 0600));
  OK(shmat(id, NULL, 0));
  IN_CHILD(CHECK_EQ(stat_of(id).shm_nattch, 2));
  CHECK_EQ(stat_of(id).shm_nattch, 1);
  char number[16];
  snprintf(number, sizeof(number), "%d", id);
  pid_t child = FORK(execl("/proc/self/exe", "sysv_shm", number, NULL));
  WAIT_EXIT(child, 1);
  OK(shmctl(id, IPC_RMID, NULL));
}

int main(int argc, char** argv) {
  if (argc > 1) return (int)stat_of(atoi(argv[1])).shm_nattch;
  sharing();
  places();
  keys();
  exec_and_exit();
  return 0;
}
