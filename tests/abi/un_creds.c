// unix(7): SO_PEERCRED, SO_PEERGROUPS, SO_PASSCRED, SCM_CREDENTIALS.
#include <grp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

static struct ucred peer_of(int fd) {
  struct ucred c;
  socklen_t size = sizeof(c);
  OK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &size));
  CHECK_EQ(size, sizeof(c));
  return c;
}

static void pass(int fd, int on) { OK(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on))); }

static ssize_t send_as(int to, const char* text, pid_t pid, uid_t uid, gid_t gid) {
  struct ucred who = {pid, uid, gid};
  char c[CMSG_SPACE(sizeof(who))] = {0};
  struct iovec iov = {(char*)text, strlen(text)};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c)};
  struct cmsghdr* h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET;
  h->cmsg_type = SCM_CREDENTIALS;
  h->cmsg_len = CMSG_LEN(sizeof(who));
  memcpy(CMSG_DATA(h), &who, sizeof(who));
  return sendmsg(to, &m, 0);
}

// The bytes that came; `who` as told, pid -1 if not.
static ssize_t receive(int from, struct ucred* who) {
  char c[CMSG_SPACE(sizeof(*who))] = {0}, buf[64];
  struct iovec iov = {buf, sizeof(buf)};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c)};
  ssize_t n = OK(recvmsg(from, &m, 0));
  struct cmsghdr* h = CMSG_FIRSTHDR(&m);
  who->pid = -1;
  if (m.msg_controllen == 0) return n;
  CHECK_EQ(h->cmsg_type, SCM_CREDENTIALS);
  CHECK_EQ(h->cmsg_len, CMSG_LEN(sizeof(*who)));
  memcpy(who, CMSG_DATA(h), sizeof(*who));
  return n;
}

static void peers(void) {
  int fds[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  struct ucred c = peer_of(fds[1]);
  CHECK_EQ(c.pid, getpid());
  CHECK_EQ(c.uid, geteuid());
  CHECK_EQ(c.gid, getegid());
  // They are those of the moment.
  IN_CHILD({
    CHECK_EQ(peer_of(fds[0]).pid, getppid());
    OK(setuid(12345));
    CHECK_EQ(peer_of(fds[0]).uid, 0);
  });
  int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  c = peer_of(listener);
  CHECK_EQ(c.pid, 0);
  CHECK_EQ(c.uid, (uid_t)-1);
  CHECK_EQ(c.gid, (gid_t)-1);
  struct sockaddr_un a;
  socklen_t size = sizeof(a);
  sa_family_t family = AF_UNIX;
  OK(bind(listener, (struct sockaddr*)&family, sizeof(family)));
  OK(getsockname(listener, (struct sockaddr*)&a, &size));
  OK(listen(listener, 4));
  pid_t parent = getpid();
  int go[2];
  OK(pipe(go));
  pid_t pid = FORK({
    gid_t groups[3] = {7, 8, 9};
    OK(setgroups(3, groups));
    OK(setresgid(1, 2, 3));
    OK(setresuid(1, 2, 3));
    int client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(connect(client, (struct sockaddr*)&a, size));
    c = peer_of(client);
    CHECK_EQ(c.pid, parent);
    CHECK_EQ(c.uid, 0);
    char byte;
    CHECK_EQ(read(go[0], &byte, 1), 1);
  });
  int conn = OK(accept(listener, NULL, NULL));
  c = peer_of(conn);
  CHECK_EQ(c.pid, pid);
  CHECK_EQ(c.uid, 2);
  CHECK_EQ(c.gid, 2);
  gid_t groups[8];
  socklen_t bytes = sizeof(groups);
  OK(getsockopt(conn, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes));
  CHECK_EQ(bytes, 3 * sizeof(gid_t));
  CHECK_EQ(groups[2], 9);
  bytes = 4;
  FAILS(getsockopt(conn, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes), ERANGE);
  CHECK_EQ(bytes, 3 * sizeof(gid_t));
  FAILS(getsockopt(conn, SOL_SOCKET, SO_PEERSEC, groups, &bytes), ENOPROTOOPT);
  int dgram = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  FAILS(getsockopt(dgram, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes), ENODATA);
  FAILS(setsockopt(conn, SOL_SOCKET, SO_PEERCRED, &c, sizeof(c)), ENOPROTOOPT);
  CHECK_EQ(write(go[1], "x", 1), 1);
  WAIT_OK(pid);
  CHECK_EQ(peer_of(conn).pid, pid);  // also afterwards
}

static void messages(void) {
  int fds[2];
  struct ucred who;
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
  CHECK_EQ(write(fds[0], "x", 1), 1);
  CHECK_EQ(receive(fds[1], &who), 1);
  CHECK_EQ(who.pid, -1);
  pass(fds[1], 1);
  pid_t pid = FORK(CHECK_EQ(write(fds[0], "yy", 2), 2));
  CHECK_EQ(receive(fds[1], &who), 2);
  CHECK_EQ(who.pid, pid);
  CHECK_EQ(who.uid, getuid());
  CHECK_EQ(who.gid, getgid());
  WAIT_OK(pid);
  // The privileged may tell tales, but of somebody who lives.
  CHECK_EQ(send_as(fds[0], "root", getpid(), 5, 6), 4);
  CHECK_EQ(receive(fds[1], &who), 4);
  CHECK_EQ(who.pid, getpid());
  CHECK_EQ(who.uid, 5);
  CHECK_EQ(who.gid, 6);
  FAILS(send_as(fds[0], "x", getpid(), -1, 0), EINVAL);
  FAILS(send_as(fds[0], "x", getpid(), 0, -1), EINVAL);
  IN_CHILD({
    OK(setresgid(10, 11, 12));
    OK(setresuid(20, 21, 22));
    CHECK_EQ(send_as(fds[0], "a", getpid(), 20, 10), 1);
    CHECK_EQ(send_as(fds[0], "b", getpid(), 21, 11), 1);
    CHECK_EQ(send_as(fds[0], "c", getpid(), 22, 12), 1);
    FAILS(send_as(fds[0], "d", getpid(), 0, 10), EPERM);
    FAILS(send_as(fds[0], "d", getpid(), 20, 0), EPERM);
    FAILS(send_as(fds[0], "d", getppid(), 20, 10), EPERM);
    // Told without being told to: the real ones.
    CHECK_EQ(write(fds[0], "e", 1), 1);
  });
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(receive(fds[1], &who), 1);
    CHECK_EQ(who.uid, 20 + i);
    CHECK_EQ(who.gid, 10 + i);
  }
  CHECK_EQ(receive(fds[1], &who), 1);
  CHECK_EQ(who.uid, 20);
  CHECK_EQ(who.gid, 10);
}

