// Permission checks for users that are not root: chmod(2), chown(2), sticky and setgid directories.
#include <grp.h>

#include "abi.h"

static void become(uid_t uid, gid_t gid) {
  OK(setgroups(0, NULL));
  OK(setresgid(gid, gid, gid));
  OK(setresuid(uid, uid, uid));
}

static struct stat status(const char* path) {
  struct stat st;
  OK(lstat(path, &st));
  return st;
}

int main(void) {
  abi_scratch();
  abi_put("f", "x");
  OK(chown("f", 1000, 2000));

  // Exactly one of the three classes counts.
  OK(chmod("f", 0077));
  IN_CHILD(become(1000, 2000); FAILS(open("f", O_RDONLY), EACCES));
  IN_CHILD(become(1001, 2000); OK(open("f", O_RDWR)));
  OK(chmod("f", 0707));
  IN_CHILD(become(1001, 2000); FAILS(open("f", O_RDONLY), EACCES));
  IN_CHILD(become(1001, 2001); OK(open("f", O_RDWR)));
  IN_CHILD({
    gid_t groups[] = {5, 2000, 7};
    OK(setgroups(3, groups));
    OK(setresuid(1001, 1001, 1001));
    FAILS(open("f", O_RDONLY), EACCES);  // a supplementary group is a group
  });
  OK(chmod("f", 0440));
  IN_CHILD({
    become(1000, 2000);
    OK(open("f", O_RDONLY));
    FAILS(open("f", O_WRONLY), EACCES);
    FAILS(truncate("f", 0), EACCES);
    FAILS(open("f", O_RDONLY | O_TRUNC), EACCES);
    OK(chmod("f", 0640));  // the owner may
    OK(open("f", O_RDWR));
    FAILS(chown("f", 1001, -1), EPERM);
    FAILS(chown("f", -1, 2001), EPERM);
    OK(chown("f", -1, 2000));
  });
  IN_CHILD(become(1001, 2000); FAILS(chmod("f", 0777), EPERM);
           FAILS(utimensat(AT_FDCWD, "f", NULL, 0), EACCES);
           FAILS(utimensat(AT_FDCWD, "f", (struct timespec[2]){{1, 0}, {1, 0}}, 0), EPERM));
  OK(open("f", O_RDWR));  // root is not barred

  // Directories: x to pass, r to list, w and x to change.
  OK(mkdir("d", 0711));
  abi_put("d/f", "y");
  IN_CHILD(become(1000, 1000); OK(open("d/f", O_RDONLY)); FAILS(open("d", O_RDONLY), EACCES);
           FAILS(open("d/new", O_CREAT | O_WRONLY, 0600), EACCES); FAILS(unlink("d/f"), EACCES);
           FAILS(rename("d/f", "d/g"), EACCES); FAILS(mkdir("d/sub", 0700), EACCES); OK(chdir("d")));
  OK(chmod("d", 0744));
  IN_CHILD(become(1000, 1000); OK(open("d", O_RDONLY)); FAILS(open("d/f", O_RDONLY), EACCES);
           FAILS(open("d/missing", O_RDONLY), EACCES); FAILS(chdir("d"), EACCES); struct stat st;
           FAILS(stat("d/f", &st), EACCES));

  // Sticky: only owners remove.
  OK(mkdir("t", 0));
  OK(chmod("t", 01777));
  IN_CHILD(become(1000, 1000); abi_put("t/mine", "m"));
  IN_CHILD(become(1001, 1001); FAILS(unlink("t/mine"), EPERM); FAILS(rename("t/mine", "t/x"), EPERM);
           abi_put("t/other", "o"); FAILS(rename("t/other", "t/mine"), EPERM); OK(unlink("t/other")));
  IN_CHILD(become(1000, 1000); OK(unlink("t/mine")));

  // A setgid directory hands its group on, and the bit to directories.
  OK(mkdir("g", 0777));
  OK(chown("g", 0, 3000));
  OK(chmod("g", 02777));
  IN_CHILD(become(1000, 1000); abi_put("g/f", ""); OK(mkdir("g/d", 0755)));
  CHECK_EQ(status("g/f").st_gid, 3000);
  CHECK_EQ(status("g/f").st_uid, 1000);
  CHECK_EQ(status("g/d").st_gid, 3000);
  CHECK_EQ(status("g/d").st_mode, S_IFDIR | 02755);

  // Set-id bits fall with a write or a change of owner.
  OK(chown("f", 1000, 1000));
  OK(chmod("f", 06755));
  CHECK_EQ(status("f").st_mode, S_IFREG | 06755);
  IN_CHILD(become(1000, 1000); int fd = OK(open("f", O_WRONLY)); CHECK_EQ(write(fd, "z", 1), 1));
  CHECK_EQ(status("f").st_mode, S_IFREG | 0755);
  OK(chmod("f", 06755));
  OK(chown("f", 1001, -1));
  CHECK_EQ(status("f").st_mode, S_IFREG | 0755);
  IN_CHILD(become(1001, 1001); OK(chmod("f", 02755)));
  CHECK_EQ(status("f").st_mode & 07777, 0755);  // not of that group: no setgid

  OK(fchmodat(AT_FDCWD, "f", 0600, 0));
  OK(fchownat(AT_FDCWD, "f", 7, 8, 0));
  CHECK_EQ(status("f").st_uid, 7);
  CHECK_EQ(status("f").st_gid, 8);
  OK(symlink("f", "l"));
  OK(lchown("l", 9, 9));
  CHECK_EQ(status("l").st_uid, 9);
  CHECK_EQ(status("f").st_uid, 7);
  FAILS(chmod("missing", 0600), ENOENT);
  FAILS(fchmod(999, 0600), EBADF);
  FAILS(fchownat(AT_FDCWD, "f", 1, 1, 0x40000), EINVAL);
  umask(0);
  CHECK_EQ(umask(0777), 0);
  OK(close(OK(open("none", O_CREAT | O_WRONLY, 0777))));
  CHECK_EQ(status("none").st_mode & 0777, 0);
  return 0;
}
