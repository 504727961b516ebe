// capabilities(7): sets over changes of user, execve and prctl.
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "abi.h"

typedef struct {
  uint64_t effective, permitted, inheritable;
} Caps;

static Caps get(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  OK(syscall(SYS_capget, &header, data));
  return (Caps){data[0].effective | (uint64_t)data[1].effective << 32,
                data[0].permitted | (uint64_t)data[1].permitted << 32,
                data[0].inheritable | (uint64_t)data[1].inheritable << 32};
}

static int set(Caps caps) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {
      {(uint32_t)caps.effective, (uint32_t)caps.permitted, (uint32_t)caps.inheritable},
      {(uint32_t)(caps.effective >> 32), (uint32_t)(caps.permitted >> 32),
       (uint32_t)(caps.inheritable >> 32)}};
  return syscall(SYS_capset, &header, data);
}

static uint64_t bit(int cap) { return 1ULL << cap; }

static int child(const char* what) {
  Caps caps = get();
  if (!strcmp(what, "root")) {
    CHECK(caps.effective & bit(CAP_CHOWN));
    CHECK(!(caps.permitted & bit(CAP_MKNOD)));  // out of the bounding set
  } else if (!strcmp(what, "user")) {
    CHECK_EQ(caps.effective | caps.permitted, 0);
  } else {
    CHECK_EQ(caps.effective, bit(CAP_KILL));  // ambient
    CHECK_EQ(caps.permitted, bit(CAP_KILL));
  }
  return 44;
}

static pid_t run(const char* self, uid_t uid, const char* what) {
  return FORK({
    if (!strcmp(what, "root")) OK(prctl(PR_CAPBSET_DROP, CAP_MKNOD));
    if (!strcmp(what, "ambient")) {
      OK(prctl(PR_SET_KEEPCAPS, 1));
      OK(setresuid(uid, uid, uid));
      OK(set((Caps){bit(CAP_KILL), bit(CAP_KILL), bit(CAP_KILL)}));
      OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
      CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 1);
      FAILS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), EPERM);
    } else {
      OK(setresuid(uid, uid, uid));
    }
    char* args[] = {(char*)self, (char*)what, NULL};
    OK(execv(self, args));
  });
}

int main(int argc, char** argv) {
  if (argc > 1) return child(argv[1]);
  Caps caps = get();
  CHECK_EQ(caps.effective, caps.permitted);
  CHECK(caps.permitted & bit(CAP_CHOWN));
  WAIT_EXIT(run(argv[0], 0, "root"), 44);
  WAIT_EXIT(run(argv[0], 1000, "user"), 44);
  WAIT_EXIT(run(argv[0], 1000, "ambient"), 44);

  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));  // all at once: all gone
    Caps now = get();
    CHECK_EQ(now.effective | now.permitted, 0);
    FAILS(set((Caps){0, bit(CAP_CHOWN), 0}), EPERM);
  });
  IN_CHILD({
    OK(seteuid(1000));  // the effective one alone: kept in the permitted set
    CHECK_EQ(get().effective, 0);
    CHECK_EQ(get().permitted, caps.permitted);
    OK(seteuid(0));
    CHECK_EQ(get().effective, caps.permitted);
  });
  IN_CHILD({
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
    OK(prctl(PR_SET_KEEPCAPS, 1));
    OK(setresuid(1000, 1000, 1000));
    CHECK_EQ(get().effective, 0);
    CHECK_EQ(get().permitted, caps.permitted);
    OK(set((Caps){bit(CAP_SETUID), bit(CAP_SETUID), 0}));
    OK(setresuid(2000, 2000, 2000));
    FAILS(set((Caps){0, bit(CAP_CHOWN), 0}), EPERM);  // dropped for good
    FAILS(set((Caps){bit(CAP_CHOWN), 0, 0}), EPERM);
  });
  // What a capability allows.
  IN_CHILD({
    abi_scratch();
    abi_put("f", "");
    OK(set((Caps){caps.permitted & ~bit(CAP_CHOWN), caps.permitted, 0}));
    FAILS(chown("f", 5, 5), EPERM);
    OK(set((Caps){caps.permitted, caps.permitted, 0}));
    OK(chown("f", 5, 5));
    OK(set((Caps){caps.permitted & ~bit(CAP_FOWNER), caps.permitted, 0}));
    FAILS(chmod("f", 0), EPERM);
    OK(set((Caps){caps.permitted, caps.permitted, 0}));
    OK(chmod("f", 0));
    OK(close(OK(open("f", O_RDWR))));
    OK(set((Caps){0, 0, 0}));
    FAILS(open("f", O_RDONLY), EACCES);
    FAILS(setresuid(1, 1, 1), EPERM);
    FAILS(prctl(PR_CAPBSET_DROP, CAP_CHOWN), EPERM);
  });
  CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
  FAILS(prctl(PR_CAPBSET_READ, 64), EINVAL);
  CHECK_EQ(prctl(PR_GET_SECUREBITS), 0);
  IN_CHILD({
    OK(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
    OK(setresuid(1000, 1000, 1000));
    CHECK_EQ(get().effective, caps.effective);
  });
  struct __user_cap_header_struct header = {0x12345678, 0};
  FAILS(syscall(SYS_capget, &header, &(struct __user_cap_data_struct[2]){0}), EINVAL);
  CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
  header.pid = 0x3fffffff;
  FAILS(syscall(SYS_capget, &header, &(struct __user_cap_data_struct[2]){0}), ESRCH);
  return 0;
}
