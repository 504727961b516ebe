// Deep trees and long paths: directories below PATH_MAX by descriptor, getcwd there, removal from the inside
// out.
#include "abi.h"

int main(void) {
  abi_scratch();
  char name[201];
  memset(name, 'd', 200);
  name[200] = 0;
  int levels = 30;  // 6000 bytes of path
  int start = OK(open(".", O_RDONLY | O_DIRECTORY));
  for (int i = 0; i < levels; i++) {
    OK(mkdir(name, 0755));
    OK(chdir(name));
  }
  abi_put("bottom", "here");
  char cwd[8192];
  ssize_t n = syscall(SYS_getcwd, cwd, sizeof(cwd));
  if (n == -1) {
    CHECK_EQ(errno, ENAMETOOLONG);
  } else {
    CHECK(n > 6000);
  }
  // Up again, one by one.
  for (int i = 0; i < levels; i++) {
    CHECK_EQ(i == 0, abi_exists("bottom"));
    OK(chdir(".."));
  }
  struct stat here, there;
  OK(stat(".", &here));
  OK(fstat(start, &there));
  CHECK_EQ(here.st_ino, there.st_ino);
  // Many levels in one path, within the limit.
  char path[4096] = "";
  for (int i = 0; i < 19; i++) {
    strcat(path, name);
    strcat(path, "/");
  }
  OK(chdir(path));
  for (int i = 19; i < levels; i++) OK(chdir(name));
  CHECK(abi_exists("bottom"));
  OK(unlink("bottom"));
  for (int i = 0; i < levels; i++) {
    OK(chdir(".."));
    OK(rmdir(name));
  }
  FAILS(chdir(name), ENOENT);

  // Many names in one directory, each found, in whatever order they are asked for.
  OK(mkdir("wide", 0755));
  int wide = OK(open("wide", O_RDONLY | O_DIRECTORY));
  for (int i = 0; i < 250; i++) {
    snprintf(name, sizeof(name), "%d-%d", i * 7919 % 1009, i);
    OK(close(OK(openat(wide, name, O_CREAT | O_EXCL | O_WRONLY, 0644))));
  }
  for (int i = 249; i >= 0; i--) {
    snprintf(name, sizeof(name), "%d-%d", i * 7919 % 1009, i);
    OK(fstatat(wide, name, &here, 0));
    snprintf(name, sizeof(name), "%d-%d", i * 7919 % 1009, i + 1);
    FAILS(fstatat(wide, name, &here, 0), ENOENT);
  }
  for (int i = 0; i < 250; i++) {
    snprintf(name, sizeof(name), "%d-%d", i * 7919 % 1009, i);
    OK(unlinkat(wide, name, 0));
  }
  OK(rmdir("wide"));
  // Names of any bytes but two.
  const char* odd[] = {" ", "\n", "\377\376", "-rf", "...", "a b\tc", "\xc3\xa9", "*", "\\"};
  for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
    abi_put(odd[i], "odd");
    CHECK(abi_exists(odd[i]));
    OK(unlink(odd[i]));
  }
  return 0;
}
