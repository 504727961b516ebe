// Processes that work on the same names and files at once: O_EXCL, O_APPEND, rename, directories.
#include <dirent.h>

#include "abi.h"

enum { kWorkers = 4 };

int main(void) {
  abi_scratch();
  atomic_int* shared = abi_shared(4096);
  pid_t pids[kWorkers];
  // Of all who try to create a name exactly one does.
  for (int w = 0; w < kWorkers; w++) {
    pids[w] = FORK({
      for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof(name), "excl%d", i);
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
        if (fd >= 0) {
          atomic_fetch_add(&shared[i], 1);
          OK(close(fd));
        } else {
          CHECK_EQ(errno, EEXIST);
        }
        snprintf(name, sizeof(name), "dir%d", i);
        if (mkdir(name, 0700) == 0) {
          atomic_fetch_add(&shared[100 + i], 1);
        } else {
          CHECK_EQ(errno, EEXIST);
        }
      }
    });
  }
  for (int w = 0; w < kWorkers; w++) WAIT_OK(pids[w]);
  for (int i = 0; i < 40; i++) {
    CHECK_EQ(atomic_load(&shared[i]), 1);
    CHECK_EQ(atomic_load(&shared[100 + i]), 1);
  }
  // Appended records stay whole.
  for (int w = 0; w < kWorkers; w++) {
    pids[w] = FORK({
      int fd = OK(open("log", O_CREAT | O_WRONLY | O_APPEND, 0600));
      char record[100];
      memset(record, 'a' + w, 99);
      record[99] = '\n';
      for (int i = 0; i < 50; i++) CHECK_EQ(write(fd, record, 100), 100);
    });
  }
  for (int w = 0; w < kWorkers; w++) WAIT_OK(pids[w]);
  static char log[kWorkers * 5000 + 1];
  CHECK_EQ(abi_get("log", log, sizeof(log)), kWorkers * 5000);
  int counts[kWorkers] = {0};
  for (int i = 0; i < kWorkers * 50; i++) {
    for (int k = 0; k < 99; k++) CHECK_EQ(log[i * 100 + k], log[i * 100]);
    counts[log[i * 100] - 'a']++;
  }
  for (int w = 0; w < kWorkers; w++) CHECK_EQ(counts[w], 50);

  // A name replaced by rename is never missing and never half written.
  abi_put("config", "version 0000\n");
  pid_t writer = FORK(for (int i = 1; i <= 60; i++) {
    char text[32];
    char name[16] = "config.new";
    snprintf(text, sizeof(text), "version %04d\n", i);
    abi_put(name, text);
    OK(rename(name, "config"));
  });
  int last = 0;
  while (last < 60) {
    char text[64];
    CHECK_EQ(abi_get("config", text, sizeof(text)), 13);
    int version = atoi(text + 8);
    CHECK(version >= last);
    last = version;
  }
  WAIT_OK(writer);

  // Directories made and removed under another's listing and walking.
  writer = FORK(for (int i = 0; i < 40; i++) {
    OK(mkdir("w", 0700));
    OK(mkdir("w/x", 0700));
    abi_put("w/x/f", "f");
    OK(unlink("w/x/f"));
    OK(rmdir("w/x"));
    OK(rmdir("w"));
  });
  while (waitpid(writer, NULL, WNOHANG) == 0) {
    struct stat st;
    if (stat("w/x/f", &st) != 0) CHECK_EQ(errno, ENOENT);
    int entries = 0;
    DIR* dir = opendir(".");
    while (readdir(dir)) entries++;
    CHECK(entries >= 84);
    closedir(dir);
  }
  // Links and unlinks of one file by many.
  abi_put("target", "");
  for (int w = 0; w < kWorkers; w++) {
    pids[w] = FORK({
      char name[16];
      snprintf(name, sizeof(name), "l%d", w);
      for (int i = 0; i < 30; i++) {
        OK(link("target", name));
        OK(unlink(name));
      }
      OK(link("target", name));
    });
  }
  for (int w = 0; w < kWorkers; w++) WAIT_OK(pids[w]);
  struct stat st;
  OK(stat("target", &st));
  CHECK_EQ(st.st_nlink, 1 + kWorkers);
  return 0;
}
