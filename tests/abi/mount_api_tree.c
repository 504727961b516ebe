// open_tree(2) and move_mount(2): copies of trees that nothing but a descriptor leads to.
#include "mount_api.h"

int main(void) {
  api_scratch();
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  OK(mkdir("c", 0755));
  OK(mount("none", "a", "tmpfs", 0, NULL));
  OK(mkdir("a/sub", 0755));
  OK(mount("none", "a/sub", "tmpfs", 0, NULL));
  OK(close(OK(open("a/sub/deep", O_CREAT | O_WRONLY, 0644))));
  // Without a copy: a place, as O_PATH gives it.
  int place = OK(api_open_tree(AT_FDCWD, "a", OPEN_TREE_CLOEXEC));
  CHECK(OK(fcntl(place, F_GETFL)) & O_PATH);
  CHECK_EQ(OK(fcntl(place, F_GETFD)), FD_CLOEXEC);
  CHECK_EQ(faccessat(place, "sub/deep", F_OK, 0), 0);
  OK(close(place));
  // A copy of one mount shows what is below the other.
  int one = OK(api_open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE));
  FAILS(faccessat(one, "sub/deep", F_OK, 0), ENOENT);
  CHECK_EQ(faccessat(one, "sub", F_OK, 0), 0);
  int all = OK(api_open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE | AT_RECURSIVE));
  CHECK_EQ(faccessat(all, "sub/deep", F_OK, 0), 0);
  OK(api_move_mount(one, "", AT_FDCWD, "b", MOVE_MOUNT_F_EMPTY_PATH));
  OK(api_move_mount(all, "", AT_FDCWD, "c", MOVE_MOUNT_F_EMPTY_PATH));
  CHECK(abi_exists("b/sub"));
  CHECK(!abi_exists("b/sub/deep"));
  CHECK(abi_exists("c/sub/deep"));
  char text[128];
  CHECK(api_options("c/sub", text, sizeof(text)));
  // A copy of a part.
  int part = OK(api_open_tree(AT_FDCWD, "c/sub", OPEN_TREE_CLONE));
  OK(umount2("c", MNT_DETACH));
  CHECK_EQ(faccessat(part, "deep", F_OK, 0), 0);
  OK(api_move_mount(part, "", AT_FDCWD, "c", MOVE_MOUNT_F_EMPTY_PATH));
  CHECK(abi_exists("c/deep"));
  OK(close(one));
  OK(close(all));
  OK(close(part));
  // A mount below itself.
  OK(mkdir("a/in", 0755));
  FAILS(api_move_mount(AT_FDCWD, "a", AT_FDCWD, "a/in", 0), ELOOP);
  // What is no mount does not move.
  FAILS(api_move_mount(AT_FDCWD, "a/in", AT_FDCWD, "b", 0), EINVAL);
  FAILS(api_move_mount(AT_FDCWD, "", AT_FDCWD, "b", 0), ENOENT);
  FAILS(api_open_tree(AT_FDCWD, "a", AT_RECURSIVE), EINVAL);
  FAILS(api_open_tree(AT_FDCWD, "a", 0x40), EINVAL);
  FAILS(api_open_tree(AT_FDCWD, "none", OPEN_TREE_CLONE), ENOENT);
  OK(mount(NULL, "a", NULL, MS_UNBINDABLE, NULL));
  FAILS(api_open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE), EINVAL);
  OK(mount(NULL, "a", NULL, MS_PRIVATE, NULL));
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(api_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE), EPERM);
    OK(close(OK(api_open_tree(AT_FDCWD, "/", 0))));
  });
  // Onto something shared it comes to all peers.
  OK(mkdir("s", 0755));
  OK(mkdir("t", 0755));
  OK(mount("none", "s", "tmpfs", 0, NULL));
  OK(mount(NULL, "s", NULL, MS_SHARED, NULL));
  OK(mkdir("s/at", 0755));
  OK(mount("s", "t", NULL, MS_BIND, NULL));
  int copy = OK(api_open_tree(AT_FDCWD, "a/sub", OPEN_TREE_CLONE));
  OK(api_move_mount(copy, "", AT_FDCWD, "s/at", MOVE_MOUNT_F_EMPTY_PATH));
  CHECK(abi_exists("t/at/deep"));
  return 0;
}
