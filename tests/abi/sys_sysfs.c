// sysfs: the CPUs, and what kind of tree it is; it agrees with other calls.
#include <dirent.h>
#include <sys/statfs.h>

#include "abi.h"

static char g_text[4096];

static const char* get(const char* path) {
  abi_get(path, g_text, sizeof(g_text));
  return g_text;
}

// How many CPUs a list like "0-3,8" names.
static int count(const char* list) {
  int n = 0;
  while (*list && *list != '\n') {
    char* end;
    long first = strtol(list, &end, 10), last = first;
    if (*end == '-') last = strtol(end + 1, &end, 10);
    CHECK(last >= first);
    n += (int)(last - first) + 1;
    list = *end == ',' ? end + 1 : end;
  }
  return n;
}

static void cpus(void) {
  int online = count(get("/sys/devices/system/cpu/online"));
  CHECK_EQ(online, sysconf(_SC_NPROCESSORS_ONLN));
  CHECK(count(get("/sys/devices/system/cpu/possible")) >= online);
  CHECK(count(get("/sys/devices/system/cpu/present")) >= online);
  int folders = 0;
  DIR* dir = opendir("/sys/devices/system/cpu");
  CHECK(dir != NULL);
  for (struct dirent* e; (e = readdir(dir));) {
    int number, used = 0;
    if (sscanf(e->d_name, "cpu%d%n", &number, &used) == 1 && e->d_name[used] == 0) {
      folders++;
      CHECK_EQ(e->d_type, DT_DIR);
    }
  }
  OK(closedir(dir));
  CHECK(folders >= online);
  CHECK_EQ(sysconf(_SC_NPROCESSORS_CONF), folders);
  CHECK(count(get("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list")) >= 1);
  CHECK(count(get("/sys/devices/system/cpu/cpu0/topology/core_siblings_list")) >= 1);
  CHECK(strtol(get("/sys/devices/system/cpu/cpu0/topology/core_id"), NULL, 10) >= 0);
}

static void tree(void) {
  struct statfs fs;
  OK(statfs("/sys", &fs));
  CHECK_EQ(fs.f_type, 0x62656572);
  struct stat a, b;
  OK(stat("/sys/devices/system/cpu/online", &a));
  CHECK_EQ(a.st_mode, S_IFREG | 0444);
  OK(stat("/sys/devices/system/cpu/online", &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  CHECK_EQ(a.st_dev, b.st_dev);
  // Nobody makes anything here.
  CHECK_EQ(open("/sys/new", O_CREAT | O_WRONLY, 0644), -1);
  CHECK(errno == EACCES || errno == EPERM || errno == EROFS);
  CHECK_EQ(mkdir("/sys/new", 0755), -1);
  CHECK(errno == EACCES || errno == EPERM || errno == EROFS);
  CHECK_EQ(unlink("/sys/devices/system/cpu/online"), -1);
  CHECK(errno == EACCES || errno == EPERM || errno == EROFS);
  // Reading from any place.
  int fd = OK(open("/sys/devices/system/cpu/online", O_RDONLY));
  char all[64], part[64];
  ssize_t n = OK(read(fd, all, sizeof(all)));
  CHECK_EQ(read(fd, part, sizeof(part)), 0);
  CHECK_EQ(pread(fd, part, sizeof(part), 1), n - 1);
  CHECK_EQ(memcmp(part, all + 1, n - 1), 0);
  OK(lseek(fd, 0, SEEK_SET));
  CHECK_EQ(read(fd, part, 1), 1);
  CHECK_EQ(part[0], all[0]);
  struct dirent* e;
  DIR* dir = opendir("/sys");
  CHECK(dir != NULL);
  bool devices = false, class = false;
  struct stat top;
  OK(stat("/sys", &top));
  while ((e = readdir(dir))) {
    devices |= strcmp(e->d_name, "devices") == 0;
    class |= strcmp(e->d_name, "class") == 0;
    OK(fstatat(dirfd(dir), e->d_name, &a, AT_SYMLINK_NOFOLLOW));
    // Something may be mounted on one, in a container.
    if (e->d_name[0] != '.' && a.st_dev == top.st_dev) CHECK_EQ(a.st_ino, e->d_ino);
  }
  CHECK(devices && class);
  OK(closedir(dir));
}

int main(void) {
  cpus();
  tree();
  return 0;
}
