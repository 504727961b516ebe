// What the kernel says that it holds: open file descriptions (/proc/sys/fs/file-nr), and memory for objects
// of its own.
#include "abi.h"

static long long number(const char* path, const char* after) {
  char text[8192];
  int fd = OK(open(path, O_RDONLY));
  ssize_t n = OK(read(fd, text, sizeof(text) - 1));
  text[n] = 0;
  OK(close(fd));
  const char* at = strstr(text, after);
  CHECK(at != NULL);
  return atoll(at + strlen(after));
}
static long long files(void) { return number("/proc/sys/fs/file-nr", ""); }

int main(void) {
  enum { kCount = 900, kBlur = 300 };  // Linux adds its CPUs up now and then only; others open files too
  long long before = files();
  CHECK(before >= 3);
  int fds[kCount];
  for (int i = 0; i < kCount; ++i) fds[i] = OK(open("/dev/null", O_RDONLY));
  long long open_now = files();
  CHECK(open_now >= before + kCount - kBlur);
  // Descriptors are not what is counted.
  for (int i = 0; i < kCount; ++i) OK(dup2(fds[0], fds[i]));
  CHECK(files() <= open_now - kCount + kBlur);
  for (int i = 0; i < kCount; ++i) OK(close(fds[i]));

  CHECK(number("/proc/meminfo", "Slab:") > 0);
  return 0;
}
