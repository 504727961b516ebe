// A place that only another mount namespace has something mounted on can be removed or replaced; the mounts
// go (mount_namespaces(7), since Linux 3.18).
#include <sys/mount.h>

#include "abi.h"

static char g_folder[256];
static int g_to[2], g_from[2];

static bool mounted(const char* name) {
  static char text[65536];
  char want[512];
  abi_get("/proc/self/mountinfo", text, sizeof(text));
  snprintf(want, sizeof(want), " %s/%s ", g_folder, name);
  return strstr(text, want) != NULL;
}

static void tell(int fd) { CHECK_EQ(write(fd, "x", 1), 1); }
static void hear(int fd) {
  char c;
  CHECK_EQ(read(fd, &c, 1), 1);
}

// In a mount namespace of its own.
static void other(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  OK(mount("none", "dir", "tmpfs", 0, NULL));
  OK(mkdir("dir/below", 0755));
  OK(mount("none", "dir/below", "tmpfs", 0, NULL));
  abi_put("dir/inside", "kept");
  OK(mount("source", "file", NULL, MS_BIND, NULL));
  OK(mount("source", "target", NULL, MS_BIND, NULL));
  OK(mount("none", "moves", "tmpfs", 0, NULL));
  abi_put("moves/inside", "moved");
  int open_file = OK(open("dir/inside", O_RDONLY)), open_dir = OK(open("dir", O_RDONLY));
  // Here they are in use.
  FAILS(rmdir("dir"), EBUSY);
  FAILS(unlink("file"), EBUSY);
  FAILS(rename("source", "target"), EBUSY);
  FAILS(rename("dir", "away"), EBUSY);
  CHECK(mounted("dir") && mounted("dir/below") && mounted("file") && mounted("target"));
  tell(g_from[1]);
  hear(g_to[0]);
  CHECK(!mounted("dir") && !mounted("dir/below") && !mounted("file") && !mounted("target"));
  CHECK(!abi_exists("dir") && !abi_exists("file"));
  // What was opened goes on.
  char text[16] = "";
  CHECK_EQ(read(open_file, text, 16), 4);
  CHECK_STR(text, "kept");
  OK(close(OK(openat(open_dir, "inside", O_RDONLY))));
  abi_get("target", text, sizeof(text));
  CHECK_STR(text, "of source");
  // A place that moves takes along what stands on it.
  CHECK(mounted("moved") && !mounted("moves"));
  abi_get("moved/inside", text, sizeof(text));
  CHECK_STR(text, "moved");
}

int main(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  snprintf(g_folder, sizeof(g_folder), "%s", abi_scratch());
  OK(mkdir("dir", 0755));
  OK(mkdir("moves", 0755));
  abi_put("file", "of file");
  abi_put("target", "of target");
  abi_put("source", "of source");
  OK(pipe(g_to));
  OK(pipe(g_from));
  pid_t pid = FORK(other());
  hear(g_from[0]);
  CHECK(!mounted("dir") && !mounted("file"));
  OK(rmdir("dir"));
  OK(unlink("file"));
  OK(rename("source", "target"));
  OK(rename("moves", "moved"));
  FAILS(rmdir("dir"), ENOENT);
  tell(g_to[1]);
  WAIT_OK(pid);
  OK(rmdir("moved"));
  return 0;
}
