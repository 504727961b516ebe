// Capabilities of files: who gains them at execve(2), and what takes them away.
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#include "abi.h"

enum { kNetRaw = 13, kUid = 4321 };
static const char* const kName = "security.capability";

// In the program that has them: what /proc says.
static int report(void) {
  FILE* status = fopen("/proc/self/status", "r");
  char line[256];
  while (fgets(line, sizeof(line), status))
    if (!strncmp(line, "Cap", 3) && strncmp(line, "CapBnd", 6)) fputs(line, stdout);
  printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
  return 0;
}

static struct vfs_cap_data caps_of(uint32_t permitted, uint32_t inheritable, bool effective) {
  struct vfs_cap_data caps = {.magic_etc = VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0)};
  caps.data[0].permitted = permitted;
  caps.data[0].inheritable = inheritable;
  return caps;
}

static void give(const char* path, uint32_t permitted, uint32_t inheritable, bool effective) {
  struct vfs_cap_data caps = caps_of(permitted, inheritable, effective);
  OK(setxattr(path, kName, &caps, sizeof(caps), 0));
}

static void copy(const char* from, const char* to) {
  int in = OK(open(from, O_RDONLY)), out = OK(open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755));
  char buffer[65536];
  for (ssize_t n; (n = OK(read(in, buffer, sizeof(buffer)))) > 0;) CHECK_EQ(OK(write(out, buffer, (size_t)n)), n);
  OK(close(in));
  OK(close(out));
}

// What the program says of itself, run by a user without privileges.
static const char* run(const char* path, bool no_new_privs) {
  static char text[512];
  int fds[2];
  OK(pipe(fds));
  pid_t pid = OK(fork());
  if (pid == 0) {
    OK(dup2(fds[1], 1));
    OK(setgid(kUid));
    OK(setuid(kUid));
    if (no_new_privs) OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    execl(path, path, "report", NULL);
    dprintf(1, "errno %d\n", errno);
    _exit(0);
  }
  OK(close(fds[1]));
  size_t size = 0;
  for (ssize_t n; (n = OK(read(fds[0], text + size, sizeof(text) - 1 - size))) > 0;) size += (size_t)n;
  text[size] = 0;
  OK(close(fds[0]));
  WAIT_OK(pid);
  return text;
}

#define CAPS(prm, eff) \
  "CapInh:\t0000000000000000\nCapPrm:\t" prm "\nCapEff:\t" eff "\nCapAmb:\t0000000000000000\n"
#define NONE "0000000000000000"
#define RAW "0000000000002000"

static void check_gains(const char* prog) {
  CHECK_STR(run(prog, false), CAPS(NONE, NONE) "dumpable 1\n");
  give(prog, 1 << kNetRaw, 0, true);
  CHECK_STR(run(prog, false), CAPS(RAW, RAW) "dumpable 0\n");
  CHECK_STR(run(prog, true), CAPS(NONE, NONE) "dumpable 1\n");
  give(prog, 1 << kNetRaw, 0, false);
  CHECK_STR(run(prog, false), CAPS(RAW, NONE) "dumpable 0\n");
  give(prog, 0, 1 << kNetRaw, true);  // the process inherits none
  CHECK_STR(run(prog, false), CAPS(NONE, NONE) "dumpable 1\n");
  OK(chmod(prog, 0711));  // who cannot read a program sees nothing of its process
  CHECK_STR(run(prog, false), CAPS(NONE, NONE) "dumpable 0\n");
  OK(chmod(prog, 0755));
}

static void check_values(const char* prog) {
  struct vfs_cap_data caps = caps_of(1, 0, false);
  FAILS(setxattr(prog, kName, &caps, sizeof(caps) - 1, 0), EINVAL);
  OK(setxattr(prog, kName, "", 0, 0));
  CHECK_STR(run(prog, false), "errno 22\n");
  caps.magic_etc = 0x07000000;
  FAILS(setxattr(prog, kName, &caps, sizeof(caps), 0), EINVAL);
  give(prog, 1 << kNetRaw, 0, true);
  CHECK_EQ(OK(getxattr(prog, kName, &caps, sizeof(caps))), (long)sizeof(caps));
  CHECK_EQ(caps.data[0].permitted, 1u << kNetRaw);
}

static void check_losses(const char* prog) {
  give(prog, 1 << kNetRaw, 0, true);
  OK(chmod(prog, 0755));
  CHECK(getxattr(prog, kName, NULL, 0) > 0);
  OK(chown(prog, 0, 0));
  FAILS(getxattr(prog, kName, NULL, 0), ENODATA);
  give(prog, 1 << kNetRaw, 0, true);
  int fd = OK(open(prog, O_WRONLY | O_APPEND));
  CHECK(getxattr(prog, kName, NULL, 0) > 0);
  CHECK_EQ(OK(write(fd, "x", 1)), 1);
  FAILS(getxattr(prog, kName, NULL, 0), ENODATA);
  give(prog, 1 << kNetRaw, 0, true);
  OK(ftruncate(fd, 5));
  FAILS(getxattr(prog, kName, NULL, 0), ENODATA);
  OK(close(fd));
}

int main(int argc, char** argv) {
  if (argc > 1 && !strcmp(argv[1], "report")) return report();
  abi_scratch();
  OK(chmod(".", 0755));
  copy("/proc/self/exe", "prog");
  check_gains("./prog");
  check_values("prog");
  check_losses("prog");
  return 0;
}
