// /proc/PID/map_files, attr and autogroup: links to what is mapped; no security module, no groups by session.
#include <dirent.h>
#include <sys/prctl.h>

#include "abi.h"

#define PAGE 4096ul

static const char* name_of(pid_t pid, const void* at, size_t size) {
  static char name[128];
  snprintf(name, sizeof(name), "/proc/%d/map_files/%lx-%lx", pid, (unsigned long)at,
           (unsigned long)at + size);
  return name;
}

static void target(const void* at, size_t size, const char* want) {
  char text[4096];
  ssize_t n = OK(readlink(name_of(getpid(), at, size), text, sizeof(text) - 1));
  text[n] = 0;
  CHECK_STR(text, want);
}

static bool privileged(void) {
  char text[4096];
  abi_get("/proc/self/status", text, sizeof(text));
  unsigned long long caps = strtoull(strstr(text, "CapEff:") + 7, NULL, 16);
  return (caps >> 21 & 1) || (caps >> 40 & 1);  // CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE
}

static void links(const char* folder) {
  char path[512];
  snprintf(path, sizeof(path), "%s/file", folder);
  abi_put("file", "content of the file");
  int fd = OK(open("file", O_RDWR));
  OK(ftruncate(fd, 3 * PAGE));
  char* p = OK(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  target(p, 3 * PAGE, path);
  struct stat st;
  OK(lstat(name_of(getpid(), p, 3 * PAGE), &st));
  CHECK(S_ISLNK(st.st_mode));
  CHECK_EQ(st.st_mode & 0777, 0600);
  // The mode is that of the descriptor it was mapped from, not of the memory.
  OK(mprotect(p, 3 * PAGE, PROT_READ));
  OK(lstat(name_of(getpid(), p, 3 * PAGE), &st));
  CHECK_EQ(st.st_mode & 0777, 0600);
  int reader = OK(open("file", O_RDONLY));
  char* view = OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, reader, 0));
  OK(lstat(name_of(getpid(), view, 2 * PAGE), &st));
  CHECK_EQ(st.st_mode & 0777, 0400);
  OK(munmap(view, 2 * PAGE));
  // Only the very range has a name.
  FAILS(readlink(name_of(getpid(), p, 2 * PAGE), path, 10), ENOENT);
  FAILS(readlink(name_of(getpid(), p + PAGE, 2 * PAGE), path, 10), ENOENT);
  FAILS(lstat("/proc/self/map_files/0-1000", &st), ENOENT);
  FAILS(lstat("/proc/self/map_files/nonsense", &st), ENOENT);
  snprintf(path, sizeof(path), "/proc/self/map_files/0%lx-%lx", (unsigned long)p,
           (unsigned long)p + 3 * PAGE);
  FAILS(lstat(path, &st), ENOENT);
  OK(munmap(p + PAGE, PAGE));
  FAILS(lstat(name_of(getpid(), p, 3 * PAGE), &st), ENOENT);
  snprintf(path, sizeof(path), "%s/file", folder);
  target(p, PAGE, path);
  target(p + 2 * PAGE, PAGE, path);
  // Memory of nobody's file is not listed.
  char* anon = OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  FAILS(lstat(name_of(getpid(), anon, PAGE), &st), ENOENT);

  // A name that is gone.
  OK(unlink("file"));
  snprintf(path, sizeof(path), "%s/file (deleted)", folder);
  target(p, PAGE, path);
  int opened = open(name_of(getpid(), p, PAGE), O_RDONLY), error = errno;
  if (privileged()) {
    OK(opened);
    char text[8];
    CHECK_EQ(read(opened, text, 7), 7);
    CHECK_EQ(memcmp(text, "content", 7), 0);
    struct stat other;
    OK(fstat(opened, &st));
    OK(fstat(fd, &other));
    CHECK_EQ(st.st_ino, other.st_ino);
  } else {
    CHECK_EQ(opened, -1);
    CHECK_EQ(error, EPERM);
  }
}

static void list(void) {
  DIR* dir = opendir("/proc/self/map_files");
  CHECK(dir != NULL);
  struct dirent* e;
  int n = 0;
  bool program = false;
  char exe[4096], text[4096];
  ssize_t size = OK(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
  exe[size] = 0;
  unsigned long last = 0;
  while ((e = readdir(dir))) {
    if (e->d_name[0] == '.') continue;
    unsigned long start, end;
    CHECK_EQ(sscanf(e->d_name, "%lx-%lx", &start, &end), 2);
    CHECK(start >= last && end > start);
    last = end;
    CHECK_EQ(e->d_type, DT_LNK);
    size = OK(readlinkat(dirfd(dir), e->d_name, text, sizeof(text) - 1));
    text[size] = 0;
    program |= strcmp(text, exe) == 0;
    n++;
  }
  CHECK(n >= 4);
  CHECK(program);
  OK(closedir(dir));
  // Threads have none of their own.
  snprintf(text, sizeof(text), "/proc/self/task/%d/map_files", getpid());
  struct stat st;
  FAILS(stat(text, &st), ENOENT);
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    OK(prctl(PR_SET_DUMPABLE, 1));
    FAILS(readlink(name_of(1, (void*)0x1000, PAGE), text, 10), EACCES);
    OK(stat("/proc/self/map_files", &st));
    CHECK_EQ(st.st_uid, 1000);
    CHECK_EQ(st.st_mode & 0777, 0500);
  });
}

static void attributes(void) {
  char text[64];
  for (int i = 0; i < 6; i++) {
    const char* names[] = {"current", "prev", "exec", "fscreate", "keycreate", "sockcreate"};
    snprintf(text, sizeof(text), "/proc/self/attr/%s", names[i]);
    int fd = OK(open(text, O_RDONLY));
    FAILS(read(fd, text, 10), EINVAL);
    OK(close(fd));
  }
  int fd = OK(open("/proc/self/attr/current", O_RDWR));
  FAILS(write(fd, "label", 5), EINVAL);
  OK(close(fd));
  pid_t pid = FORK(pause());
  snprintf(text, sizeof(text), "/proc/%d/attr/current", pid);
  fd = OK(open(text, O_RDWR));
  FAILS(write(fd, "label", 5), EPERM);
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
}

static void autogroup(void) {
  char text[128];
  abi_get("/proc/self/autogroup", text, sizeof(text));
  if (text[0]) {  // nothing where a cgroup has taken its place
    int number, nice;
    CHECK_EQ(sscanf(text, "/autogroup-%d nice %d", &number, &nice), 2);
    CHECK_EQ(nice, 0);
  }
  int fd = OK(open("/proc/self/autogroup", O_RDWR));
  FAILS(write(fd, "20", 2), EINVAL);
  FAILS(write(fd, "-21", 3), EINVAL);
  FAILS(write(fd, "zero", 4), EINVAL);
  CHECK_EQ(write(fd, "0", 1), 1);
}

int main(void) {
  const char* folder = abi_scratch();
  links(folder);
  list();
  attributes();
  autogroup();
  return 0;
}
