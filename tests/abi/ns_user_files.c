// Files in a user namespace: whose they are, and what its root may do with them.
#include <grp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "abi.h"

static void put(const char* path, const char* text) {
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
  OK(close(fd));
}
static void become(uid_t id) {
  OK(setgroups(0, NULL));
  OK(setresgid(id, id, id));
  OK(setresuid(id, id, id));
  OK(prctl(PR_SET_DUMPABLE, 1));
}
// Root of a namespace in which 0 is 1000 outside.
static void enter(int flags) {
  become(1000);
  OK(unshare(CLONE_NEWUSER | flags));
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", "0 1000 1");
  put("/proc/self/gid_map", "0 1000 1");
}
static void check_owner(const char* path, uid_t uid, gid_t gid) {
  struct stat s;
  OK(lstat(path, &s));
  CHECK_EQ(s.st_uid, uid);
  CHECK_EQ(s.st_gid, gid);
}

int main(void) {
  abi_scratch();
  OK(chmod(".", 0777));
  abi_put("roots", "x");
  OK(chmod("roots", 0600));
  abi_put("theirs", "x");
  OK(chmod("theirs", 0600));
  OK(chown("theirs", 1000, 1000));
  abi_put("half", "x");
  OK(chmod("half", 0600));
  OK(chown("half", 1000, 0));
  IN_CHILD({
    enter(CLONE_NEWNS);
    check_owner("roots", 65534, 65534);
    check_owner("theirs", 0, 0);
    check_owner("half", 0, 65534);
    struct statx x;
    OK(statx(AT_FDCWD, "roots", 0, STATX_UID, &x));
    CHECK_EQ(x.stx_uid, 65534);
    // Capabilities reach what has numbers here.
    FAILS(open("roots", O_RDONLY), EACCES);
    FAILS(chmod("roots", 0666), EPERM);
    FAILS(chown("roots", 0, 0), EPERM);
    FAILS(chown("theirs", 1, 0), EINVAL);
    FAILS(chown("theirs", 0, 1), EINVAL);
    OK(chown("theirs", 0, 0));
    OK(chown("half", 0, 0));  // to one's own group
    OK(chmod("half", 0));
    OK(close(OK(open("half", O_RDWR))));
    abi_put("made", "y");
    check_owner("made", 0, 0);
    FAILS(mknod("null", S_IFCHR | 0666, makedev(1, 3)), EPERM);
    OK(mknod("fifo", S_IFIFO | 0666, 0));
    // A file system of one's own has the same numbers.
    OK(mkdir("t", 0755));
    OK(mount("none", "t", "tmpfs", 0, "mode=700"));
    check_owner("t", 0, 0);
    abi_put("t/file", "z");
    check_owner("t/file", 0, 0);
    FAILS(mount("none", "t", "tmpfs", 0, "uid=1"), EINVAL);
    OK(mount("none", "t", "tmpfs", 0, "uid=0,mode=711"));
    FAILS(mknod("t/null", S_IFCHR | 0666, makedev(1, 3)), EPERM);
    // Access control lists name users, too.
    abi_put("t/listed", "");
    struct {
      uint32_t version;
      struct {
        uint16_t tag;
        uint16_t permissions;
        uint32_t id;
      } entry[5];
    } list = {2, {{1, 6, ~0u}, {2, 4, 7}, {4, 4, ~0u}, {0x10, 4, ~0u}, {0x20, 0, ~0u}}};

    FAILS(setxattr("t/listed", "system.posix_acl_access", &list, sizeof(list), 0), EINVAL);
    list.entry[1].id = 0;
    OK(setxattr("t/listed", "system.posix_acl_access", &list, sizeof(list), 0));
    memset(&list, 0, sizeof(list));
    CHECK_EQ(OK(getxattr("t/listed", "system.posix_acl_access", &list, sizeof(list))), (long)sizeof(list));
    CHECK_EQ(list.entry[1].tag, 2);
    CHECK_EQ(list.entry[1].id, 0);
  });
  check_owner("made", 1000, 1000);
  check_owner("half", 1000, 1000);
  // Without a number one makes no files where that matters.
  IN_CHILD({
    become(1000);
    OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
    OK(close(OK(open("nobody", O_CREAT | O_WRONLY, 0644))));
    check_owner("nobody", 65534, 65534);
    OK(mount("none", "t", "tmpfs", 0, NULL));
    FAILS(open("t/x", O_CREAT | O_WRONLY, 0644), EOVERFLOW);
    FAILS(mkdir("t/d", 0755), EOVERFLOW);
  });
  check_owner("nobody", 1000, 1000);
  // Linux's root in a namespace is no more than a user to files of others.
  IN_CHILD({
    OK(unshare(CLONE_NEWUSER));
    FAILS(open("made", O_WRONLY | O_APPEND), EACCES);
  });
  return 0;
}
