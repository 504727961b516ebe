// execve(2) in a user namespace: who is root there, set-user-ID programs, capabilities that stay.
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "abi.h"

static void put(const char* path, const char* text) {
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
  OK(close(fd));
}
static void enter(const char* users) {
  OK(setgroups(0, NULL));
  OK(setresgid(1000, 1000, 1000));
  OK(setresuid(1000, 1000, 1000));
  OK(prctl(PR_SET_DUMPABLE, 1));
  OK(unshare(CLONE_NEWUSER));
  if (users) put("/proc/self/uid_map", users);
}
static bool capable(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  OK(syscall(SYS_capget, &head, data));
  return data[0].permitted != 0;
}

// What a program finds: its user, and whether it has capabilities.
static int report(const char* uid, const char* euid, const char* caps) {
  CHECK_EQ(getuid(), (uid_t)atoi(uid));
  CHECK_EQ(geteuid(), (uid_t)atoi(euid));
  CHECK_EQ(capable(), atoi(caps));
  return 0;
}
static void becomes(const char* program, const char* uid, const char* euid, const char* caps) {
  OK(execl(program, program, uid, euid, caps, (char*)NULL));
}

int main(int argc, char** argv) {
  if (argc == 4) return report(argv[1], argv[2], argv[3]);
  char copy[300];
  snprintf(copy, sizeof(copy), "%s/program", abi_scratch());
  char buffer[65536];
  int from = OK(open("/proc/self/exe", O_RDONLY)), to = OK(open(copy, O_CREAT | O_WRONLY, 0755));
  for (long n; (n = OK(read(from, buffer, sizeof(buffer)))) > 0;) CHECK_EQ(write(to, buffer, n), n);
  OK(close(to));
  IN_CHILD({
    enter("0 1000 1");
    becomes(copy, "0", "0", "1");
  });
  // Somebody else loses them.
  IN_CHILD({
    enter("5 1000 1");
    CHECK(capable());
    becomes(copy, "5", "5", "0");
  });
  IN_CHILD({
    enter(NULL);
    CHECK(capable());
    becomes(copy, "65534", "65534", "0");
  });
  // Set-user-ID of who is nobody there does nothing; of one with a number it does.
  OK(chmod(copy, 04755));
  IN_CHILD({
    enter("5 1000 1");
    becomes(copy, "5", "5", "0");
  });
  OK(chown(copy, 1000, 1000));
  OK(chmod(copy, 04755));
  int ready[2], go[2];
  char c;
  OK(pipe(ready));
  OK(pipe(go));
  pid_t child = FORK({
    enter(NULL);
    CHECK_EQ(write(ready[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
    OK(setresuid(7, 7, 7));
    becomes(copy, "7", "5", "0");
  });
  CHECK_EQ(read(ready[0], &c, 1), 1);
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)child);
  put(path, "5 1000 1\n7 2000 1\n");
  snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)child);
  put(path, "0 1000 1\n");
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(child);
  return 0;
}
