// renameat2(2) with RENAME_WHITEOUT: a character device 0:0 stays under the old name. Needs no privilege (since
// Linux 5.8).
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "abi.h"

enum { kOverlay = 0x794c7630 };

static bool is_whiteout(const char* name) {
  struct stat st;
  OK(lstat(name, &st));
  return S_ISCHR(st.st_mode) && major(st.st_rdev) == 0 && minor(st.st_rdev) == 0 && (st.st_mode & 07777) == 0 &&
         st.st_uid == geteuid() && st.st_nlink == 1;
}

static const char* text_of(const char* name) {
  static char text[64];
  ssize_t n = abi_get(name, text, sizeof(text) - 1);
  text[n < 0 ? 0 : n] = 0;
  return text;
}

static int rename_whiteout(const char* from, const char* to, unsigned more) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_WHITEOUT | more);
}

static void moves(void) {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  abi_put("a/f", "F");
  abi_put("b/g", "G");
  OK(rename_whiteout("a/f", "a/f2", 0));
  CHECK(is_whiteout("a/f"));
  CHECK_STR(text_of("a/f2"), "F");
  OK(rename_whiteout("a/f2", "b/g", 0));
  CHECK(is_whiteout("a/f2"));
  CHECK_STR(text_of("b/g"), "F");
  abi_put("a/h", "H");
  FAILS(rename_whiteout("b/g", "a/h", RENAME_NOREPLACE), EEXIST);
  OK(rename_whiteout("b/g", "a/new", RENAME_NOREPLACE));
  FAILS(rename_whiteout("a/new", "a/h", RENAME_EXCHANGE), EINVAL);
  FAILS(rename_whiteout("missing", "x", 0), ENOENT);
  FAILS(rename_whiteout("b", "b/c", 0), EINVAL);
  // A directory: the links of its parent do not stay.
  struct stat before, after;
  abi_put("a/.renameat2.whiteout", "a name like others");
  OK(mkdir("a/dir", 0755));
  abi_put("a/dir/in", "I");
  OK(stat("a", &before));
  OK(rename_whiteout("a/dir", "b/dir", 0));
  CHECK(is_whiteout("a/dir"));
  CHECK_STR(text_of("b/dir/in"), "I");
  CHECK_STR(text_of("a/.renameat2.whiteout"), "a name like others");
  OK(unlink("a/.renameat2.whiteout"));
  OK(stat("a", &after));
  CHECK_EQ(before.st_nlink - after.st_nlink, before.st_nlink > 1 ? 1 : 0);
  // They are names like others.
  FAILS(open("a/f", O_RDONLY), EACCES);
  FAILS(mkdir("a/f", 0755), EEXIST);
  FAILS(rmdir("a"), ENOTEMPTY);
  for (int i = 0; i < 4; i++) OK(unlink((const char*[]){"a/f", "a/f2", "a/dir", "b/g"}[i]));
  // And can be made by hand.
  OK(mknod("a/w", S_IFCHR, 0));
  CHECK(is_whiteout("a/w"));
}

int main(void) {
  char folder[64];
  snprintf(folder, sizeof(folder), "/dev/shm/whiteout.%d", (int)getpid());
  OK(mkdir(folder, 0777));
  OK(chdir(folder));
  pid_t child = FORK({
    // Without privilege as well.
    OK(chown(".", 1000, 1000));
    OK(setgid(1000));
    OK(setuid(1000));
    moves();
  });
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  // On an overlay there are none.
  struct statfs fs;
  OK(chdir("/tmp"));
  OK(statfs(".", &fs));
  abi_put("whiteout.f", "F");
  if (fs.f_type == kOverlay)
    FAILS(rename_whiteout("whiteout.f", "whiteout.g", 0), EINVAL);
  else
    (void)rename_whiteout("whiteout.f", "whiteout.g", 0);
  unlink("whiteout.f");
  unlink("whiteout.g");
  char command[128];
  snprintf(command, sizeof(command), "%s", folder);
  OK(chdir("/"));
  const char* names[] = {"a/w", "a/h", "a/new", "b/dir/in"};
  for (int i = 0; i < 4; i++) {
    snprintf(command, sizeof(command), "%s/%s", folder, names[i]);
    OK(unlink(command));
  }
  const char* dirs[] = {"b/dir", "a", "b", ""};
  for (int i = 0; i < 4; i++) {
    snprintf(command, sizeof(command), "%s/%s", folder, dirs[i]);
    OK(rmdir(command));
  }
  return 0;
}
