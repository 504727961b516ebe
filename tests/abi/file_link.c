// link(2), unlink(2), symlink(2), readlink(2), linkat(2).
#include <limits.h>

#include "abi.h"

static struct stat status(const char* path) {
  struct stat st;
  OK(lstat(path, &st));
  return st;
}

int main(void) {
  abi_scratch();
  abi_put("a", "text");
  OK(link("a", "b"));
  CHECK_EQ(status("a").st_ino, status("b").st_ino);
  CHECK_EQ(status("a").st_nlink, 2);
  int fd = OK(open("b", O_RDWR | O_APPEND));
  CHECK_EQ(write(fd, "more", 4), 4);
  CHECK_EQ(status("a").st_size, 8);
  OK(unlink("a"));
  CHECK_EQ(status("b").st_nlink, 1);
  OK(unlink("b"));
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_nlink, 0);
  char text[64];
  CHECK_EQ(pread(fd, text, 8, 0), 8);  // still readable
  CHECK_EQ(write(fd, "!", 1), 1);
  snprintf(text, sizeof(text), "/proc/self/fd/%d", fd);
  char link_text[PATH_MAX] = "";
  CHECK(readlink(text, link_text, sizeof(link_text) - 1) > 0);
  CHECK_STR(link_text + strlen(link_text) - 12, "/b (deleted)");
  FAILS(unlink("a"), ENOENT);

  abi_put("f", "f");
  OK(mkdir("d", 0755));
  FAILS(link("f", "d"), EEXIST);
  FAILS(link("missing", "x"), ENOENT);
  FAILS(link("d", "x"), EPERM);
  FAILS(link("f", "missing/x"), ENOENT);
  FAILS(link("f/", "x"), ENOTDIR);
  FAILS(link("f", "x/"), ENOENT);
  FAILS(unlink("d"), EISDIR);
  FAILS(unlink("f/"), ENOTDIR);
  FAILS(unlink("."), EISDIR);
  FAILS(unlink(""), ENOENT);
  FAILS(unlink((char*)8), EFAULT);
  FAILS(rmdir("f"), ENOTDIR);

  // Symbolic links hold any text.
  OK(symlink("f", "s"));
  CHECK_EQ(status("s").st_size, 1);
  CHECK(S_ISLNK(status("s").st_mode));
  CHECK_EQ(status("s").st_mode & 0777, 0777);
  OK(stat("s", &st));
  CHECK_EQ(st.st_ino, status("f").st_ino);
  FAILS(symlink("x", "s"), EEXIST);
  FAILS(symlink("", "e"), ENOENT);
  FAILS(symlink("x", ""), ENOENT);
  FAILS(symlink("x", "new/"), ENOENT);
  OK(symlink("a/very/odd//path/./..", "odd"));
  memset(text, '#', sizeof(text));
  CHECK_EQ(readlink("odd", text, sizeof(text)), 21);
  CHECK_EQ(text[21], '#');  // no end is written
  CHECK_EQ(readlink("odd", text, 5), 5);
  FAILS(readlink("f", text, 5), EINVAL);
  FAILS(readlink("missing", text, 5), ENOENT);
  FAILS(readlink("odd", text, 0), EINVAL);
  FAILS(readlink("odd", (char*)8, 20), EFAULT);
  char* huge = malloc(5000);
  memset(huge, 'l', 5000);
  huge[4095] = 0;
  OK(symlink(huge, "long"));
  CHECK_EQ(readlink("long", link_text, sizeof(link_text)), 4095);
  huge[4095] = 'l';
  huge[4096] = 0;
  FAILS(symlink(huge, "longer"), ENAMETOOLONG);

  // link does not follow, unless told.
  OK(link("s", "s2"));
  CHECK(S_ISLNK(status("s2").st_mode));
  CHECK_EQ(status("s").st_nlink, 2);
  OK(linkat(AT_FDCWD, "s", AT_FDCWD, "hard", AT_SYMLINK_FOLLOW));
  CHECK_EQ(status("hard").st_ino, status("f").st_ino);
  FAILS(linkat(AT_FDCWD, "s", AT_FDCWD, "x", 0x10000), EINVAL);
  FAILS(linkat(AT_FDCWD, "s", AT_FDCWD, "hard", AT_SYMLINK_FOLLOW), EEXIST);
  CHECK_EQ(status("f").st_nlink, 2);

  OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
  FAILS(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
  FAILS(unlinkat(AT_FDCWD, "f", 0x1000), EINVAL);
  // Through chains.
  OK(symlink("s", "chain1"));
  OK(symlink("chain1", "chain2"));
  abi_get("chain2", text, sizeof(text));
  CHECK_STR(text, "f");
  OK(mkdir("dir", 0755));
  OK(symlink("dir", "todir"));
  abi_put("todir/x", "deep");
  CHECK(abi_exists("dir/x"));
  FAILS(rmdir("todir"), ENOTDIR);
  FAILS(unlink("todir/"), ENOTDIR);
  OK(symlink("../f", "dir/up"));
  abi_get("dir/up", text, sizeof(text));
  CHECK_STR(text, "f");
  return 0;
}
