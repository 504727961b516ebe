// /proc/PID/pagemap, clear_refs and numa_maps: what is mapped, shared, used (proc_pid_pagemap(5)).
#include <sys/prctl.h>

#include "abi.h"

#define PAGE 4096ul
#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)
#define FILE_PAGE (1ull << 61)
#define EXCLUSIVE (1ull << 56)
#define FRAME ((1ull << 55) - 1)

static int g_map;

static uint64_t entry(const volatile void* at) {
  uint64_t e = 0x5a5a;
  CHECK_EQ(pread(g_map, &e, 8, (uintptr_t)at / PAGE * 8), 8);
  return e;
}

static bool has_sys_admin(void) {
  char text[4096];
  abi_get("/proc/self/status", text, sizeof(text));
  return strtoull(strstr(text, "CapEff:") + 7, NULL, 16) >> 21 & 1;
}

static void kinds(void) {
  char* p = OK(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(madvise(p, 8 * PAGE, MADV_NOHUGEPAGE));
  uint64_t all[8];
  p[2 * PAGE] = 1;
  uint64_t e = entry(p + 2 * PAGE);
  CHECK_EQ(e & (PRESENT | SWAPPED | FILE_PAGE | EXCLUSIVE), PRESENT | EXCLUSIVE);
  // A child has it too, until one of them writes.
  int go[2], done[2];
  OK(pipe(go));
  OK(pipe(done));
  pid_t pid = FORK({
    char c;
    CHECK_EQ(read(go[0], &c, 1), 1);
    p[2 * PAGE] = 2;
    CHECK_EQ(write(done[1], "x", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
  });
  CHECK_EQ(entry(p + 2 * PAGE) & PRESENT, PRESENT);
  CHECK_EQ(write(go[1], "x", 1), 1);
  char c;
  CHECK_EQ(read(done[0], &c, 1), 1);
  CHECK_EQ(entry(p + 2 * PAGE) & (PRESENT | EXCLUSIVE), PRESENT | EXCLUSIVE);
  CHECK_EQ(write(go[1], "x", 1), 1);
  WAIT_OK(pid);

  // A page that is kept but cannot be touched is there; one that was given back is not.
  OK(mprotect(p + 2 * PAGE, PAGE, PROT_NONE));
  CHECK_EQ(entry(p + 2 * PAGE) & PRESENT, PRESENT);
  OK(madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED));
  CHECK_EQ(entry(p + 2 * PAGE), 0);
  OK(munmap(p, 8 * PAGE));
  CHECK_EQ(pread(g_map, all, sizeof(all), (uintptr_t)p / PAGE * 8), 64);
  for (int i = 0; i < 8; i++) CHECK_EQ(all[i], 0);

  // Pages of files, and memory that is shared, which is a file's too.
  int fd = OK(memfd_create("pages", 0));
  OK(ftruncate(fd, 4 * PAGE));
  char* shared = OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  char* own = OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  shared[0] = 1;
  CHECK_EQ(entry(shared) & (PRESENT | FILE_PAGE | EXCLUSIVE), PRESENT | FILE_PAGE | EXCLUSIVE);
  CHECK_EQ(own[0], 1);
  CHECK_EQ(entry(own) & (PRESENT | FILE_PAGE), PRESENT | FILE_PAGE);
  CHECK_EQ(entry(shared) & EXCLUSIVE, 0);
  own[0] = 2;
  CHECK_EQ(entry(own) & (PRESENT | FILE_PAGE | EXCLUSIVE), PRESENT | EXCLUSIVE);
  char* anon = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  anon[0] = 1;
  CHECK_EQ(entry(anon) & (PRESENT | FILE_PAGE), PRESENT | FILE_PAGE);
  CHECK_EQ(entry((void*)(uintptr_t)kinds) & (PRESENT | FILE_PAGE), PRESENT | FILE_PAGE);
}

static void frames(void) {
  volatile char* p = OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  p[0] = p[PAGE] = 1;
  uint64_t a = entry(p) & FRAME, b = entry(p + PAGE) & FRAME;
  if (has_sys_admin()) {
    CHECK(a != 0 && b != 0 && a != b);
  } else {
    CHECK_EQ(a, 0);
    CHECK_EQ(b, 0);
  }
  // Where a page lies is nobody's business without the privilege, whose file it ever is.
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    OK(prctl(PR_SET_DUMPABLE, 1));
    g_map = OK(open("/proc/self/pagemap", O_RDONLY));
    CHECK_EQ(entry(p) & (PRESENT | FRAME), PRESENT);
    FAILS(open("/proc/1/pagemap", O_RDONLY), EACCES);
  });
}

