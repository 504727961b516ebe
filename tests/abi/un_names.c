// unix(7): names: paths, abstract names, autobind; bind(2), listen(2), connect(2), accept(2) and their
// errors.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

static socklen_t path_name(struct sockaddr_un* a, const char* path) {
  memset(a, 0, sizeof(*a));
  a->sun_family = AF_UNIX;
  strcpy(a->sun_path, path);
  return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}

static socklen_t abstract_name(struct sockaddr_un* a, const char* tail) {
  memset(a, 0, sizeof(*a));
  a->sun_family = AF_UNIX;
  snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "abi-%d-%s", (int)getpid(), tail);
  return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a->sun_path + 1);
}

static void paths(void) {
  struct sockaddr_un a, got;
  struct stat st;
  char c;
  int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  socklen_t size = path_name(&a, "s"), got_size = sizeof(got);
  OK(bind(listener, (struct sockaddr*)&a, size));
  OK(stat("s", &st));
  CHECK(S_ISSOCK(st.st_mode));
  CHECK_EQ(st.st_mode & 0777, 0755);
  FAILS(open("s", O_RDWR), ENXIO);
  int other = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(bind(other, (struct sockaddr*)&a, size), EADDRINUSE);
  FAILS(connect(other, (struct sockaddr*)&a, size), ECONNREFUSED);  // not listening yet
  path_name(&got, "s2");
  FAILS(bind(listener, (struct sockaddr*)&got, size + 1), EINVAL);  // has a name
  CHECK(!abi_exists("s2"));
  OK(listen(listener, 5));
  OK(listen(listener, 6));
  OK(getsockname(listener, (struct sockaddr*)&got, &got_size));
  CHECK_EQ(got_size, size);
  CHECK_STR(got.sun_path, "s");
  OK(connect(other, (struct sockaddr*)&a, size));
  FAILS(connect(other, (struct sockaddr*)&a, size), EISCONN);
  FAILS(listen(other, 1), EINVAL);
  got_size = sizeof(got);
  OK(getpeername(other, (struct sockaddr*)&got, &got_size));
  CHECK_STR(got.sun_path, "s");
  got_size = sizeof(got);
  int conn = OK(accept4(listener, (struct sockaddr*)&got, &got_size, SOCK_CLOEXEC));
  CHECK_EQ(got_size, 2);
  CHECK_EQ(fcntl(conn, F_GETFD), FD_CLOEXEC);
  got_size = sizeof(got);
  OK(getsockname(conn, (struct sockaddr*)&got, &got_size));
  CHECK_STR(got.sun_path, "s");
  CHECK_EQ(write(other, "q", 1), 1);
  CHECK_EQ(read(conn, &c, 1), 1);
  FAILS(accept4(listener, NULL, NULL, 1), EINVAL);
  // The name goes with the link, not with the socket.
  OK(rename("s", "t"));
  int third = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(connect(third, (struct sockaddr*)&a, size), ENOENT);
  size = path_name(&a, "t");
  OK(connect(third, (struct sockaddr*)&a, size));
  OK(link("t", "u"));
  OK(unlink("t"));
  OK(close(third));
  third = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  size = path_name(&a, "u");
  OK(connect(third, (struct sockaddr*)&a, size));
  OK(symlink("u", "v"));
  OK(close(third));
  third = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  size = path_name(&a, "v");
  OK(connect(third, (struct sockaddr*)&a, size));
  OK(close(third));
  // After the last close the link stays, and refuses.
  OK(close(listener));
  third = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(connect(third, (struct sockaddr*)&a, size), ECONNREFUSED);
  path_name(&a, "u");
  FAILS(bind(third, (struct sockaddr*)&a, sizeof(a)), EADDRINUSE);
  abi_put("file", "x");
  size = path_name(&a, "file");
  FAILS(connect(third, (struct sockaddr*)&a, size), ECONNREFUSED);
  FAILS(bind(third, (struct sockaddr*)&a, size), EADDRINUSE);
  size = path_name(&a, "no/such");
  FAILS(bind(third, (struct sockaddr*)&a, size), ENOENT);
  size = path_name(&a, "file/x");
  FAILS(bind(third, (struct sockaddr*)&a, size), ENOTDIR);
  OK(close(third));
  OK(close(other));
  OK(close(conn));
}

