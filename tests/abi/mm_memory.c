// Memory in bulk: filling, giving back, what /proc says of it; text that is busy; files mapped for execution.
#include <sys/resource.h>

#include "abi.h"

static long resident_kb(void) {
  char text[4096];
  abi_get("/proc/self/status", text, sizeof(text));
  char* at = strstr(text, "VmRSS:");
  CHECK(at != NULL);
  return atol(at + 6);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    char c;
    CHECK_EQ(write(1, "r", 1), 1);
    CHECK_EQ(read(0, &c, 1), 0);
    return 0;
  }
  const size_t kSize = 48 << 20;
  long before = resident_kb();
  char* p = OK(mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK(resident_kb() < before + 8192);
  for (size_t i = 0; i < kSize; i += 4096) *(uint64_t*)(p + i) = i * 31;
  CHECK(resident_kb() >= before + (long)(kSize >> 10) * 9 / 10);
  for (size_t i = 0; i < kSize; i += 4096) CHECK_EQ(*(uint64_t*)(p + i), i * 31);
  OK(madvise(p, kSize / 2, MADV_DONTNEED));
  CHECK(resident_kb() < before + (long)(kSize >> 10) * 3 / 4);
  OK(munmap(p, kSize));
  CHECK(resident_kb() < before + 8192);
  // In turns, more than once round.
  for (int i = 0; i < 3; i++) {
    pid_t pid = FORK({
      char* q = malloc(kSize / 2);
      memset(q, i, kSize / 2);
      for (size_t k = 0; k < kSize / 2; k += 4096) CHECK_EQ(q[k], i);
    });
    WAIT_OK(pid);
  }

  // A running program cannot be written; one held open for writing cannot run.
  abi_scratch();
  int in = OK(open(argv[0], O_RDONLY)), out = OK(open("copy", O_CREAT | O_WRONLY, 0755));
  char buffer[65536];
  for (ssize_t n; (n = OK(read(in, buffer, sizeof(buffer)))) > 0;) CHECK_EQ(write(out, buffer, n), n);
  char* args[] = {"copy", "child", NULL};
  FAILS(execv("./copy", args), ETXTBSY);
  OK(close(out));
  int to[2], from[2];
  OK(pipe2(to, O_CLOEXEC));
  OK(pipe2(from, O_CLOEXEC));
  pid_t pid = FORK({
    OK(dup2(to[0], 0));
    OK(dup2(from[1], 1));
    OK(execv("./copy", args));
  });
  char c;
  CHECK_EQ(read(from[0], &c, 1), 1);
  FAILS(open("copy", O_WRONLY), ETXTBSY);
  FAILS(truncate("copy", 0), ETXTBSY);
  OK(close(OK(open("copy", O_RDONLY))));
  OK(rename("copy", "moved"));
  char path[64], link[300] = "";
  snprintf(path, sizeof(path), "/proc/%d/exe", pid);
  CHECK(readlink(path, link, sizeof(link) - 1) > 0);
  CHECK_STR(link + strlen(link) - 6, "/moved");
  OK(unlink("moved"));
  OK(close(to[1]));
  WAIT_OK(pid);

  // Code from a file.
  int fd = OK(open("code", O_CREAT | O_RDWR, 0755));
  CHECK_EQ(write(fd, "\xb8\x2a\0\0\0\xc3", 6), 6);
  int (*code)(void) = OK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
  CHECK_EQ(code(), 42);
  int (*shared)(void) = OK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
  CHECK_EQ(pwrite(fd, "\x2b", 1, 1), 1);
  CHECK_EQ(shared(), 43);
  struct rusage usage;
  OK(getrusage(RUSAGE_SELF, &usage));
  CHECK(usage.ru_maxrss >= (long)(kSize >> 10));
  return 0;
}