static void reading(void) {
  uint64_t e[4];
  FAILS(pread(g_map, e, 7, 0), EINVAL);
  FAILS(pread(g_map, e, 8, 4), EINVAL);
  CHECK_EQ(pread(g_map, e, 0, 0), 0);
  CHECK_EQ(pread(g_map, e, 32, 0), 32);
  CHECK_EQ(e[0] | e[1] | e[2] | e[3], 0);
  CHECK_EQ(pread(g_map, e, 8, 1ll << 47), 0);  // behind all addresses
  CHECK_EQ(lseek(g_map, 16, SEEK_SET), 16);
  CHECK_EQ(read(g_map, e, 8), 8);
  CHECK_EQ(lseek(g_map, 0, SEEK_CUR), 24);
  FAILS(lseek(g_map, 0, SEEK_END), EINVAL);
  FAILS(pread(g_map, (void*)8, 8, 0), EFAULT);
}

static long field(const char* path, const char* name) {
  static char text[65536];
  abi_get(path, text, sizeof(text));
  char* line = strstr(text, name);
  CHECK(line != NULL);
  return strtol(line + strlen(name), NULL, 10);
}

// kB of one mapping in smaps.
static long smaps(const void* at, const char* name) {
  static char text[400000];
  abi_get("/proc/self/smaps", text, sizeof(text));
  char want[32];
  snprintf(want, sizeof(want), "\n%lx-", (unsigned long)at);
  char* line = strstr(text, want);
  CHECK(line != NULL);
  line = strstr(line, name);
  CHECK(line != NULL);
  return strtol(line + strlen(name), NULL, 10);
}

static void put(const char* text) {
  int fd = OK(open("/proc/self/clear_refs", O_WRONLY));
  CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
  OK(close(fd));
}

static void used(void) {
  char* p = OK(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(madvise(p, 16 * PAGE, MADV_NOHUGEPAGE));
  memset(p, 1, 16 * PAGE);
  CHECK_EQ(smaps(p, "\nReferenced:"), 64);
  put("1");
  CHECK_EQ(smaps(p, "\nReferenced:"), 0);
  CHECK_EQ(smaps(p, "\nRss:"), 64);
  // Pages that come anew are used ones. (Of the others the machine may keep translations for a while.)
  OK(madvise(p, PAGE, MADV_DONTNEED));
  OK(madvise(p + 5 * PAGE, PAGE, MADV_DONTNEED));
  p[0] = 2, p[5 * PAGE] = 1;
  CHECK_EQ(smaps(p, "\nReferenced:"), 8);
  put("3\n");  // files only
  CHECK_EQ(smaps(p, "\nReferenced:"), 8);
  put("2");
  CHECK_EQ(smaps(p, "\nReferenced:"), 0);
  for (int i = 0; i < 16; i++) CHECK_EQ(p[i * PAGE], i == 0 ? 2 : 1);
  CHECK(smaps(p, "\nReferenced:") <= 64);
  int fd = OK(open("/proc/self/clear_refs", O_WRONLY));
  FAILS(write(fd, "0", 1), EINVAL);
  FAILS(write(fd, "6", 1), EINVAL);
  FAILS(write(fd, "x", 1), EINVAL);

  // The peak of resident memory can be forgotten.
  size_t size = 40 << 20;
  char* big = OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
  OK(munmap(big, size));
  long high = field("/proc/self/status", "VmHWM:");
  CHECK(high >= 40 << 10);
  put("5");
  long now = field("/proc/self/status", "VmHWM:");
  CHECK(now <= high - (30 << 10));
  CHECK(now >= field("/proc/self/status", "VmRSS:") - 1024);
}

static void nodes(void) {
  char* p = OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(madvise(p, 4 * PAGE, MADV_NOHUGEPAGE));
  memset(p, 1, 3 * PAGE);
  static char text[65536];
  abi_get("/proc/self/numa_maps", text, sizeof(text));
  char want[64];
  snprintf(want, sizeof(want), "\n%lx default ", (unsigned long)p);
  char* line = strstr(text, want);
  CHECK(line != NULL);
  *strchr(++line, '\n') = 0;
  CHECK(strstr(line, " anon=") != NULL);
  CHECK(strstr(line, " kernelpagesize_kB=4") != NULL);
  CHECK(strstr(line, " N0=") != NULL);
  abi_get("/proc/self/numa_maps", text, sizeof(text));
  CHECK(strstr(text, " default stack ") != NULL);
  CHECK(strstr(text, " default file=/") != NULL);
}

int main(void) {
  g_map = OK(open("/proc/self/pagemap", O_RDONLY));
  kinds();
  frames();
  reading();
  used();
  nodes();
  return 0;
}
