// open(2): flags and errors.
#include "abi.h"

int main(void) {
  abi_scratch();
  FAILS(open("f", O_RDONLY), ENOENT);
  int fd = OK(open("f", O_CREAT | O_EXCL | O_RDWR, 0640));
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0640);
  FAILS(open("f", O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
  CHECK_EQ(write(fd, "hello", 5), 5);

  // The lowest free number.
  int a = OK(open("f", O_RDONLY));
  int b = OK(open("f", O_RDONLY));
  CHECK_EQ(b, a + 1);
  OK(close(a));
  CHECK_EQ(open("f", O_RDONLY), a);
  FAILS(close(1000), EBADF);
  FAILS(close(-1), EBADF);

  // Access modes.
  char c;
  int ro = OK(open("f", O_RDONLY)), wo = OK(open("f", O_WRONLY));
  FAILS(write(ro, "x", 1), EBADF);
  FAILS(read(wo, &c, 1), EBADF);
  CHECK_EQ(fcntl(ro, F_GETFL) & O_ACCMODE, O_RDONLY);
  CHECK_EQ(fcntl(wo, F_GETFL) & O_ACCMODE, O_WRONLY);
  CHECK_EQ(fcntl(fd, F_GETFL) & ~O_LARGEFILE & ~0100000, O_RDWR);

  // Append: each write goes to the end, pwrite too.
  int app = OK(open("f", O_WRONLY | O_APPEND));
  CHECK_EQ(lseek(app, 0, SEEK_CUR), 0);
  CHECK_EQ(write(app, "1", 1), 1);
  CHECK_EQ(lseek(app, 0, SEEK_SET), 0);
  CHECK_EQ(write(app, "2", 1), 1);
  CHECK_EQ(lseek(app, 0, SEEK_CUR), 7);
  CHECK_EQ(pwrite(app, "3", 1, 0), 1);
  char text[32];
  abi_get("f", text, sizeof(text));
  CHECK_STR(text, "hello123");

  int tr = OK(open("f", O_WRONLY | O_TRUNC));
  OK(fstat(tr, &st));
  CHECK_EQ(st.st_size, 0);

  // Directories and links.
  OK(mkdir("d", 0755));
  FAILS(open("d", O_WRONLY), EISDIR);
  FAILS(open("d", O_RDWR), EISDIR);
  FAILS(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
  FAILS(open("new/", O_RDWR | O_CREAT, 0644), EISDIR);
  FAILS(open("f", O_DIRECTORY), ENOTDIR);
  FAILS(open("f/", O_RDONLY), ENOTDIR);
  FAILS(open("f/x", O_RDONLY), ENOTDIR);
  FAILS(open("d/x/y", O_RDONLY | O_CREAT, 0644), ENOENT);
  FAILS(open("", O_RDONLY), ENOENT);
  int dir = OK(open("d", O_RDONLY | O_DIRECTORY));
  FAILS(read(dir, &c, 1), EISDIR);
  OK(symlink("f", "link"));
  OK(symlink("nowhere", "dangling"));
  FAILS(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
  FAILS(open("dangling", O_RDONLY), ENOENT);
  FAILS(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
  OK(close(OK(open("dangling", O_CREAT | O_WRONLY, 0600))));  // makes the target
  CHECK(abi_exists("nowhere"));

  // O_PATH gives a handle and nothing else.
  int path = OK(open("link", O_PATH | O_NOFOLLOW));
  OK(fstat(path, &st));
  CHECK(S_ISLNK(st.st_mode));
  CHECK_EQ(readlinkat(path, "", text, sizeof(text)), 1);
  CHECK(fcntl(path, F_GETFL) & O_PATH);
  path = OK(open("f", O_PATH));
  FAILS(read(path, &c, 1), EBADF);
  FAILS(write(path, "x", 1), EBADF);
  FAILS(fchmod(path, 0600), EBADF);
  FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, path, 0), EBADF);
  FAILS(lseek(path, 0, SEEK_SET), EBADF);
  OK(close(OK(dup(path))));
  OK(fstat(path, &st));
  char self[64];
  snprintf(self, sizeof(self), "/proc/self/fd/%d", path);
  OK(close(OK(open(self, O_RDWR))));

  // Relative to a descriptor.
  int at = OK(openat(dir, "inner", O_CREAT | O_RDWR, 0600));
  OK(close(at));
  CHECK(abi_exists("d/inner"));
  FAILS(openat(fd, "x", O_RDONLY), ENOTDIR);
  FAILS(openat(555, "x", O_RDONLY), EBADF);
  OK(close(OK(openat(555, "/dev/null", O_RDONLY))));
  FAILS(open((char*)8, O_RDONLY), EFAULT);
  CHECK_EQ(fcntl(OK(open("f", O_RDONLY | O_CLOEXEC)), F_GETFD), FD_CLOEXEC);
  OK(close(OK(creat("c", 0400))));  // its own mode does not bar the creator
  FAILS(open("/proc/self/fd/999", O_RDONLY), ENOENT);
  // A file without a name that gets one later.
  int tmp = OK(open(".", O_TMPFILE | O_RDWR, 0600));
  CHECK_EQ(write(tmp, "tmp", 3), 3);
  OK(fstat(tmp, &st));
  CHECK_EQ(st.st_nlink, 0);
  snprintf(self, sizeof(self), "/proc/self/fd/%d", tmp);
  OK(linkat(AT_FDCWD, self, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  abi_get("named", text, sizeof(text));
  CHECK_STR(text, "tmp");
  return 0;
}