static void long_paths(void) {
  struct sockaddr_un a, got[2];
  socklen_t size = sizeof(got);
  memset(&a, 'p', sizeof(a));
  a.sun_family = AF_UNIX;
  memcpy(a.sun_path, "./", 2);
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  // All 108 bytes, without a NUL: one more is shown.
  OK(bind(fd, (struct sockaddr*)&a, sizeof(a)));
  OK(getsockname(fd, (struct sockaddr*)got, &size));
  CHECK_EQ(size, sizeof(a) + 1);
  OK(close(fd));
  fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(bind(fd, (struct sockaddr*)&a, sizeof(a) + 1), EINVAL);
  FAILS(bind(fd, (struct sockaddr*)&a, 1), EINVAL);
  FAILS(bind(fd, (struct sockaddr*)&a, -1), EINVAL);
  FAILS(bind(fd, (struct sockaddr*)&a, 4096), EINVAL);
  FAILS(bind(fd, (struct sockaddr*)8, 16), EFAULT);
  FAILS(connect(fd, (struct sockaddr*)&a, 2), EINVAL);
  a.sun_family = AF_INET;
  FAILS(bind(fd, (struct sockaddr*)&a, sizeof(a)), EINVAL);
  FAILS(connect(fd, (struct sockaddr*)&a, sizeof(a)), EINVAL);
  OK(close(fd));
}

static void abstract(void) {
  struct sockaddr_un a, b, got;
  socklen_t size = abstract_name(&a, "one"), size_b, got_size = sizeof(got);
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0)), other = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(fd, (struct sockaddr*)&a, size));
  FAILS(bind(other, (struct sockaddr*)&a, size), EADDRINUSE);
  FAILS(connect(other, (struct sockaddr*)&a, size), ECONNREFUSED);
  OK(listen(fd, 1));
  // Every byte counts.
  FAILS(connect(other, (struct sockaddr*)&a, size + 1), ECONNREFUSED);
  OK(connect(other, (struct sockaddr*)&a, size));
  OK(getpeername(other, (struct sockaddr*)&got, &got_size));
  CHECK_EQ(got_size, size);
  CHECK_EQ(memcmp(&got, &a, size), 0);
  // Names of other types are others.
  int dgram = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  FAILS(connect(dgram, (struct sockaddr*)&a, size), ECONNREFUSED);
  OK(bind(dgram, (struct sockaddr*)&a, size));
  // The name is free when the socket is gone.
  OK(close(fd));
  int again = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(again, (struct sockaddr*)&a, size));
  OK(close(again));
  // Autobind.
  int auto1 = OK(socket(AF_UNIX, SOCK_STREAM, 0)), auto2 = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  sa_family_t family = AF_UNIX;
  OK(bind(auto1, (struct sockaddr*)&family, sizeof(family)));
  OK(bind(auto2, (struct sockaddr*)&family, sizeof(family)));
  OK(bind(auto2, (struct sockaddr*)&family, sizeof(family)));
  size = sizeof(a), size_b = sizeof(b);
  OK(getsockname(auto1, (struct sockaddr*)&a, &size));
  OK(getsockname(auto2, (struct sockaddr*)&b, &size_b));
  CHECK_EQ(size, 8);
  CHECK_EQ(size_b, 8);
  CHECK_EQ(a.sun_path[0], 0);
  for (int i = 1; i < 6; i++) CHECK(strchr("0123456789abcdef", a.sun_path[i]) != NULL);
  CHECK(memcmp(a.sun_path, b.sun_path, 6) != 0);
  size = abstract_name(&a, "two");
  FAILS(bind(auto1, (struct sockaddr*)&a, size), EINVAL);
  OK(listen(auto2, 1));
  OK(connect(auto1, (struct sockaddr*)&b, size_b));
  OK(close(auto1));
  OK(close(auto2));
  OK(close(dgram));
  OK(close(other));
}

static void permissions(void) {
  struct sockaddr_un a;
  socklen_t size = path_name(&a, "private");
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(fchmod(fd, 0700));
  OK(bind(fd, (struct sockaddr*)&a, size));
  OK(listen(fd, 8));
  struct stat st;
  OK(stat("private", &st));
  CHECK_EQ(st.st_mode & 0777, 0700);
  OK(mkdir("closed", 0700));
  IN_CHILD({
    OK(setgid(12345));
    OK(setuid(12345));
    int client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(connect(client, (struct sockaddr*)&a, size), EACCES);
    size = path_name(&a, "closed/s");
    FAILS(bind(client, (struct sockaddr*)&a, size), EACCES);
    size = path_name(&a, "mine");
    FAILS(bind(client, (struct sockaddr*)&a, size), EACCES);
  });
  OK(chmod("private", 0702));
  IN_CHILD({
    OK(setgid(12345));
    OK(setuid(12345));
    OK(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr*)&a, size));
  });
  // Of another type.
  FAILS(connect(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), (struct sockaddr*)&a, size), EPROTOTYPE);
  FAILS(connect(OK(socket(AF_UNIX, SOCK_SEQPACKET, 0)), (struct sockaddr*)&a, size), EPROTOTYPE);
  OK(close(fd));
}

int main(void) {
  umask(022);
  abi_scratch();
  paths();
  long_paths();
  abstract();
  permissions();
  return 0;
}
