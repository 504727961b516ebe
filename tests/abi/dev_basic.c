// null(4), full(4), random(4), tty, and the links in /dev; getrandom(2).
#include <sys/ioctl.h>
#include <sys/random.h>

#include "abi.h"

static bool all_zero(const char* p, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (p[i]) return false;
  }
  return true;
}

int main(void) {
  char a[5000], b[5000];
  memset(a, 'x', sizeof(a));
  int null = OK(open("/dev/null", O_RDWR)), zero = OK(open("/dev/zero", O_RDWR)),
      full = OK(open("/dev/full", O_RDWR));
  CHECK_EQ(read(null, a, 100), 0);
  CHECK_EQ(write(null, a, sizeof(a)), sizeof(a));
  CHECK_EQ(lseek(null, 100, SEEK_SET), 0);
  OK(close(OK(open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0600))));
  CHECK_EQ(read(zero, a, sizeof(a)), sizeof(a));
  CHECK(all_zero(a, sizeof(a)));
  CHECK_EQ(write(zero, a, 100), 100);
  memset(a, 'x', sizeof(a));
  CHECK_EQ(pread(zero, a, 10, 1000), 10);
  CHECK(all_zero(a, 10));
  CHECK_EQ(read(full, a, sizeof(a)), sizeof(a));
  CHECK(all_zero(a, sizeof(a)));
  FAILS(write(full, a, 1), ENOSPC);
  FAILS(ftruncate(null, 0), EINVAL);
  FAILS(ioctl(null, TIOCGWINSZ, a), ENOTTY);

  const char* random[] = {"/dev/random", "/dev/urandom"};
  for (int i = 0; i < 2; i++) {
    int fd = OK(open(random[i], O_RDWR));
    CHECK_EQ(read(fd, a, sizeof(a)), sizeof(a));
    CHECK_EQ(read(fd, b, sizeof(b)), sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    CHECK(!all_zero(a + sizeof(a) - 64, 64));
    CHECK_EQ(write(fd, a, 10), 10);
    FAILS(read(fd, (void*)8, 10), EFAULT);
  }
  CHECK_EQ(getrandom(a, sizeof(a), 0), sizeof(a));
  CHECK_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), sizeof(b));
  CHECK(memcmp(a, b, sizeof(a)) != 0);
  CHECK_EQ(getrandom(a, 10, GRND_RANDOM), 10);
  CHECK_EQ(getrandom(a, 0, 0), 0);
  FAILS(getrandom(a, 10, 0x100), EINVAL);
  FAILS(syscall(SYS_getrandom, (void*)8, 10, 0), EFAULT);
  // Bits are set about half the time.
  int bits = 0;
  for (size_t i = 0; i < sizeof(b); i++) bits += __builtin_popcount((unsigned char)b[i]);
  CHECK(bits > 18000 && bits < 22000);

  const struct {
    const char* path;
    unsigned major, minor;
  } nodes[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
               {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};
  for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
    struct stat st;
    OK(stat(nodes[i].path, &st));
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_rdev, nodes[i].major << 8 | nodes[i].minor);
    CHECK_EQ(st.st_mode & 0666, 0666);
  }
  const char* links[][2] = {{"/dev/fd", "/proc/self/fd"},
                            {"/dev/stdin", "/proc/self/fd/0"},
                            {"/dev/stdout", "/proc/self/fd/1"},
                            {"/dev/stderr", "/proc/self/fd/2"}};
  for (int i = 0; i < 4; i++) {
    char target[64] = "";
    CHECK(readlink(links[i][0], target, sizeof(target) - 1) > 0);
    CHECK_STR(target, links[i][1]);
  }
  // A pipe read by its name in /dev/fd, as <(...) of a shell does.
  int fds[2];
  OK(pipe(fds));
  CHECK_EQ(write(fds[1], "data", 4), 4);
  char path[32];
  snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
  int again = OK(open(path, O_RDONLY));
  CHECK_EQ(read(again, a, 10), 4);

  IN_CHILD(OK(setsid()); FAILS(open("/dev/tty", O_RDWR), ENXIO));
  struct stat st;
  OK(stat("/dev/shm", &st));
  CHECK_EQ(st.st_mode & 07777, 01777);
  OK(stat("/dev/pts", &st));
  CHECK(S_ISDIR(st.st_mode));
  OK(stat("/dev/ptmx", &st));
  CHECK_EQ(st.st_rdev, 5 << 8 | 2);
  IN_CHILD(OK(setresuid(1000, 1000, 1000)); OK(open("/dev/null", O_RDWR));
           OK(open("/dev/urandom", O_RDONLY)));
  return 0;
}
