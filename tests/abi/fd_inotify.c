// inotify(7): events of files and directories, moves with their cookie, watches that end.
#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>

#include "abi.h"

static int g_fd;
static char g_buffer[4096] __attribute__((aligned(8)));
static ssize_t g_have, g_at;

static struct inotify_event* next(void) {
  if (g_at >= g_have) {
    g_have = OK(read(g_fd, g_buffer, sizeof(g_buffer)));
    g_at = 0;
  }
  struct inotify_event* event = (void*)(g_buffer + g_at);
  g_at += sizeof(*event) + event->len;
  return event;
}

static uint32_t expect(int watch, uint32_t mask, const char* name) {
  struct inotify_event* event = next();
  CHECK_EQ(event->mask, mask);
  CHECK_EQ(event->wd, watch);
  CHECK_STR(event->len ? event->name : "", name);
  return event->cookie;
}

static void none(void) {
  CHECK_EQ(g_at, g_have);
  FAILS(read(g_fd, g_buffer, sizeof(g_buffer)), EAGAIN);
}

int main(void) {
  abi_scratch();
  g_fd = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  OK(mkdir("d", 0755));
  OK(mkdir("other", 0755));
  const uint32_t mask =
      IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVE | IN_CLOSE_WRITE | IN_DELETE_SELF;
  int d = OK(inotify_add_watch(g_fd, "d", mask));
  none();
  int fd = OK(open("d/f", O_CREAT | O_WRONLY, 0644));
  expect(d, IN_CREATE, "f");
  CHECK_EQ(write(fd, "x", 1), 1);
  expect(d, IN_MODIFY, "f");
  OK(close(fd));
  expect(d, IN_CLOSE_WRITE, "f");
  OK(chmod("d/f", 0600));
  expect(d, IN_ATTRIB, "f");
  OK(mkdir("d/sub", 0755));
  expect(d, IN_CREATE | IN_ISDIR, "sub");
  OK(rename("d/f", "d/g"));
  uint32_t from = expect(d, IN_MOVED_FROM, "f");
  uint32_t to = expect(d, IN_MOVED_TO, "g");
  CHECK(from != 0);
  CHECK_EQ(from, to);
  OK(rename("d/g", "other/g"));
  CHECK(expect(d, IN_MOVED_FROM, "g") != from);
  OK(rename("other/g", "d/h"));
  expect(d, IN_MOVED_TO, "h");
  OK(link("d/h", "d/hard"));
  expect(d, IN_CREATE, "hard");
  OK(unlink("d/hard"));
  expect(d, IN_DELETE, "hard");
  OK(rmdir("d/sub"));
  expect(d, IN_DELETE | IN_ISDIR, "sub");
  none();

  // A file itself; the same path gives the same watch with another mask.
  int h = OK(inotify_add_watch(g_fd, "d/h", IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE));
  CHECK(h != d);
  CHECK_EQ(inotify_add_watch(g_fd, "d/h", IN_OPEN | IN_CLOSE_NOWRITE), h);
  fd = OK(open("d/h", O_RDONLY));
  char c;
  CHECK_EQ(read(fd, &c, 1), 1);
  OK(close(fd));
  expect(h, IN_OPEN, "");
  expect(h, IN_CLOSE_NOWRITE, "");
  none();
  // Equal events in a row become one.
  fd = OK(open("d/h", O_WRONLY));
  expect(h, IN_OPEN, "");
  CHECK_EQ(write(fd, "a", 1), 1);
  CHECK_EQ(write(fd, "b", 1), 1);
  expect(d, IN_MODIFY, "h");
  none();
  OK(close(fd));
  expect(d, IN_CLOSE_WRITE, "h");

  // Ends.
  OK(inotify_rm_watch(g_fd, h));
  expect(h, IN_IGNORED, "");
  FAILS(inotify_rm_watch(g_fd, h), EINVAL);
  OK(unlink("d/h"));
  expect(d, IN_DELETE, "h");
  OK(rmdir("d"));
  expect(d, IN_DELETE_SELF, "");
  expect(d, IN_IGNORED, "");
  none();

  FAILS(inotify_add_watch(g_fd, "missing", IN_OPEN), ENOENT);
  FAILS(inotify_add_watch(g_fd, "other", 0), EINVAL);
  FAILS(inotify_add_watch(0, "other", IN_OPEN), EINVAL);
  FAILS(inotify_init1(1), EINVAL);
  int o = OK(inotify_add_watch(g_fd, "other", IN_CREATE | IN_ONESHOT | IN_ONLYDIR));
  FAILS(inotify_add_watch(g_fd, "/dev/null", IN_OPEN | IN_ONLYDIR), ENOTDIR);
  abi_put("other/1", "");
  expect(o, IN_CREATE, "1");
  expect(o, IN_IGNORED, "");
  abi_put("other/2", "");
  none();
  // Too small a buffer.
  o = OK(inotify_add_watch(g_fd, "other", IN_CREATE));
  pid_t pid = FORK({
    struct pollfd set = {.fd = g_fd, .events = POLLIN};
    CHECK_EQ(poll(&set, 1, -1), 1);
  });
  abi_await_state(pid, 'S');
  abi_put("other/3", "");
  WAIT_OK(pid);
  FAILS(read(g_fd, g_buffer, 4), EINVAL);
  expect(o, IN_CREATE, "3");
  return 0;
}
