// Memory common to processes: anonymous, of files, memfd_create(2) with seals, shm_open(3).
#include "abi.h"

static const int kRw = PROT_READ | PROT_WRITE;

int main(void) {
  abi_scratch();
  char* p = abi_shared(16 * 4096);
  // Written before and after the fork, by both, pages not touched before included.
  p[0] = 'p';
  IN_CHILD({
    CHECK_EQ(p[0], 'p');
    for (int i = 1; i < 16; i++) p[i * 4096 + i] = (char)i;
    IN_CHILD(p[1] = 'g');
  });
  for (int i = 1; i < 16; i++) CHECK_EQ(p[i * 4096 + i], i);
  CHECK_EQ(p[1], 'g');
  IN_CHILD(OK(munmap(p, 16 * 4096)));
  CHECK_EQ(p[1], 'g');

  // Atomics work across processes.
  atomic_int* counter = (atomic_int*)p;
  atomic_store(counter, 0);
  pid_t children[6];
  for (int i = 0; i < 6; i++) {
    children[i] = FORK(for (int k = 0; k < 10000; k++) atomic_fetch_add(counter, 1));
  }
  for (int i = 0; i < 6; i++) WAIT_OK(children[i]);
  CHECK_EQ(atomic_load(counter), 60000);

  // Two processes that open one file for themselves.
  abi_put("f", "0123456789");
  pid_t pid = FORK({
    int fd = OK(open("f", O_RDWR));
    char* mine = OK(mmap(NULL, 4096, kRw, MAP_SHARED, fd, 0));
    mine[3] = 'x';
    atomic_store(counter, 1);
    abi_await(counter, 2);
    CHECK_EQ(mine[4], 'y');
  });
  abi_await(counter, 1);
  int fd = OK(open("f", O_RDWR));
  char* file = OK(mmap(NULL, 4096, kRw, MAP_SHARED, fd, 0));
  CHECK_EQ(file[3], 'x');
  file[4] = 'y';
  atomic_store(counter, 2);
  WAIT_OK(pid);
  char text[16];
  abi_get("f", text, sizeof(text));
  CHECK_STR(text, "012xy56789");

  // A file without a name.
  int mem = OK(memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK_EQ(fcntl(mem, F_GETFD), FD_CLOEXEC);
  OK(ftruncate(mem, 8192));
  char* m = OK(mmap(NULL, 8192, kRw, MAP_SHARED, mem, 0));
  m[5000] = 'm';
  IN_CHILD(char c; CHECK_EQ(pread(mem, &c, 1, 5000), 1); CHECK_EQ(c, 'm'); m[5001] = 'n');
  CHECK_EQ(m[5001], 'n');
  char link[64] = "", path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", mem);
  CHECK(readlink(path, link, sizeof(link) - 1) > 0);
  CHECK_STR(link, "/memfd:name (deleted)");
  CHECK_EQ(fcntl(mem, F_GET_SEALS), 0);
  OK(fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  FAILS(ftruncate(mem, 4096), EPERM);
  FAILS(ftruncate(mem, 16384), EPERM);
  FAILS(pwrite(mem, "x", 1, 8192), EPERM);
  FAILS(fcntl(mem, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);  // mapped writable
  OK(munmap(m, 8192));
  OK(fcntl(mem, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
  FAILS(pwrite(mem, "x", 1, 0), EPERM);
  FAILS(mmap(NULL, 8192, kRw, MAP_SHARED, mem, 0), EPERM);
  OK(mmap(NULL, 8192, kRw, MAP_PRIVATE, mem, 0));
  FAILS(fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
  CHECK_EQ(fcntl(OK(memfd_create("", 0)), F_GET_SEALS), F_SEAL_SEAL);
  FAILS(memfd_create("x", 0x1000), EINVAL);
  FAILS(syscall(SYS_memfd_create, (void*)8, 0), EFAULT);

  char name[64];
  snprintf(name, sizeof(name), "/abi-%d", getpid());
  int shm = OK(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
  OK(ftruncate(shm, 4096));
  char* s = OK(mmap(NULL, 4096, kRw, MAP_SHARED, shm, 0));
  IN_CHILD({
    char* c = OK(mmap(NULL, 4096, kRw, MAP_SHARED, OK(shm_open(name, O_RDWR, 0)), 0));
    c[9] = 's';
  });
  CHECK_EQ(s[9], 's');
  OK(shm_unlink(name));
  FAILS(shm_open(name, O_RDWR, 0), ENOENT);
  return 0;
}
