// inotify(7): masks and flags of watches; the descriptor; /proc.
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "inotify.h"

static void masks(void) {
  int e = watch("e", IN_CREATE);
  CHECK_EQ(watch("e", IN_DELETE), e);
  abi_put("e/1", "");
  none();
  CHECK_EQ(watch("e", IN_CREATE | IN_MASK_ADD), e);
  abi_put("e/2", "");
  OK(unlink("e/1"));
  expect(e, IN_CREATE, "2");
  expect(e, IN_DELETE, "1");
  FAILS(inotify_add_watch(g_fd, "e", IN_CREATE | IN_MASK_CREATE), EEXIST);
  FAILS(inotify_add_watch(g_fd, "e", IN_CREATE | IN_MASK_CREATE | IN_MASK_ADD), EINVAL);
  FAILS(inotify_add_watch(g_fd, "e", 0x1000), EINVAL);
  FAILS(inotify_add_watch(99, "e", IN_CREATE), EBADF);
  FAILS(inotify_add_watch(g_fd, "", IN_CREATE), ENOENT);
  FAILS(inotify_add_watch(g_fd, NULL, IN_CREATE), EFAULT);
  FAILS(inotify_rm_watch(1, 1), EINVAL);
  // Files without a name.
  CHECK_EQ(watch("e", IN_MODIFY | IN_EXCL_UNLINK), e);
  int fd = OK(open("e/2", O_WRONLY));
  CHECK_EQ(write(fd, "x", 1), 1);
  expect(e, IN_MODIFY, "2");
  OK(unlink("e/2"));
  CHECK_EQ(write(fd, "x", 1), 1);
  none();
  OK(close(fd));
  // A program that runs.
  OK(symlink("/bin/true", "e/true"));
  int t = watch("/bin/true", IN_OPEN);
  pid_t pid = FORK(OK(execl("e/true", "true", NULL)));
  WAIT_OK(pid);
  expect(t, IN_OPEN, "");
  OK(inotify_rm_watch(g_fd, t));
  expect(t, IN_IGNORED, "");
  // Permission to read is needed.
  abi_put("e/secret", "");
  OK(chmod("e/secret", 0));
  IN_CHILD(OK(setresuid(1000, 1000, 1000)); FAILS(inotify_add_watch(g_fd, "e/secret", IN_OPEN), EACCES));
  OK(inotify_rm_watch(g_fd, e));
  expect(e, IN_IGNORED, "");
}

static void the_descriptor(void) {
  int e = watch("e", IN_CREATE | IN_DELETE);
  int epoll = OK(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, g_fd, &event));
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  int n = 7;
  OK(ioctl(g_fd, FIONREAD, &n));
  CHECK_EQ(n, 0);
  abi_put("e/b", "");
  abi_put("e/a_name_of_some_length", "");
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
  OK(ioctl(g_fd, FIONREAD, &n));
  CHECK_EQ(n, 32 + 48);
  // As many as fit.
  g_have = OK(read(g_fd, g_buffer, 40));
  CHECK_EQ(g_have, 32);
  g_at = 0;
  expect(e, IN_CREATE, "b");
  expect(e, IN_CREATE, "a_name_of_some_length");
  none();
  char path[64], text[4096];
  ssize_t size =
      OK(readlink((snprintf(path, sizeof(path), "/proc/self/fd/%d", g_fd), path), text, sizeof(text) - 1));
  text[size] = 0;
  CHECK_STR(text, "anon_inode:inotify");
  struct stat st;
  OK(stat("e", &st));
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", g_fd);
  abi_get(path, text, sizeof(text));
  unsigned wd, mask;
  unsigned long ino;
  char* line = strstr(text, "inotify wd:");
  CHECK(line != NULL);
  CHECK_EQ(sscanf(line, "inotify wd:%x ino:%lx sdev:%*x mask:%x", &wd, &ino, &mask), 3);
  CHECK_EQ(wd, e);
  CHECK_EQ(ino, st.st_ino);
  CHECK_EQ(mask, IN_CREATE | IN_DELETE);
  for (int i = 0; i < 3; i++) {
    static const char* const kLimits[] = {"max_queued_events", "max_user_watches", "max_user_instances"};
    snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", kLimits[i]);
    abi_get(path, text, sizeof(text));
    CHECK(atoi(text) >= 10);
  }
  FAILS(write(g_fd, "x", 1), EBADF);
  OK(inotify_rm_watch(g_fd, e));
  expect(e, IN_IGNORED, "");
}

int main(void) {
  abi_scratch();
  OK(mkdir("e", 0755));
  g_fd = OK(inotify_init1(IN_NONBLOCK));
  masks();
  the_descriptor();
  return 0;
}
