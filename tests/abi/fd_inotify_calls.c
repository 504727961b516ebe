// inotify(7): which calls tell what, and in which order.
#include "inotify.h"

#include <dirent.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>

static void calls_on_a_file(void) {
  OK(mkdir("d", 0755));
  int d = watch("d", IN_ALL_EVENTS);
  int fd = OK(open("d/f", O_CREAT | O_RDWR, 0644));
  expect(d, IN_CREATE, "f");
  expect(d, IN_OPEN, "f");
  int f = watch("d/f", IN_ALL_EVENTS);
  char bytes[8] = "1234567";
  CHECK_EQ(write(fd, bytes, 7), 7);
  both(d, f, IN_MODIFY, "f");
  CHECK_EQ(write(fd, bytes, 0), 0);
  CHECK_EQ(pread(fd, bytes, 3, 100), 0);
  none();
  CHECK_EQ(pread(fd, bytes, 3, 0), 3);
  both(d, f, IN_ACCESS, "f");
  OK(ftruncate(fd, 3));
  both(d, f, IN_MODIFY, "f");
  OK(fchmod(fd, 0600));
  both(d, f, IN_ATTRIB, "f");
  OK(fchown(fd, getuid(), getgid()));
  both(d, f, IN_ATTRIB, "f");
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 5}};
  OK(futimens(fd, times));
  both(d, f, IN_MODIFY, "f");
  OK(futimens(fd, NULL));
  both(d, f, IN_ATTRIB, "f");
  OK(fsetxattr(fd, "user.x", "1", 1, 0));
  both(d, f, IN_ATTRIB, "f");
  OK(fremovexattr(fd, "user.x"));
  both(d, f, IN_ATTRIB, "f");
  OK(truncate("d/f", 10));
  both(d, f, IN_MODIFY, "f");
  OK(close(OK(dup(fd))));
  OK(close(OK(open("d/f", O_PATH))));
  none();
  OK(close(fd));
  both(d, f, IN_CLOSE_WRITE, "f");
  // Through another name only the file itself hears of it.
  OK(mkdir("e", 0755));
  OK(link("d/f", "e/l"));
  expect(f, IN_ATTRIB, "");
  OK(chmod("e/l", 0640));
  expect(f, IN_ATTRIB, "");
  OK(unlink("e/l"));
  expect(f, IN_ATTRIB, "");
  none();
  // Bytes that other calls move.
  int a = OK(open("e/a", O_CREAT | O_RDWR, 0600)), g = OK(open("d/f", O_RDWR));
  both(d, f, IN_OPEN, "f");
  CHECK_EQ(sendfile(a, g, NULL, 5), 5);
  both(d, f, IN_ACCESS, "f");
  OK(lseek(a, 0, SEEK_SET));
  CHECK_EQ(copy_file_range(a, NULL, g, NULL, 5, 0), 5);
  both(d, f, IN_MODIFY, "f");
  OK(close(a));
  OK(close(g));
  both(d, f, IN_CLOSE_WRITE, "f");
  // Renames, also over others; ends at the last close.
  OK(rename("d/f", "d/g"));
  expect(d, IN_MOVED_FROM, "f");
  expect(d, IN_MOVED_TO, "g");
  expect(f, IN_MOVE_SELF, "");
  abi_put("d/h", "");
  expect(d, IN_CREATE, "h");
  expect(d, IN_OPEN, "h");
  expect(d, IN_CLOSE_WRITE, "h");
  int h = watch("d/h", IN_ALL_EVENTS);
  OK(rename("d/g", "d/h"));
  expect(d, IN_MOVED_FROM, "g");
  expect(d, IN_MOVED_TO, "h");
  expect(h, IN_ATTRIB, "");
  expect(f, IN_MOVE_SELF, "");
  expect(h, IN_DELETE_SELF, "");
  expect(h, IN_IGNORED, "");
  fd = OK(open("d/h", O_RDONLY));
  both(d, f, IN_OPEN, "h");
  OK(unlink("d/h"));
  expect(f, IN_ATTRIB, "");
  expect(d, IN_DELETE, "h");
  OK(fchmod(fd, 0644));
  both(d, f, IN_ATTRIB, "h");
  OK(close(fd));
  both(d, f, IN_CLOSE_NOWRITE, "h");
  expect(f, IN_DELETE_SELF, "");
  expect(f, IN_IGNORED, "");
  abi_put("d/x", "");
  expect(d, IN_CREATE, "x");
  expect(d, IN_OPEN, "x");
  expect(d, IN_CLOSE_WRITE, "x");
  int x = watch("d/x", IN_ALL_EVENTS);
  OK(unlink("d/x"));
  expect(x, IN_ATTRIB, "");
  expect(x, IN_DELETE_SELF, "");
  expect(x, IN_IGNORED, "");
  expect(d, IN_DELETE, "x");
  OK(inotify_rm_watch(g_fd, d));
  expect(d, IN_IGNORED, "");
  none();
}

