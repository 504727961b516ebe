// mount_setattr(2), fspick(2): flags and propagation of what is mounted.
#include "mount_api.h"

static int set_at(const char* path, unsigned flags, unsigned long long set, unsigned long long clear,
                  unsigned long long propagation) {
  struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
  return api_setattr(AT_FDCWD, path, flags, &attr, sizeof(attr));
}
static void shows(const char* name, const char* want) {
  char text[128];
  CHECK(api_options(name, text, sizeof(text)));
  CHECK_STR(text, want);
}

int main(void) {
  api_scratch();
  OK(mkdir("a", 0755));
  OK(mount("none", "a", "tmpfs", 0, NULL));
  OK(mkdir("a/sub", 0755));
  OK(mount("none", "a/sub", "tmpfs", 0, NULL));
  OK(set_at("a", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, 0, 0));
  shows("a", "ro,noexec,relatime");
  shows("a/sub", "rw,relatime");
  FAILS(mkdir("a/x", 0755), EROFS);
  OK(mkdir("a/sub/x", 0755));
  OK(set_at("a", AT_RECURSIVE, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, 0));
  shows("a", "rw,nosuid,noexec,relatime");
  shows("a/sub", "rw,nosuid,relatime");
  OK(set_at("a", 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0));
  shows("a", "rw,noatime");
  // Bits to set alone do not change how access times are kept.
  FAILS(set_at("a", 0, MOUNT_ATTR_NOATIME, 0, 0), EINVAL);
  FAILS(set_at("a", 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME, 0), EINVAL);
  FAILS(set_at("a", 0, 1u << 30, 0, 0), EINVAL);
  FAILS(set_at("a", 0, 0, 0, MS_SHARED | MS_PRIVATE), EINVAL);
  FAILS(set_at("a", 0, 0, 0, MS_REC), EINVAL);
  FAILS(set_at("a", 0x40, MOUNT_ATTR_RDONLY, 0, 0), EINVAL);
  FAILS(set_at("none", 0, MOUNT_ATTR_RDONLY, 0, 0), ENOENT);
  FAILS(set_at("a/sub/x", 0, MOUNT_ATTR_RDONLY, 0, 0), EINVAL);
  OK(set_at("a/sub/x", 0, 0, 0, 0));  // nothing to do
  struct {
    struct mount_attr attr;
    unsigned long long more;
  } larger = {.attr = {.attr_set = MOUNT_ATTR_NODEV}};
  OK(api_setattr(AT_FDCWD, "a", 0, &larger, sizeof(larger)));
  shows("a", "rw,nodev,noatime");
  larger.more = 1;
  FAILS(api_setattr(AT_FDCWD, "a", 0, &larger, sizeof(larger)), E2BIG);
  FAILS(api_setattr(AT_FDCWD, "a", 0, &larger, 16), EINVAL);
  FAILS(api_setattr(AT_FDCWD, "a", 0, &larger, 8192), E2BIG);
  FAILS(api_setattr(AT_FDCWD, "a", 0, NULL, sizeof(larger.attr)), EFAULT);
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(set_at("/", 0, MOUNT_ATTR_RDONLY, 0, 0), EPERM);
    FAILS(api_fspick(AT_FDCWD, "/", 0), EPERM);
  });
  // Propagation: a copy is a peer.
  OK(set_at("a", AT_RECURSIVE, 0, 0, MS_SHARED));
  OK(mkdir("b", 0755));
  OK(mount("a", "b", NULL, MS_BIND, NULL));
  OK(mkdir("a/late", 0755));
  OK(mount("none", "a/late", "tmpfs", 0, NULL));
  abi_put("a/late/file", "");
  CHECK(abi_exists("b/late/file"));
  OK(set_at("b", 0, 0, 0, MS_PRIVATE));
  OK(umount2("a/late", 0));
  CHECK(abi_exists("b/late/file"));
  // On a copy before it is mounted.
  int copy = OK(api_open_tree(AT_FDCWD, "a/sub", OPEN_TREE_CLONE));
  struct mount_attr only = {.attr_set = MOUNT_ATTR_RDONLY};
  OK(api_setattr(copy, "", AT_EMPTY_PATH, &only, sizeof(only)));
  FAILS(mkdirat(copy, "y", 0755), EROFS);
  OK(mkdir("a/sub/y", 0755));
  // A file system to be configured anew.
  FAILS(api_fspick(AT_FDCWD, "a/sub/x", 0), EINVAL);
  FAILS(api_fspick(AT_FDCWD, "a", 0x100), EINVAL);
  int fs = OK(api_fspick(AT_FDCWD, "a", FSPICK_CLOEXEC));
  CHECK_EQ(OK(fcntl(fs, F_GETFD)), FD_CLOEXEC);
  FAILS(api_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
  OK(api_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
  // Only what is named changes, and never what a mount says.
  OK(mkdir("r", 0755));
  OK(mkdir("r2", 0755));
  OK(mount("none", "r", "tmpfs", 0, NULL));
  OK(mount("r", "r2", NULL, MS_BIND, NULL));
  OK(set_at("r", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, 0));
  fs = OK(api_fspick(AT_FDCWD, "r", 0));
  OK(api_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
  FAILS(mkdir("r/x", 0755), EROFS);
  OK(api_fsconfig(fs, FSCONFIG_SET_FLAG, "rw", NULL, 0));
  OK(api_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
  FAILS(mkdir("r/x", 0755), EROFS);
  OK(mkdir("r2/x", 0755));
  shows("r", "ro,nodev,relatime");
  // The file system itself, wherever it is mounted.
  OK(api_fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0));
  OK(mkdir("r2/y", 0755));
  OK(api_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
  FAILS(mkdir("r2/z", 0755), EROFS);
  shows("r2", "rw,relatime");
  OK(mount("r2", "b", NULL, MS_BIND, NULL));
  FAILS(mkdir("b/z", 0755), EROFS);
  int other = OK(api_fspick(AT_FDCWD, "r2", 0));
  OK(api_fsconfig(other, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
  FAILS(mkdir("r2/z", 0755), EROFS);
  OK(api_fsconfig(other, FSCONFIG_SET_FLAG, "rw", NULL, 0));
  OK(api_fsconfig(other, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
  OK(mkdir("b/z", 0755));
  FAILS(mkdir("r/other", 0755), EROFS);
  // As much as fits into a page.
  char long_one[200];
  memset(long_one, 'x', sizeof(long_one) - 1);
  long_one[sizeof(long_one) - 1] = 0;
  fs = OK(api_fsopen("proc", 0));
  FAILS(api_fsconfig(fs, FSCONFIG_SET_STRING, "nonsense", long_one, 0), EINVAL);
  return 0;
}