// A read of a stream does not mix senders.
static void not_mixed(void) {
  int fds[2];
  struct ucred who;
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  pass(fds[1], 1);
  pid_t one = FORK(CHECK_EQ(write(fds[0], "aa", 2), 2); CHECK_EQ(write(fds[0], "a", 1), 1));
  WAIT_OK(one);
  pid_t two = FORK(CHECK_EQ(write(fds[0], "bb", 2), 2));
  WAIT_OK(two);
  CHECK_EQ(receive(fds[1], &who), 3);
  CHECK_EQ(who.pid, one);
  CHECK_EQ(receive(fds[1], &who), 2);
  CHECK_EQ(who.pid, two);
  // Plain reads obey as well while the option is on.
  one = FORK(CHECK_EQ(write(fds[0], "cc", 2), 2));
  WAIT_OK(one);
  two = FORK(CHECK_EQ(write(fds[0], "dd", 2), 2));
  WAIT_OK(two);
  char buf[8];
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 2);
  pass(fds[1], 0);
  CHECK_EQ(write(fds[0], "ee", 2), 2);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 4);
  // A header that is cut.
  pass(fds[1], 1);
  CHECK_EQ(write(fds[0], "f", 1), 1);
  char c[CMSG_LEN(4)] = {0};
  struct iovec iov = {buf, sizeof(buf)};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c)};
  CHECK_EQ(recvmsg(fds[1], &m, 0), 1);
  CHECK_EQ(m.msg_flags, MSG_CTRUNC);
  CHECK_EQ(((struct cmsghdr*)c)->cmsg_len, sizeof(c));
  CHECK_EQ(m.msg_controllen, sizeof(c));
}

// Who wants credentials gets a name with its first connect or send.
static void named(void) {
  int server = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), client = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  struct sockaddr_un a, got;
  socklen_t size = sizeof(a), got_size = sizeof(got);
  sa_family_t family = AF_UNIX;
  OK(bind(server, (struct sockaddr*)&family, sizeof(family)));
  OK(getsockname(server, (struct sockaddr*)&a, &size));
  pass(client, 1);
  OK(connect(client, (struct sockaddr*)&a, size));
  OK(getsockname(client, (struct sockaddr*)&got, &got_size));
  CHECK_EQ(got_size, 8);
  CHECK_EQ(got.sun_path[0], 0);
}

int main(void) {
  peers();
  messages();
  not_mixed();
  named();
  return 0;
}
