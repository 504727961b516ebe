// What is locked stays covered, also when what it stands on comes off its tree (mount_namespaces(7),
// "Restrictions on mount namespaces").
#include <grp.h>
#include <sys/prctl.h>

#include "mount_api.h"

static void put(const char* path, const char* text) {
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
  OK(close(fd));
}
static void enter(void) {
  OK(setgroups(0, NULL));
  OK(setresgid(1000, 1000, 1000));
  OK(setresuid(1000, 1000, 1000));
  OK(prctl(PR_SET_DUMPABLE, 1));
  OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", "0 1000 1");
  put("/proc/self/gid_map", "0 1000 1");
}
static bool exists_at(int dir, const char* name) {
  struct stat s;
  return fstatat(dir, name, &s, 0) == 0;
}
static void check_covered(int dir) {
  CHECK(exists_at(dir, "below/top"));
  CHECK(!exists_at(dir, "below/hidden"));
  CHECK(exists_at(dir, "below/deeper/top"));
  CHECK(!exists_at(dir, "below/deeper/hidden"));
  int below = OK(openat(dir, "below", O_RDONLY | O_DIRECTORY));
  CHECK(exists_at(below, "../below/top"));
  CHECK(exists_at(below, "../beside"));
  OK(close(below));
}

// "b", with a mount on "b/below" that hides a file, and another on that.
static void build(void) {
  OK(mkdir("b", 0777));
  OK(mkdir("c", 0777));
  OK(mount("none", "b", "tmpfs", 0, "mode=777"));
  OK(mkdir("b/below", 0777));
  abi_put("b/beside", "");
  abi_put("b/below/hidden", "");
  OK(mount("none", "b/below", "tmpfs", 0, "mode=777"));
  abi_put("b/below/top", "");
  OK(mkdir("b/below/deeper", 0777));
  abi_put("b/below/deeper/hidden", "");
  OK(mount("none", "b/below/deeper", "tmpfs", 0, "mode=777"));
  abi_put("b/below/deeper/top", "");
}

static void taken_off(void) {
  enter();
  OK(mount("b", "c", NULL, MS_BIND | MS_REC, NULL));
  int dir = OK(open("c", O_RDONLY | O_DIRECTORY));
  OK(chdir("c"));
  OK(umount2(".", MNT_DETACH));
  check_covered(dir);
  check_covered(AT_FDCWD);
  FAILS(umount2("below", MNT_DETACH), EINVAL);
}

static void namespace_ends(void) {
  enter();
  int dir = OK(open("b", O_RDONLY | O_DIRECTORY));
  OK(unshare(CLONE_NEWNS));
  check_covered(dir);
}

static void holder_ends(void) {
  enter();
  int copy = OK(api_open_tree(AT_FDCWD, "b", OPEN_TREE_CLONE | AT_RECURSIVE));
  int dir = OK(openat(copy, ".", O_RDONLY | O_DIRECTORY));
  check_covered(dir);
  OK(close(copy));
  check_covered(dir);
}

// Its own mounts are not locked: what they cover comes to light.
static void own(void) {
  enter();
  OK(mount("none", "c", "tmpfs", 0, NULL));
  OK(mkdir("c/below", 0755));
  abi_put("c/below/hidden", "");
  OK(mount("none", "c/below", "tmpfs", 0, NULL));
  int dir = OK(open("c", O_RDONLY | O_DIRECTORY));
  CHECK(!exists_at(dir, "below/hidden"));
  OK(umount2("c", MNT_DETACH));
  CHECK(exists_at(dir, "below/hidden"));
}

// What is unbindable is left out of a copy, unless that uncovers something.
static void unbindable(void) {
  enter();
  OK(mount(NULL, "b/below", NULL, MS_UNBINDABLE, NULL));
  FAILS(mount("b", "c", NULL, MS_BIND | MS_REC, NULL), EPERM);
  FAILS(api_open_tree(AT_FDCWD, "b", OPEN_TREE_CLONE | AT_RECURSIVE), EPERM);
  OK(mount("b/below/deeper", "c", NULL, MS_BIND | MS_REC, NULL));
  OK(umount2("c", 0));
}

// What is locked goes with an unmount elsewhere that propagates.
static void propagation(void) {
  OK(mkdir("s", 0777));
  OK(mount("none", "s", "tmpfs", 0, "mode=777"));
  OK(mount(NULL, "s", NULL, MS_SHARED, NULL));
  OK(mkdir("s/early", 0777));
  OK(mkdir("s/late", 0777));
  OK(mount("none", "s/early", "tmpfs", 0, "mode=777"));
  abi_put("s/early/file", "");
  int told[2], go[2];
  char c;
  OK(pipe(told));
  OK(pipe(go));
  pid_t child = FORK({
    enter();
    CHECK_EQ(write(told[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
    CHECK(abi_exists("s/late/in/file"));
    FAILS(umount2("s/late/in", 0), EINVAL);
    FAILS(umount2("s/early", 0), EINVAL);
    CHECK_EQ(write(told[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
    CHECK(!abi_exists("s/early/file"));
    CHECK(!abi_exists("s/late/in"));
  });
  CHECK_EQ(read(told[0], &c, 1), 1);
  OK(mkdir("tree", 0777));
  OK(mount("none", "tree", "tmpfs", 0, "mode=777"));
  OK(mkdir("tree/in", 0777));
  OK(mount("none", "tree/in", "tmpfs", 0, "mode=777"));
  abi_put("tree/in/file", "");
  OK(mount("tree", "s/late", NULL, MS_BIND | MS_REC, NULL));
  CHECK_EQ(write(go[1], "", 1), 1);
  CHECK_EQ(read(told[0], &c, 1), 1);
  OK(umount2("s/early", 0));
  CHECK(!abi_exists("s/early/file"));
  OK(umount2("s/late", MNT_DETACH));
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(child);
}

int main(void) {
  api_scratch();
  OK(chmod(".", 0777));
  build();
  IN_CHILD(taken_off());
  IN_CHILD(namespace_ends());
  IN_CHILD(holder_ends());
  IN_CHILD(own());
  IN_CHILD(unbindable());
  propagation();
  return 0;
}
