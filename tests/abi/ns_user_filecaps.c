// Capabilities of files that root of a user namespace gives: they count there and below (capabilities(7),
// "Namespaced file capabilities").
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#include "abi.h"

static const char* const kName = "security.capability";

static void put(const char* path, const char* text) {
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
  OK(close(fd));
}
static void enter(uid_t id, const char* map) {
  OK(setgroups(0, NULL));
  OK(setresgid(id, id, id));
  OK(setresuid(id, id, id));
  OK(prctl(PR_SET_DUMPABLE, 1));
  OK(unshare(CLONE_NEWUSER));
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", map);
  put("/proc/self/gid_map", map);
}

int main(void) {
  abi_scratch();
  OK(chmod(".", 0777));
  abi_put("file", "x");
  OK(chown("file", 1000, 1000));
  abi_put("roots", "x");
  struct vfs_cap_data two = {.magic_etc = VFS_CAP_REVISION_2, .data[0].permitted = 1 << CAP_NET_RAW};
  struct vfs_ns_cap_data got;
  // The oldest kind says not whose it is: nobody can give it any more.
  const uint32_t one[3] = {VFS_CAP_REVISION_1 | VFS_CAP_FLAGS_EFFECTIVE, ~0u, 0};
  FAILS(setxattr("file", kName, one, sizeof(one), 0), EINVAL);
  FAILS(setxattr("roots", kName, one, sizeof(one), 0), EINVAL);
  IN_CHILD({
    enter(1000, "0 1000 1");
    FAILS(setxattr("roots", kName, &two, sizeof(two), 0), EPERM);
    FAILS(setxattr("file", kName, one, sizeof(one), 0), EINVAL);
    OK(setxattr("file", kName, &two, sizeof(two), 0));
    CHECK_EQ(OK(getxattr("file", kName, &got, sizeof(got))), sizeof(two));
    CHECK_EQ(got.magic_etc, VFS_CAP_REVISION_2);
    CHECK_EQ(got.data[0].permitted, 1 << CAP_NET_RAW);
    FAILS(getxattr("file", kName, &got, 8), ERANGE);
  });
  // Outside it is seen whose root it is.
  CHECK_EQ(OK(getxattr("file", kName, &got, sizeof(got))), sizeof(got));
  CHECK_EQ(got.magic_etc, VFS_CAP_REVISION_3);
  CHECK_EQ(got.rootid, 1000);
  CHECK_EQ(OK(getxattr("file", kName, NULL, 0)), sizeof(got));
  // Root outside may name one; what it gives without counts everywhere.
  got.rootid = 2000;
  OK(setxattr("file", kName, &got, sizeof(got), 0));
  IN_CHILD({
    enter(1000, "0 1000 1");
    FAILS(getxattr("file", kName, &got, sizeof(got)), EOVERFLOW);
    OK(removexattr("file", kName));
    FAILS(getxattr("file", kName, &got, sizeof(got)), ENODATA);
  });
  OK(setxattr("file", kName, &two, sizeof(two), 0));
  IN_CHILD({
    enter(1000, "0 1000 1");
    CHECK_EQ(OK(getxattr("file", kName, &got, sizeof(got))), sizeof(two));
  });
  return 0;
}
