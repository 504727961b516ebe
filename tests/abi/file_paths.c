// Path resolution: limits, links, slashes, dots: path_resolution(7); chroot(2), openat2(2).
#include <linux/openat2.h>

#include "abi.h"

static void exists(const char* path) {
  struct stat st;
  if (stat(path, &st) != 0) FAIL("%s: is not there", path);
}

int main(void) {
  abi_scratch();
  struct stat st;
  OK(mkdir("a", 0755));
  OK(mkdir("a/b", 0755));
  abi_put("a/b/f", "deep");
  const char* same[] = {"a/b/f", "./a/./b/./f", "a//b///f", "a/../a/b/f", "a/b/../b/f", "a/b/../../a/b/f"};
  for (int i = 0; i < 6; i++) exists(same[i]);
  exists("a/b/");
  exists("a/b/.");
  exists("/..");
  exists("/../../..");
  exists("//");
  FAILS(stat("a/b/f/", &st), ENOTDIR);
  FAILS(stat("a/b/f/.", &st), ENOTDIR);
  FAILS(stat("a/b/f/..", &st), ENOTDIR);
  FAILS(stat("a/x/../b", &st), ENOENT);
  FAILS(stat("", &st), ENOENT);

  // Lengths of a name and of a path.
  char name[300];
  memset(name, 'n', sizeof(name));
  name[255] = 0;
  abi_put(name, "");
  exists(name);
  name[255] = 'n';
  name[256] = 0;
  FAILS(stat(name, &st), ENAMETOOLONG);
  FAILS(open(name, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
  FAILS(mkdir(name, 0755), ENAMETOOLONG);
  FAILS(stat("a/b/f/x", &st), ENOTDIR);
  char path[4200];
  memset(path, 0, sizeof(path));
  while (strlen(path) < 4090) strcat(path, "./");
  strcat(path, "a");
  exists(path);
  while (strlen(path) < 4095) strcat(path, "/");
  exists(path);
  strcat(path, "/");
  FAILS(stat(path, &st), ENAMETOOLONG);

  // Loops and long chains of links: forty are followed.
  OK(symlink("self", "self"));
  FAILS(stat("self", &st), ELOOP);
  FAILS(open("self", O_RDONLY), ELOOP);
  FAILS(stat("self/x", &st), ELOOP);
  OK(symlink("two", "one"));
  OK(symlink("one", "two"));
  FAILS(stat("one", &st), ELOOP);
  OK(lstat("one", &st));
  OK(symlink("a", "l0"));
  for (int i = 1; i <= 40; i++) {
    char from[16], to[16];
    snprintf(to, sizeof(to), "l%d", i - 1);
    snprintf(from, sizeof(from), "l%d", i);
    OK(symlink(to, from));
  }
  exists("l39");
  FAILS(stat("l40", &st), ELOOP);
  exists("l38/b");
  FAILS(lstat("l40/", &st), ELOOP);
  OK(lstat("l40", &st));
  OK(symlink("a/b", "ab"));
  exists("ab/f");
  exists("ab/../b/f");  // ".." of where the link leads
  OK(lstat("ab/", &st));
  CHECK(S_ISDIR(st.st_mode));
  OK(symlink("a/", "aslash"));
  exists("aslash/b");
  OK(symlink("a/b/f/", "fslash"));
  FAILS(stat("fslash", &st), ENOTDIR);
  char absolute[600];
  CHECK(getcwd(absolute, 500) != NULL);
  strcat(absolute, "/a/b");
  OK(symlink(absolute, "abs"));
  exists("abs/f");

  // chroot.
  IN_CHILD({
    int out = OK(open(".", O_RDONLY));
    OK(chroot("a"));
    exists("/b/f");
    OK(chdir("/"));
    exists("b/f");
    exists("../../b/f");
    FAILS(stat("/a", &st), ENOENT);
    char cwd[64];
    CHECK_STR(getcwd(cwd, sizeof(cwd)), "/");
    IN_CHILD(exists("/b/f"));
    OK(fchdir(out));  // a descriptor leads out still
    exists("a/b/f");
    CHECK(syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0);
    CHECK_EQ(memcmp(cwd, "(unreachable)", 13), 0);
  });
  FAILS(chroot("a/b/f"), ENOTDIR);
  FAILS(chroot("missing"), ENOENT);
  IN_CHILD(OK(setresuid(1000, 1000, 1000)); FAILS(chroot("a"), EPERM));

  // openat2 with its limits.
  struct open_how how = {.flags = O_RDONLY};
  OK(syscall(SYS_openat2, AT_FDCWD, "ab/f", &how, sizeof(how)));
  how.resolve = RESOLVE_NO_SYMLINKS;
  FAILS(syscall(SYS_openat2, AT_FDCWD, "ab/f", &how, sizeof(how)), ELOOP);
  OK(syscall(SYS_openat2, AT_FDCWD, "a/b/f", &how, sizeof(how)));
  how.resolve = RESOLVE_BENEATH;
  int dir = OK(open("a", O_RDONLY));
  OK(syscall(SYS_openat2, dir, "b/../b/f", &how, sizeof(how)));
  FAILS(syscall(SYS_openat2, dir, "../a", &how, sizeof(how)), EXDEV);
  FAILS(syscall(SYS_openat2, dir, "/", &how, sizeof(how)), EXDEV);
  how.resolve = RESOLVE_IN_ROOT;
  OK(syscall(SYS_openat2, dir, "/../b/f", &how, sizeof(how)));
  how.resolve = 0x1000;
  FAILS(syscall(SYS_openat2, dir, "b", &how, sizeof(how)), EINVAL);
  how = (struct open_how){.mode = 0600};
  FAILS(syscall(SYS_openat2, dir, "b", &how, sizeof(how)), EINVAL);
  FAILS(syscall(SYS_openat2, dir, "b", &how, 8), EINVAL);
  return 0;
}
