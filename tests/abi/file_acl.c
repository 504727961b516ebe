// POSIX access control lists (acl(5)) as extended attributes: setting, the mode beside them, the access
// check, inheritance.
#include <grp.h>
#include <sys/xattr.h>

#include "abi.h"

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
#define NONE 0xffffffffu

struct entry {
  uint16_t tag, perm;
  uint32_t id;
};
struct acl {
  uint32_t version;
  struct entry e[8];
};

static size_t size_of(int n) { return 4 + 8 * n; }

static void expect(const char* path, const char* name, int n, const struct entry* want) {
  struct acl got;
  CHECK_EQ(OK(getxattr(path, name, &got, sizeof(got))), (long)size_of(n));
  CHECK_EQ(got.version, 2);
  for (int i = 0; i < n; i++) {
    CHECK_EQ(got.e[i].tag, want[i].tag);
    CHECK_EQ(got.e[i].perm, want[i].perm);
    CHECK_EQ(got.e[i].id, want[i].id);
  }
}

static void give(const char* path, const char* name, int n, const struct entry* e) {
  struct acl a = {.version = 2};
  memcpy(a.e, e, n * 8);
  OK(setxattr(path, name, &a, size_of(n), 0));
}

static mode_t mode_of(const char* path) {
  struct stat st;
  OK(stat(path, &st));
  return st.st_mode & 07777;
}

static void become(uid_t uid, gid_t gid) {
  OK(setgroups(0, NULL));
  OK(setgid(gid));
  OK(setuid(uid));
}

static const struct entry kList[] = {{USER_OBJ, 6, NONE}, {USER, 7, 1001}, {GROUP_OBJ, 4, NONE},
                                     {GROUP, 6, 2002},    {MASK, 5, NONE}, {OTHER, 0, NONE}};

static void setting(void) {
  abi_put("file", "text");
  FAILS(getxattr("file", ACCESS, NULL, 0), ENODATA);
  FAILS(getxattr("file", DEFAULT, NULL, 0), ENODATA);
  CHECK_EQ(listxattr("file", NULL, 0), 0);
  give("file", ACCESS, 6, kList);
  CHECK_EQ(mode_of("file"), 0650);
  expect("file", ACCESS, 6, kList);
  CHECK_EQ(getxattr("file", ACCESS, NULL, 0), 52);
  char small[8], names[100];
  FAILS(getxattr("file", ACCESS, small, sizeof(small)), ERANGE);
  CHECK_EQ(OK(listxattr("file", names, sizeof(names))), (long)sizeof(ACCESS));
  CHECK_STR(names, ACCESS);
  // chmod(2) moves the mask.
  OK(chmod("file", 0624));
  struct entry moved[6];
  memcpy(moved, kList, sizeof(moved));
  moved[4].perm = 2;
  moved[5].perm = 4;
  expect("file", ACCESS, 6, moved);
  int fd = OK(open("file", O_RDONLY));
  OK(fchmod(fd, 0670));
  OK(close(fd));
  moved[4].perm = 7;
  moved[5].perm = 0;
  expect("file", ACCESS, 6, moved);
  // What the mode says alone is no list.
  struct entry plain[] = {{USER_OBJ, 7, NONE}, {GROUP_OBJ, 1, NONE}, {OTHER, 2, NONE}};
  give("file", ACCESS, 3, plain);
  CHECK_EQ(mode_of("file"), 0712);
  FAILS(getxattr("file", ACCESS, NULL, 0), ENODATA);
  give("file", ACCESS, 6, kList);
  OK(removexattr("file", ACCESS));
  CHECK_EQ(mode_of("file"), 0650);
  FAILS(getxattr("file", ACCESS, NULL, 0), ENODATA);
  OK(removexattr("file", ACCESS));

  struct acl bad = {.version = 2, .e = {{USER_OBJ, 6, NONE}, {GROUP_OBJ, 4, NONE}, {OTHER, 4, NONE}}};
  FAILS(setxattr("file", ACCESS, &bad, size_of(2), 0), EINVAL);
  FAILS(setxattr("file", ACCESS, &bad, size_of(3) - 1, 0), EINVAL);
  FAILS(setxattr("file", ACCESS, &bad, 3, 0), EINVAL);
  bad.e[1] = (struct entry){USER, 4, 7};
  bad.e[2] = (struct entry){GROUP_OBJ, 4, NONE};
  bad.e[3] = (struct entry){OTHER, 4, NONE};
  FAILS(setxattr("file", ACCESS, &bad, size_of(4), 0), EINVAL);  // no mask
  bad.e[1].perm = 8;
  FAILS(setxattr("file", ACCESS, &bad, size_of(4), 0), EINVAL);
  bad.version = 1;
  FAILS(setxattr("file", ACCESS, &bad, size_of(4), 0), EOPNOTSUPP);
  bad.version = 2;
  bad.e[1] = bad.e[2];
  FAILS(setxattr("file", ACCESS, &bad, size_of(4), 0), EINVAL);
  struct acl good = {.version = 2, .e = {{USER_OBJ, 6, NONE}, {GROUP_OBJ, 4, NONE}, {OTHER, 4, NONE}}};
  FAILS(setxattr("file", DEFAULT, &good, size_of(3), 0), EACCES);
  IN_CHILD(become(1001, 1001); FAILS(setxattr("file", ACCESS, &good, size_of(3), 0), EPERM));
  OK(symlink("file", "link"));
  FAILS(lsetxattr("link", ACCESS, &good, size_of(3), 0), EOPNOTSUPP);
  OK(unlink("link"));
  OK(unlink("file"));
}

