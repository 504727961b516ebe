// /proc/PID/smaps and smaps_rollup: what is resident of a mapping, shared and private: proc_pid_smaps(5).
#include "abi.h"

// The value of a field of the mapping that starts at `start`, in kB; of the first mapping, and of the only
// line, for 0.
static long field(const char* path, unsigned long start, const char* name) {
  FILE* file = fopen(path, "r");
  CHECK(file != NULL);
  char line[512];
  bool here = start == 0;
  long value = -1;
  while (value < 0 && fgets(line, sizeof(line), file)) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
      here = start == 0 || from == start;
    else if (here && strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
      CHECK_EQ(sscanf(line + strlen(name) + 1, " %ld kB", &value), 1);
  }
  fclose(file);
  if (value < 0) FAIL("%s: no %s of %lx", path, name, start);
  return value;
}

static bool has_flag(unsigned long start, const char* flag) {
  FILE* file = fopen("/proc/self/smaps", "r");
  CHECK(file != NULL);
  char line[512];
  bool here = false, found = false;
  while (fgets(line, sizeof(line), file)) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2) here = from == start;
    if (here && strncmp(line, "VmFlags:", 8) == 0) found = strstr(line, flag) != NULL;
  }
  fclose(file);
  return found;
}

#define SMAPS(address, name) field("/proc/self/smaps", (unsigned long)(address), name)

int main(void) {
  // Guards on both sides, so that the mapping stays one of its own.
  char* room = OK(mmap(NULL, 18 << 12, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char* page = room + 4096;
  OK(mprotect(page, 16 << 12, PROT_READ | PROT_WRITE));
  OK(madvise(page, 16 << 12, MADV_NOHUGEPAGE));
  CHECK_EQ(SMAPS(page, "Size"), 64);
  CHECK_EQ(SMAPS(page, "KernelPageSize"), 4);
  CHECK_EQ(SMAPS(page, "MMUPageSize"), 4);
  CHECK_EQ(SMAPS(page, "Rss"), 0);
  for (int i = 0; i < 5; i++) page[i << 12] = 1;
  OK(madvise(page + (5 << 12), 11 << 12, MADV_DONTNEED));
  CHECK_EQ(SMAPS(page, "Rss"), 20);
  CHECK_EQ(SMAPS(page, "Pss"), 20);
  CHECK_EQ(SMAPS(page, "Anonymous"), 20);
  CHECK_EQ(SMAPS(page, "Private_Dirty"), 20);
  CHECK_EQ(SMAPS(page, "Shared_Dirty"), 0);
  CHECK_EQ(SMAPS(page, "Swap"), 0);
  CHECK_EQ(SMAPS(page, "Locked"), 0);
  CHECK(has_flag((unsigned long)page, " rd wr "));
  CHECK(!has_flag((unsigned long)page, " sh "));

  // A child has the same pages until it writes, or copies.
  atomic_int* word = abi_shared(4096);
  pid_t pid = FORK(abi_await(word, 1); page[0] = 2; atomic_store(word, 2); abi_await(word, 3));
  CHECK_EQ(SMAPS(page, "Rss"), 20);
  CHECK_EQ(SMAPS(page, "Shared_Dirty") + SMAPS(page, "Private_Dirty"), 20);
  CHECK_EQ(SMAPS(page, "Pss"), SMAPS(page, "Shared_Dirty") / 2 + SMAPS(page, "Private_Dirty"));
  atomic_store(word, 1);
  abi_await(word, 2);
  CHECK(SMAPS(page, "Private_Dirty") >= 4);
  CHECK_EQ(SMAPS(page, "Pss"), SMAPS(page, "Shared_Dirty") / 2 + SMAPS(page, "Private_Dirty"));
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
  CHECK_EQ(field(path, (unsigned long)page, "Rss"), 20);
  atomic_store(word, 3);
  WAIT_OK(pid);
  CHECK_EQ(SMAPS(page, "Pss"), 20);

  // Shared memory.
  CHECK(has_flag((unsigned long)word, " sh "));
  CHECK_EQ(SMAPS(word, "Rss"), 4);
  CHECK_EQ(SMAPS(word, "Anonymous"), 0);

  // The sum.
  long sum = 0;
  FILE* file = fopen("/proc/self/smaps", "r");
  CHECK(file != NULL);
  char line[512];
  while (fgets(line, sizeof(line), file)) {
    long value;
    if (sscanf(line, "Size: %ld kB", &value) == 1) sum += value;
  }
  fclose(file);
  CHECK(sum >= 64);
  CHECK(field("/proc/self/smaps_rollup", 0, "Rss") >= 20);
  CHECK(field("/proc/self/smaps_rollup", 0, "Pss_Anon") >= 20);
  abi_get("/proc/self/smaps_rollup", line, sizeof(line));
  CHECK(strstr(line, "[rollup]\n") != NULL);

  // Not for strangers.
  pid_t me = getpid();
  snprintf(path, sizeof(path), "/proc/%d/smaps", me);
  IN_CHILD(OK(setresgid(1000, 1000, 1000)); OK(setresuid(1000, 1000, 1000));
           FAILS(open(path, O_RDONLY), EACCES));
  return 0;
}
