// /proc/net/unix, and sockets as files of a process.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

// The line of the socket with this inode, split off its address; false: none.
static bool find(unsigned long ino, unsigned* flags, unsigned* type, unsigned* state, char* name) {
  static char text[1 << 20];
  abi_get("/proc/net/unix", text, sizeof(text));
  CHECK(strncmp(text, "Num       RefCount Protocol Flags    Type St Inode Path\n", 56) == 0);
  for (char* line = strchr(text, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
    unsigned long number;
    unsigned count, protocol;
    name[0] = 0;
    char* end = strchr(line, '\n');
    *end = 0;
    int n = sscanf(line, "%*[0-9a-fA-F]: %X %X %X %X %X %lu %s", &count, &protocol, flags, type, state,
                   &number, name);
    *end = '\n';
    CHECK(n >= 6);
    CHECK(count > 0);
    if (number == ino) return true;
  }
  return false;
}

static unsigned long ino_of(int fd) {
  struct stat st;
  OK(fstat(fd, &st));
  return st.st_ino;
}

int main(void) {
  unsigned flags, type, state;
  char name[256], want[256];
  abi_scratch();
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  unsigned long ino = ino_of(fd);
  CHECK(find(ino, &flags, &type, &state, name));
  CHECK_EQ(flags, 0);
  CHECK_EQ(type, SOCK_STREAM);
  CHECK_EQ(state, 1);
  CHECK_STR(name, "");
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "named"};
  OK(bind(fd, (struct sockaddr*)&a, sizeof(a)));
  OK(listen(fd, 1));
  CHECK(find(ino, &flags, &type, &state, name));
  CHECK_EQ(flags, 0x10000);
  CHECK_STR(name, "named");
  int client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(connect(client, (struct sockaddr*)&a, sizeof(a)));
  CHECK(find(ino_of(client), &flags, &type, &state, name));
  CHECK_EQ(state, 3);
  int conn = OK(accept(fd, NULL, NULL));
  CHECK(find(ino_of(conn), &flags, &type, &state, name));
  CHECK_EQ(state, 3);
  CHECK_STR(name, "named");
  int dgram = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  memset(&a, 0, sizeof(a));
  a.sun_family = AF_UNIX;
  snprintf(a.sun_path + 1, 64, "abi-%d-proc", (int)getpid());
  OK(bind(dgram, (struct sockaddr*)&a, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1)));
  CHECK(find(ino_of(dgram), &flags, &type, &state, name));
  CHECK_EQ(type, SOCK_DGRAM);
  snprintf(want, sizeof(want), "@%s", a.sun_path + 1);
  CHECK_STR(name, want);
  OK(close(fd));
  CHECK(!find(ino, &flags, &type, &state, name));
  // Attributes of the file itself.
  struct stat st;
  OK(fchmod(dgram, 0640));
  OK(fchown(dgram, 12, 34));
  OK(fstat(dgram, &st));
  CHECK_EQ(st.st_mode, S_IFSOCK | 0640);
  CHECK_EQ(st.st_uid, 12);
  CHECK_EQ(st.st_gid, 34);
  OK(fcntl(dgram, F_SETOWN, getpid()));
  CHECK_EQ(fcntl(dgram, F_GETOWN), getpid());
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dgram);
  abi_get(path, want, sizeof(want));
  CHECK(strstr(want, "flags:\t02\n") != NULL);
  CHECK(strstr(want, "scm_fds:") != NULL);
  return 0;
}
