// Extended attributes: creating, replacing, listing, sizes, classes and who may use them (xattr(7)).
#include <sys/xattr.h>

#include "abi.h"

static bool listed(const char* list, ssize_t size, const char* name) {
  for (const char* at = list; at < list + size; at += strlen(at) + 1)
    if (strcmp(at, name) == 0) return true;
  return false;
}

static void values(void) {
  abi_put("f", "");
  char out[64], list[4096];
  FAILS(getxattr("f", "user.a", out, sizeof(out)), ENODATA);
  FAILS(setxattr("f", "user.a", "x", 1, XATTR_REPLACE), ENODATA);
  OK(setxattr("f", "user.a", "one", 3, XATTR_CREATE));
  FAILS(setxattr("f", "user.a", "two", 3, XATTR_CREATE), EEXIST);
  OK(setxattr("f", "user.a", "twice", 5, XATTR_REPLACE));
  FAILS(setxattr("f", "user.a", "x", 1, 4), EINVAL);
  CHECK_EQ(getxattr("f", "user.a", NULL, 0), 5);
  CHECK_EQ(getxattr("f", "user.a", out, sizeof(out)), 5);
  CHECK_EQ(memcmp(out, "twice", 5), 0);
  FAILS(getxattr("f", "user.a", out, 4), ERANGE);
  // An empty value is one.
  OK(setxattr("f", "user.empty", NULL, 0, 0));
  CHECK_EQ(getxattr("f", "user.empty", out, sizeof(out)), 0);
  CHECK_EQ(getxattr("f", "user.empty", NULL, 0), 0);

  ssize_t size = OK(listxattr("f", NULL, 0));
  CHECK_EQ(OK(listxattr("f", list, sizeof(list))), size);
  CHECK(size >= (ssize_t)(sizeof("user.a") + sizeof("user.empty")));
  CHECK(listed(list, size, "user.a") && listed(list, size, "user.empty"));
  FAILS(listxattr("f", list, 3), ERANGE);
  OK(removexattr("f", "user.empty"));
  FAILS(removexattr("f", "user.empty"), ENODATA);
  size = OK(listxattr("f", list, sizeof(list)));
  CHECK(listed(list, size, "user.a") && !listed(list, size, "user.empty"));
}

static void names(void) {
  char name[300], value[16];
  memset(name, 'n', sizeof(name));
  memcpy(name, "user.", 5);
  name[255] = 0;
  OK(setxattr("f", name, "long", 4, 0));
  CHECK_EQ(getxattr("f", name, value, sizeof(value)), 4);
  OK(removexattr("f", name));
  name[255] = 'n', name[256] = 0;
  FAILS(setxattr("f", name, "long", 4, 0), ERANGE);
  FAILS(getxattr("f", name, value, sizeof(value)), ERANGE);
  FAILS(setxattr("f", "", "x", 1, 0), ERANGE);
  FAILS(setxattr("f", "user.", "x", 1, 0), EINVAL);
  FAILS(setxattr("f", "plain", "x", 1, 0), EOPNOTSUPP);
  FAILS(getxattr("f", "plain.x", value, sizeof(value)), EOPNOTSUPP);
  static char big[65537];
  FAILS(setxattr("f", "user.big", big, sizeof(big), 0), E2BIG);
  FAILS(setxattr("f", "user.big", (void*)8, 5, 0), EFAULT);
  FAILS(setxattr("f", (void*)8, "x", 1, 0), EFAULT);
  FAILS(setxattr("none", "user.a", "x", 1, 0), ENOENT);
}

static void descriptors(void) {
  char out[16];
  int fd = OK(open("f", O_RDONLY)), path = OK(open("f", O_PATH));
  OK(fsetxattr(fd, "user.b", "by fd", 5, 0));  // reading is enough: the permission of the file counts
  CHECK_EQ(fgetxattr(fd, "user.b", out, sizeof(out)), 5);
  FAILS(fgetxattr(path, "user.b", out, sizeof(out)), EBADF);
  FAILS(fsetxattr(path, "user.b", "x", 1, 0), EBADF);
  FAILS(flistxattr(path, out, sizeof(out)), EBADF);
  FAILS(flistxattr(-1, out, sizeof(out)), EBADF);
  OK(unlink("f"));
  CHECK_EQ(fgetxattr(fd, "user.b", out, sizeof(out)), 5);
  abi_put("f", "");
  FAILS(getxattr("f", "user.b", out, sizeof(out)), ENODATA);
  // They stay with the file, not its name.
  OK(setxattr("f", "user.c", "c", 1, 0));
  OK(rename("f", "g"));
  OK(link("g", "f"));
  CHECK_EQ(getxattr("f", "user.c", out, sizeof(out)), 1);
}

static void kinds(void) {
  char out[16];
  OK(symlink("f", "link"));
  OK(mkfifo("fifo", 0600));
  OK(mkdir("dir", 0755));
  OK(setxattr("dir", "user.d", "d", 1, 0));
  // Of links and special files user attributes would be a quota for everybody.
  FAILS(lsetxattr("link", "user.x", "x", 1, 0), EPERM);
  FAILS(setxattr("fifo", "user.x", "x", 1, 0), EPERM);
  FAILS(lgetxattr("link", "user.x", out, sizeof(out)), ENODATA);
  OK(setxattr("link", "user.x", "through", 7, 0));
  CHECK_EQ(getxattr("f", "user.x", out, sizeof(out)), 7);
}

static void others(void) {
  char out[16];
  OK(chmod("f", 0644));
  OK(mkdir("sticky", 01777));
  OK(chmod("sticky", 01777));
  OK(setxattr("f", "user.c", "c", 1, 0));
  IN_CHILD({
    OK(setresgid(1000, 1000, 1000));
    OK(setresuid(1000, 1000, 1000));
    CHECK_EQ(getxattr("f", "user.c", out, sizeof(out)), 1);
    FAILS(setxattr("f", "user.c", "x", 1, 0), EACCES);
    FAILS(removexattr("f", "user.c"), EACCES);
    FAILS(setxattr("sticky", "user.c", "x", 1, 0), EPERM);  // writable, but not its owner's
    FAILS(setxattr("f", "trusted.c", "x", 1, 0), EPERM);
    FAILS(getxattr("f", "trusted.c", out, sizeof(out)), ENODATA);  // as if there were none
    FAILS(setxattr("f", "security.capability", "x", 1, 0), EINVAL);
  });
  OK(chmod("f", 0));
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(getxattr("f", "user.c", out, sizeof(out)), EACCES);
    CHECK(listxattr("f", NULL, 0) > 0);  // the names are no secret
  });
}

int main(void) {
  abi_scratch();
  values();
  names();
  descriptors();
  kinds();
  others();
  return 0;
}