static void directories_and_others(void) {
  int d = watch("d", IN_ALL_EVENTS);
  OK(mkdir("d/s", 0755));
  expect(d, IN_CREATE | IN_ISDIR, "s");
  int s = watch("d/s", IN_ALL_EVENTS);
  DIR* dir = opendir("d/s");
  CHECK(dir != NULL);
  both(d, s, IN_OPEN | IN_ISDIR, "s");
  CHECK(readdir(dir) != NULL);
  both(d, s, IN_ACCESS | IN_ISDIR, "s");
  closedir(dir);
  both(d, s, IN_CLOSE_NOWRITE | IN_ISDIR, "s");
  OK(chmod("d/s", 0700));
  both(d, s, IN_ATTRIB | IN_ISDIR, "s");
  OK(rename("d/s", "d/t"));
  expect(d, IN_MOVED_FROM | IN_ISDIR, "s");
  expect(d, IN_MOVED_TO | IN_ISDIR, "t");
  expect(s, IN_MOVE_SELF, "");
  OK(symlink("nowhere", "d/l"));
  expect(d, IN_CREATE, "l");
  OK(mknod("d/p", S_IFIFO | 0600, 0));
  expect(d, IN_CREATE, "p");
  OK(lchown("d/l", getuid(), getgid()));
  expect(d, IN_ATTRIB, "l");
  FAILS(inotify_add_watch(g_fd, "d/l", IN_OPEN), ENOENT);
  int l = watch("d/l", IN_DELETE_SELF | IN_DONT_FOLLOW);
  OK(unlink("d/l"));
  expect(l, IN_DELETE_SELF, "");
  expect(l, IN_IGNORED, "");
  expect(d, IN_DELETE, "l");
  OK(syscall(SYS_renameat2, AT_FDCWD, "d/t", AT_FDCWD, "d/p", 2 /* RENAME_EXCHANGE */));
  expect(d, IN_MOVED_FROM | IN_ISDIR, "t");
  expect(d, IN_MOVED_TO | IN_ISDIR, "p");
  expect(s, IN_MOVE_SELF, "");
  expect(d, IN_MOVED_FROM, "p");
  expect(d, IN_MOVED_TO, "t");
  OK(unlink("d/t"));
  expect(d, IN_DELETE, "t");
  OK(rmdir("d/p"));
  expect(s, IN_DELETE_SELF, "");
  expect(s, IN_IGNORED, "");
  expect(d, IN_DELETE | IN_ISDIR, "p");
  none();
  OK(rmdir("d"));
  expect(d, IN_DELETE_SELF, "");
  expect(d, IN_IGNORED, "");
  none();
}

int main(void) {
  abi_scratch();
  g_fd = OK(inotify_init1(IN_NONBLOCK));
  calls_on_a_file();
  directories_and_others();
  return 0;
}
