// fsopen(2), fsconfig(2), fsmount(2), move_mount(2): a new file system step by step.
#include "mount_api.h"

static void steps(void) {
  char text[128];
  int fs = OK(api_fsopen("tmpfs", FSOPEN_CLOEXEC));
  CHECK_EQ(OK(fcntl(fs, F_GETFD)), FD_CLOEXEC);
  FAILS(api_fsmount(fs, 0, 0), EINVAL);  // not made yet
  OK(api_fsconfig(fs, FSCONFIG_SET_STRING, "source", "mine", 0));
  FAILS(api_fsconfig(fs, FSCONFIG_SET_STRING, "source", "mine", 0), EINVAL);
  OK(api_fsconfig(fs, FSCONFIG_SET_STRING, "size", "64k", 0));
  OK(api_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "711", 0));
  OK(api_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  FAILS(api_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
  FAILS(api_fsconfig(fs, FSCONFIG_SET_STRING, "size", "64k", 0), EBUSY);
  int m = OK(api_fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID));
  CHECK_EQ(OK(fcntl(m, F_GETFD)), FD_CLOEXEC);
  CHECK(OK(fcntl(m, F_GETFL)) & O_PATH);
  OK(close(fs));
  // It can be used before it stands anywhere.
  OK(mkdirat(m, "early", 0755));
  struct stat st;
  OK(fstatat(m, "", &st, AT_EMPTY_PATH));
  CHECK_EQ(st.st_mode, S_IFDIR | 0711);
  OK(mkdir("a", 0755));
  CHECK(!api_options("a", text, sizeof(text)));
  OK(api_move_mount(m, "", AT_FDCWD, "a", MOVE_MOUNT_F_EMPTY_PATH));
  CHECK(abi_exists("a/early"));
  CHECK(api_options("a", text, sizeof(text)));
  CHECK_STR(text, "rw,nosuid,nodev,relatime");
  // Once more from there to elsewhere, by descriptor and by name.
  OK(mkdir("b", 0755));
  OK(api_move_mount(m, "", AT_FDCWD, "b", MOVE_MOUNT_F_EMPTY_PATH));
  CHECK(!abi_exists("a/early"));
  OK(api_move_mount(AT_FDCWD, "b", AT_FDCWD, "a", 0));
  CHECK(abi_exists("a/early"));
  OK(close(m));
  CHECK(abi_exists("a/early"));
  OK(umount2("a", 0));
}

// What was never put anywhere goes with its descriptor.
static void dropped(void) {
  int fs = OK(api_fsopen("tmpfs", 0));
  OK(api_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  int m = OK(api_fsmount(fs, 0, MOUNT_ATTR_RDONLY));
  FAILS(mkdirat(m, "x", 0755), EROFS);
  OK(close(m));
  OK(close(fs));
}

static void refusals(void) {
  FAILS(api_fsopen("no such", 0), ENODEV);
  FAILS(api_fsopen("tmpfs", 2), EINVAL);
  FAILS(api_fsopen(NULL, 0), EFAULT);
  int fs = OK(api_fsopen("tmpfs", 0));
  FAILS(api_fsconfig(fs, 99, NULL, NULL, 0), EOPNOTSUPP);
  FAILS(api_fsconfig(-1, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EINVAL);
  FAILS(api_fsconfig(fs, FSCONFIG_SET_FLAG, NULL, NULL, 0), EINVAL);
  FAILS(api_fsconfig(fs, FSCONFIG_SET_STRING, "size", NULL, 0), EINVAL);
  FAILS(api_fsconfig(fs, FSCONFIG_SET_STRING, "size", "1", 1), EINVAL);
  FAILS(api_fsconfig(fs, FSCONFIG_SET_STRING, "nonsense", "1", 0), EINVAL);
  FAILS(api_fsconfig(fs, FSCONFIG_SET_STRING, "size", "no number", 0), EINVAL);
  FAILS(api_fsconfig(fs, FSCONFIG_CMD_CREATE, "key", NULL, 0), EINVAL);
  FAILS(api_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
  int other = OK(open(".", O_RDONLY));
  FAILS(api_fsconfig(other, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EINVAL);
  FAILS(api_fsmount(other, 0, 0), EINVAL);
  FAILS(api_fsmount(fs, 2, 0), EINVAL);
  OK(api_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  FAILS(api_fsmount(fs, 0, 0x30), EINVAL);
  int m = OK(api_fsmount(fs, 0, 0));
  FAILS(api_fsmount(fs, 0, 0), EBUSY);
  FAILS(api_move_mount(m, "", AT_FDCWD, "none", MOVE_MOUNT_F_EMPTY_PATH), ENOENT);
  FAILS(api_move_mount(m, "", AT_FDCWD, "f", MOVE_MOUNT_F_EMPTY_PATH), ENOENT);
  FAILS(api_move_mount(m, "", AT_FDCWD, "/", 0x1000), EINVAL);
  abi_put("f", "");
  FAILS(api_move_mount(m, "", AT_FDCWD, "f", MOVE_MOUNT_F_EMPTY_PATH), EINVAL);
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(api_fsopen("tmpfs", 0), EPERM);
    FAILS(api_fsmount(fs, 0, 0), EPERM);
    FAILS(api_move_mount(m, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), EPERM);
  });
}

int main(void) {
  api_scratch();
  steps();
  dropped();
  refusals();
  return 0;
}
