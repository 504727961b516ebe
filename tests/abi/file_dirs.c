// mkdir(2), rmdir(2), getdents64(2), seekdir(3), chdir(2), getcwd(2).
#include <dirent.h>

#include "abi.h"

enum { kFiles = 120 };

static int index_of(const char* name) {
  if (name[0] == '.') return -1;
  CHECK(strncmp(name, "file", 4) == 0);
  return atoi(name + 4);
}

int main(void) {
  const char* base = abi_scratch();
  struct stat st;
  OK(mkdir("d", 0750));
  OK(stat("d", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 0750);
  FAILS(mkdir("d", 0750), EEXIST);
  FAILS(mkdir("d/x/y", 0750), ENOENT);
  FAILS(mkdir("", 0750), ENOENT);
  FAILS(mkdir(".", 0750), EEXIST);
  FAILS(mkdir("/", 0750), EEXIST);
  OK(mkdir("slash/", 0755));
  OK(mkdirat(AT_FDCWD, "sticky", 01777));
  OK(stat("sticky", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 01755);  // the umask
  abi_put("f", "");
  FAILS(mkdir("f/d", 0755), ENOTDIR);
  FAILS(mkdir("f", 0755), EEXIST);

  // Listing: everything once, in pieces of any size.
  for (int i = 0; i < kFiles; i++) {
    char name[32];
    snprintf(name, sizeof(name), "d/file%d", i);
    OK(close(OK(open(name, O_CREAT | O_WRONLY, 0644))));
  }
  FAILS(rmdir("d"), ENOTEMPTY);
  int fd = OK(open("d", O_RDONLY | O_DIRECTORY));
  int seen[kFiles] = {0}, dots = 0;
  char buffer[300];
  for (;;) {
    long n = OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
    if (n == 0) break;
    for (long at = 0; at < n;) {
      struct dirent64* entry = (void*)(buffer + at);
      CHECK(entry->d_reclen >= 24 && entry->d_reclen % 8 == 0);
      int i = index_of(entry->d_name);
      if (i < 0) {
        dots++;
        CHECK_EQ(entry->d_type, DT_DIR);
      } else {
        seen[i]++;
        CHECK(entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
      }
      at += entry->d_reclen;
    }
  }
  CHECK_EQ(dots, 2);
  for (int i = 0; i < kFiles; i++) CHECK_EQ(seen[i], 1);
  CHECK_EQ(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), 0);
  OK(lseek(fd, 0, SEEK_SET));
  FAILS(syscall(SYS_getdents64, fd, buffer, 10), EINVAL);
  FAILS(syscall(SYS_getdents64, fd, (void*)8, 300), EFAULT);
  FAILS(syscall(SYS_getdents64, OK(open("f", O_RDONLY)), buffer, 300), ENOTDIR);
  CHECK(syscall(SYS_getdents64, fd, buffer, 300) > 0);

  // Positions can be come back to.
  DIR* dir = opendir("d");
  char names[kFiles + 2][32];
  long places[kFiles + 2];
  for (int i = 0; i < kFiles + 2; i++) {
    places[i] = telldir(dir);
    strcpy(names[i], readdir(dir)->d_name);
  }
  CHECK_EQ(readdir(dir), NULL);
  for (int i = kFiles + 1; i >= 0; i -= 7) {
    seekdir(dir, places[i]);
    CHECK_STR(readdir(dir)->d_name, names[i]);
  }
  // Removing all that one reads leaves none.
  rewinddir(dir);
  for (struct dirent* entry; (entry = readdir(dir));) {
    if (entry->d_name[0] != '.') OK(unlinkat(dirfd(dir), entry->d_name, 0));
  }
  OK(rmdir("d"));
  FAILS(openat(dirfd(dir), "new", O_CREAT | O_WRONLY, 0644), ENOENT);  // a removed directory
  rewinddir(dir);
  closedir(dir);

  FAILS(rmdir("missing"), ENOENT);
  FAILS(rmdir("f"), ENOTDIR);
  FAILS(rmdir("slash/."), EINVAL);
  FAILS(rmdir("slash/.."), ENOTEMPTY);
  FAILS(rmdir("/"), EBUSY);
  OK(rmdir("slash/"));

  // Where we are.
  char cwd[512], want[512];
  OK(mkdir("w", 0755));
  fd = OK(open("w", O_RDONLY));
  OK(fchdir(fd));
  snprintf(want, sizeof(want), "%s/w", base);
  CHECK_STR(getcwd(cwd, sizeof(cwd)), want);
  CHECK_EQ(syscall(SYS_getcwd, cwd, sizeof(cwd)), strlen(want) + 1);
  FAILS(syscall(SYS_getcwd, cwd, strlen(want)), ERANGE);
  FAILS(syscall(SYS_getcwd, (void*)8, 512), EFAULT);
  OK(rmdir("../w"));
  FAILS(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
  FAILS(open("x", O_CREAT | O_WRONLY, 0644), ENOENT);
  OK(chdir(".."));  // it still knows its parent
  CHECK_STR(getcwd(cwd, sizeof(cwd)), base);
  FAILS(chdir("f"), ENOTDIR);
  FAILS(chdir("missing"), ENOENT);
  FAILS(fchdir(OK(open("f", O_RDONLY))), ENOTDIR);
  FAILS(fchdir(999), EBADF);
  return 0;
}