static void can(uid_t uid, gid_t gid, int flags, int error) {
  IN_CHILD(become(uid, gid); if (error) FAILS(open("file", flags), error); else OK(open("file", flags));
           int mode = flags == O_RDONLY   ? R_OK
                      : flags == O_WRONLY ? W_OK
                                          : R_OK | W_OK;
           if (error) FAILS(access("file", mode), error); else OK(access("file", mode)));
}

static void checking(void) {
  abi_put("file", "text");
  OK(chown("file", 1000, 2000));
  struct entry list[] = {{USER_OBJ, 4, NONE}, {USER, 6, 1001},  {USER, 0, 1003}, {GROUP_OBJ, 4, NONE},
                         {GROUP, 2, 2002},    {GROUP, 4, 2003}, {MASK, 6, NONE}, {OTHER, 4, NONE}};
  give("file", ACCESS, 8, list);
  can(1000, 2002, O_RDONLY, 0);
  can(1000, 2002, O_RDWR, EACCES);
  can(1001, 5000, O_RDWR, 0);
  can(1003, 2000, O_RDONLY, EACCES);
  can(1004, 2000, O_RDONLY, 0);
  can(1004, 2000, O_WRONLY, EACCES);
  can(1004, 2002, O_WRONLY, 0);
  can(1004, 2002, O_RDONLY, EACCES);  // no way to others from a group
  can(1004, 2003, O_RDONLY, 0);
  can(1004, 5000, O_RDONLY, 0);
  can(1004, 5000, O_WRONLY, EACCES);
  // Two groups do not add up, and each counts.
  IN_CHILD(gid_t groups[] = {2002, 2003}; OK(setgroups(2, groups)); OK(setgid(5000)); OK(setuid(1004));
           OK(open("file", O_RDONLY)); OK(open("file", O_WRONLY)); FAILS(open("file", O_RDWR), EACCES));
  OK(chmod("file", 0644));  // the mask
  can(1001, 5000, O_RDONLY, 0);
  can(1001, 5000, O_RDWR, EACCES);
  can(1004, 2002, O_WRONLY, EACCES);
  OK(open("file", O_RDWR));
  OK(unlink("file"));
  // Directories, too.
  OK(mkdir("dir", 0700));
  struct entry enter[] = {
      {USER_OBJ, 7, NONE}, {USER, 7, 1001}, {GROUP_OBJ, 0, NONE}, {MASK, 7, NONE}, {OTHER, 0, NONE}};
  give("dir", ACCESS, 5, enter);
  CHECK_EQ(mode_of("dir"), 0770);
  IN_CHILD(become(1001, 1001); abi_put("dir/x", "x"); OK(chdir("dir")); OK(unlink("x")));
  IN_CHILD(become(1002, 1002); FAILS(open("dir/x", O_CREAT | O_RDWR, 0600), EACCES);
           FAILS(chdir("dir"), EACCES));
  OK(rmdir("dir"));
}

static void inheriting(void) {
  OK(mkdir("dir", 0755));
  struct entry list[] = {
      {USER_OBJ, 7, NONE}, {USER, 6, 1001}, {GROUP_OBJ, 5, NONE}, {MASK, 7, NONE}, {OTHER, 5, NONE}};
  give("dir", DEFAULT, 5, list);
  CHECK_EQ(mode_of("dir"), 0755);
  FAILS(getxattr("dir", ACCESS, NULL, 0), ENODATA);
  mode_t mask = umask(077);  // does not count here
  int fd = OK(open("dir/file", O_CREAT | O_RDWR, 0664));
  OK(close(fd));
  CHECK_EQ(mode_of("dir/file"), 0664);
  struct entry file[] = {
      {USER_OBJ, 6, NONE}, {USER, 6, 1001}, {GROUP_OBJ, 5, NONE}, {MASK, 6, NONE}, {OTHER, 4, NONE}};
  expect("dir/file", ACCESS, 5, file);
  FAILS(getxattr("dir/file", DEFAULT, NULL, 0), ENODATA);
  OK(mkdir("dir/sub", 0711));
  CHECK_EQ(mode_of("dir/sub"), 0711);
  expect("dir/sub", DEFAULT, 5, list);
  struct entry sub[] = {
      {USER_OBJ, 7, NONE}, {USER, 6, 1001}, {GROUP_OBJ, 5, NONE}, {MASK, 1, NONE}, {OTHER, 1, NONE}};
  expect("dir/sub", ACCESS, 5, sub);
  OK(mkfifo("dir/sub/fifo", 0600));
  CHECK_EQ(mode_of("dir/sub/fifo"), 0600);
  CHECK(getxattr("dir/sub/fifo", ACCESS, NULL, 0) > 0);
  OK(symlink("x", "dir/link"));
  FAILS(lgetxattr("dir/link", ACCESS, NULL, 0), EOPNOTSUPP);
  // A default list that says no more than a mode.
  struct entry plain[] = {{USER_OBJ, 7, NONE}, {GROUP_OBJ, 4, NONE}, {OTHER, 0, NONE}};
  give("dir", DEFAULT, 3, plain);
  OK(close(OK(open("dir/other", O_CREAT | O_RDWR, 0666))));
  CHECK_EQ(mode_of("dir/other"), 0640);
  FAILS(getxattr("dir/other", ACCESS, NULL, 0), ENODATA);
  OK(removexattr("dir", DEFAULT));
  OK(close(OK(open("dir/last", O_CREAT | O_RDWR, 0666))));
  CHECK_EQ(mode_of("dir/last"), 0600);
  umask(mask);
}

int main(void) {
  abi_scratch();
  setting();
  checking();
  inheriting();
  return 0;
}
