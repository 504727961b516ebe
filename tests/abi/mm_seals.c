// Seals of memfd_create(2) beside mappings: fcntl(2), F_ADD_SEALS.
#include "abi.h"

enum { kSize = 8192 };

static int make(void) {
  int fd = OK(memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  OK(ftruncate(fd, kSize));
  return fd;
}

static void writes(void) {
  int fd = make();
  CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
  char* shared = OK(mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  // Somebody may still write through memory.
  FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
  OK(mprotect(shared, kSize, PROT_READ));
  FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  IN_CHILD(FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY));
  OK(munmap(shared, kSize));
  // A private one and one that only reads do not matter.
  char* own = OK(mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  int reader = OK(open("/proc/self/exe", O_RDONLY));
  OK(close(reader));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE);
  own[0] = 'x';
  FAILS(write(fd, "x", 1), EPERM);
  FAILS(pwrite(fd, "x", 1, 4000), EPERM);
  FAILS(mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
  char* read_only = OK(mmap(NULL, kSize, PROT_READ, MAP_PRIVATE, fd, 0));
  OK(mprotect(read_only, kSize, PROT_READ | PROT_WRITE));
  read_only[1] = 'y';
  char byte;
  CHECK_EQ(pread(fd, &byte, 1, 1), 1);
  CHECK_EQ(byte, 0);
  // The size is another matter.
  OK(ftruncate(fd, 4096));
  OK(ftruncate(fd, 3 * 4096));
  FAILS(write(fd, "", 1), EPERM);
  CHECK_EQ(write(fd, "", 0), 0);
}

static void sizes(void) {
  int fd = make();
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  FAILS(ftruncate(fd, kSize - 1), EPERM);
  FAILS(open("/proc/self/fd/99", O_RDWR), ENOENT);
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  FAILS(open(path, O_RDWR | O_TRUNC), EPERM);
  OK(ftruncate(fd, kSize));
  OK(ftruncate(fd, 2 * kSize));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
  FAILS(ftruncate(fd, 2 * kSize + 1), EPERM);
  FAILS(fallocate(fd, 0, kSize, 2 * kSize), EPERM);
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
  // Writing within goes on; across the end only what still fits in it, behind it nothing.
  CHECK_EQ(pwrite(fd, "abcd", 4, 0), 4);
  FAILS(pwrite(fd, "abcd", 4, 2 * kSize), EPERM);
  char* shared = OK(mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  shared[0] = 'z';
  char byte;
  CHECK_EQ(pread(fd, &byte, 1, 0), 1);
  CHECK_EQ(byte, 'z');
}

static void future(void) {
  int fd = make();
  char* shared = OK(mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_FUTURE_WRITE);
  // The mapping that was there may write, no new one, nor any call.
  shared[5] = 'q';
  FAILS(write(fd, "x", 1), EPERM);
  FAILS(mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  char* view = OK(mmap(NULL, kSize, PROT_READ, MAP_SHARED, fd, 0));
  CHECK_EQ(view[5], 'q');
  FAILS(mprotect(view, kSize, PROT_READ | PROT_WRITE), EACCES);
  shared[6] = 'r';
  CHECK_EQ(view[6], 'r');
}

static void sealing(void) {
  int fd = make();
  FAILS(fcntl(fd, F_ADD_SEALS, 0x1000), EINVAL);
  OK(fcntl(fd, F_ADD_SEALS, 0));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
  FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), EPERM);
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
  CHECK_EQ(write(fd, "still", 5), 5);
  // Without MFD_ALLOW_SEALING it is sealed against seals; what is no memory has none.
  fd = OK(memfd_create("plain", 0));
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
  FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
  int fds[2];
  OK(pipe(fds));
  FAILS(fcntl(fds[0], F_GET_SEALS), EINVAL);
  FAILS(fcntl(fds[1], F_ADD_SEALS, F_SEAL_GROW), EINVAL);
  // Only through a descriptor that could write.
  fd = make();
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  int reader = OK(open(path, O_RDONLY));
  FAILS(fcntl(reader, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
  CHECK_EQ(fcntl(reader, F_GET_SEALS), 0);
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  CHECK_EQ(fcntl(reader, F_GET_SEALS), F_SEAL_SHRINK);
  // Names: any but too long.
  char name[260];
  memset(name, 'n', sizeof(name));
  name[249] = 0;
  OK(memfd_create(name, 0));
  name[249] = 'n', name[250] = 0;
  FAILS(memfd_create(name, 0), EINVAL);
  FAILS(memfd_create("x", 0x80), EINVAL);
  FAILS(memfd_create((void*)8, 0), EFAULT);
}

int main(void) {
  writes();
  sizes();
  future();
  sealing();
  return 0;
}
