// What is mounted on directories of proc and sysfs is found there again, however often other names are looked
// up.
#include <sys/mount.h>

#include "abi.h"

// Some of these are hidden while something stands above them.
static void look_around(void) {
  static const char* const places[] = {"/proc",
                                       "/proc/sys",
                                       "/proc/sys/kernel",
                                       "/proc/sys/kernel/ostype",
                                       "/proc/uptime",
                                       "/proc/sys/fs",
                                       "/proc/self",
                                       "/proc/1/status",
                                       "/sys/devices",
                                       "/sys/devices/system/cpu"};
  struct stat s;
  for (size_t i = 0; i < sizeof(places) / sizeof(*places); ++i) stat(places[i], &s);
  FAILS(stat("/proc/no-such", &s), ENOENT);
  FAILS(stat("/proc/1/no-such", &s), ENOENT);
}

static void on(const char* place, const char* own) {
  char mine[256], theirs[256];
  snprintf(mine, sizeof(mine), "%s/mine", place);
  snprintf(theirs, sizeof(theirs), "%s/%s", place, own);
  OK(access(theirs, F_OK));
  OK(mount("none", place, "tmpfs", 0, NULL));
  look_around();
  OK(close(OK(open(mine, O_CREAT | O_WRONLY, 0600))));
  FAILS(access(theirs, F_OK), ENOENT);
  look_around();
  OK(access(mine, F_OK));
  OK(umount(place));
  FAILS(access(mine, F_OK), ENOENT);
  OK(access(theirs, F_OK));
  look_around();
}

int main(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
  on("/proc/sys", "kernel");
  on("/proc/sys/kernel", "ostype");
  on("/proc/sys/kernel/random", "uuid");
  on("/sys/devices/system", "cpu");

  // A directory that is made when it is asked for.
  char process[32], line[64];
  snprintf(process, sizeof(process), "/proc/%d", (int)getpid());
  on(process, "status");

  // A file.
  abi_scratch();
  abi_put("file", "mine\n");
  OK(mount("file", "/proc/sys/kernel/ostype", NULL, MS_BIND, NULL));
  look_around();
  abi_get("/proc/sys/kernel/ostype", line, sizeof(line));
  CHECK_STR(line, "mine\n");
  OK(umount("/proc/sys/kernel/ostype"));
  return 0;
}
