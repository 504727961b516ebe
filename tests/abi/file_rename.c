// rename(2), renameat2(2): all forms and errors.
#include "abi.h"

static char g_text[64];

static const char* text_of(const char* path) {
  abi_get(path, g_text, sizeof(g_text));
  return g_text;
}

static ino_t inode(const char* path) {
  struct stat st;
  OK(lstat(path, &st));
  return st.st_ino;
}

int main(void) {
  abi_scratch();
  abi_put("a", "A");
  abi_put("b", "B");
  ino_t node = inode("a");
  OK(rename("a", "c"));
  CHECK(!abi_exists("a"));
  CHECK_EQ(inode("c"), node);
  OK(rename("c", "b"));  // replaces
  CHECK_STR(text_of("b"), "A");
  CHECK(!abi_exists("c"));
  OK(rename("b", "b"));
  OK(link("b", "b2"));
  OK(rename("b", "b2"));  // two names of one file: nothing happens
  CHECK(abi_exists("b") && abi_exists("b2"));

  // Someone has the replaced file open still.
  abi_put("old", "OLD");
  abi_put("new", "NEW");
  int fd = OK(open("old", O_RDONLY));
  OK(rename("new", "old"));
  char c[4] = "";
  CHECK_EQ(read(fd, c, 3), 3);
  CHECK_STR(c, "OLD");
  CHECK_STR(text_of("old"), "NEW");

  // Directories.
  OK(mkdir("d", 0755));
  abi_put("d/f", "F");
  OK(mkdir("empty", 0755));
  OK(mkdir("full", 0755));
  abi_put("full/x", "X");
  OK(rename("d", "empty"));
  CHECK_STR(text_of("empty/f"), "F");
  FAILS(rename("empty", "full"), ENOTEMPTY);
  FAILS(rename("empty", "old"), ENOTDIR);
  FAILS(rename("old", "empty"), EISDIR);
  FAILS(rename("empty", "empty/inside"), EINVAL);
  OK(mkdir("empty/sub", 0755));
  FAILS(rename("empty", "empty/sub/deep"), EINVAL);
  FAILS(rename("empty/sub", "empty"), ENOTEMPTY);
  FAILS(rename("missing", "x"), ENOENT);
  FAILS(rename("old", "missing/x"), ENOENT);
  FAILS(rename("old/x", "y"), ENOTDIR);
  FAILS(rename(".", "x"), EBUSY);
  FAILS(rename("empty/..", "x"), EBUSY);
  FAILS(rename("old", "new/"), ENOTDIR);
  FAILS(rename("old/", "x"), ENOTDIR);
  OK(rename("empty", "moved/"));  // a directory may have the slash
  OK(rename("moved/sub", "sub"));
  struct stat st;
  OK(stat("moved", &st));
  CHECK(S_ISDIR(st.st_mode));
  FAILS(rename((char*)8, "x"), EFAULT);
  FAILS(rename("old", (char*)8), EFAULT);

  // ".." of a directory that moved.
  OK(rename("sub", "full/sub"));
  CHECK_EQ(inode("full/sub/.."), inode("full"));
  // The current directory moves with us.
  OK(chdir("full/sub"));
  OK(rename("../../full", "../../fuller"));
  CHECK(abi_exists("../x"));
  char cwd[256];
  CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
  CHECK_STR(cwd + strlen(cwd) - 11, "/fuller/sub");
  OK(chdir("../.."));

  // Links themselves are moved, not their targets.
  OK(symlink("old", "link"));
  OK(rename("link", "link2"));
  CHECK_EQ(readlink("link2", c, 4), 3);
  OK(rename("b2", "link2"));
  CHECK_EQ(lstat("link2", &st), 0);
  CHECK(S_ISREG(st.st_mode));
  CHECK_STR(text_of("old"), "NEW");

  // renameat2.
  abi_put("p", "P");
  abi_put("q", "Q");
  FAILS(renameat2(AT_FDCWD, "p", AT_FDCWD, "q", RENAME_NOREPLACE), EEXIST);
  OK(renameat2(AT_FDCWD, "p", AT_FDCWD, "r", RENAME_NOREPLACE));
  OK(renameat2(AT_FDCWD, "q", AT_FDCWD, "r", RENAME_EXCHANGE));
  CHECK_STR(text_of("q"), "P");
  CHECK_STR(text_of("r"), "Q");
  OK(renameat2(AT_FDCWD, "q", AT_FDCWD, "moved", RENAME_EXCHANGE));  // of unlike kinds too
  CHECK_STR(text_of("moved"), "P");
  CHECK_STR(text_of("q/f"), "F");
  FAILS(renameat2(AT_FDCWD, "q", AT_FDCWD, "missing", RENAME_EXCHANGE), ENOENT);
  FAILS(renameat2(AT_FDCWD, "q", AT_FDCWD, "r", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
  FAILS(renameat2(AT_FDCWD, "q", AT_FDCWD, "r", 0x100), EINVAL);
  int dir = OK(open("q", O_RDONLY));
  OK(renameat(dir, "f", AT_FDCWD, "g"));
  CHECK_STR(text_of("g"), "F");
  FAILS(renameat(fd, "f", AT_FDCWD, "g"), ENOTDIR);
  return 0;
}
