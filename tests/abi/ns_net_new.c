// CLONE_NEWNET (network_namespaces(7)): a new namespace has its own lo, which is down, its own names,
// settings and sockets; sockets stay in theirs; whoever may in its user namespace may there.
#include <sched.h>
#include <sys/un.h>

#include "net.h"

static unsigned long inode_of(const char* path) {
  struct stat st;
  OK(stat(path, &st));
  return st.st_ino;
}

static int lo_flags(int set) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ifreq r = {.ifr_name = "lo"};
  OK(ioctl(fd, SIOCGIFFLAGS, &r));
  if (set) {
    r.ifr_flags |= IFF_UP;
    OK(ioctl(fd, SIOCSIFFLAGS, &r));
    OK(ioctl(fd, SIOCGIFFLAGS, &r));
  }
  OK(close(fd));
  return r.ifr_flags;
}

static int reach(int port) {
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in a = net_v4("127.0.0.1", port);
  int e = connect(fd, SA(a)) == 0 ? 0 : errno;
  OK(close(fd));
  return e;
}

static int listener(int port) {
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in a = net_v4("127.0.0.1", port);
  OK(bind(fd, SA(a)));
  OK(listen(fd, 5));
  return fd;
}

static int abstract(const char* name) {
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strcpy(a.sun_path + 1, name);
  return bind(fd, (struct sockaddr*)&a, sizeof(sa_family_t) + 1 + strlen(name)) == 0 ? fd : -1;
}

static void fresh(void) {
  char text[4096];
  CHECK(!(lo_flags(0) & IFF_UP));
  CHECK_EQ(abi_get("/proc/net/if_inet6", text, sizeof(text)), 0);
  CHECK_EQ(reach(9), ENETUNREACH);
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in a = net_v4("127.0.0.1", 0);
  CHECK(lo_flags(1) & IFF_UP);
  OK(bind(fd, SA(a)));
  OK(close(fd));
  CHECK_EQ(reach(9), ECONNREFUSED);
  abi_get("/proc/net/if_inet6", text, sizeof(text));
  CHECK(strncmp(text, "00000000000000000000000000000001 01 80 10 80 ", 45) == 0);
}

static void apart(void) {
  int old = OK(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  unsigned long before = inode_of("/proc/self/ns/net");
  int server = listener(0), port = net_port(server), name = abstract("ns_net_new");
  CHECK(name >= 0);
  CHECK_EQ(abstract("ns_net_new"), -1);
  CHECK_EQ(reach(port), 0);
  OK(unshare(CLONE_NEWNET));
  CHECK(inode_of("/proc/self/ns/net") != before);
  CHECK(inode_of("/proc/thread-self/ns/net") != before);
  fresh();
  CHECK_EQ(reach(port), ECONNREFUSED);
  // The same names and ports are free here.
  int mine = listener(port), mine_too = abstract("ns_net_new");
  CHECK(mine_too >= 0);
  CHECK_EQ(reach(port), 0);
  int fd = OK(open("proc/sys/net/ipv4/ip_default_ttl", O_RDWR));
  CHECK_EQ(write(fd, "77", 2), 2);
  OK(close(fd));
  int here = OK(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  FAILS(setns(old, CLONE_NEWUTS), EINVAL);
  OK(setns(old, CLONE_NEWNET));
  CHECK_EQ(inode_of("/proc/self/ns/net"), before);
  char text[16];
  abi_get("proc/sys/net/ipv4/ip_default_ttl", text, sizeof(text));
  CHECK(strcmp(text, "64\n") == 0);
  OK(close(server));
  // The one there does not hear of us.
  CHECK_EQ(reach(port), ECONNREFUSED);
  OK(setns(here, 0));
  CHECK_EQ(reach(port), 0);
  OK(close(mine));
  OK(close(mine_too));
  OK(close(here));
  OK(setns(old, 0));
  OK(close(old));
  OK(close(name));
}

static int child(void* unused) {
  (void)unused;
  fresh();
  return 0;
}

static void cloned(void) {
  static char stack[65536] __attribute__((aligned(16)));
  int pid = OK(clone(child, stack + sizeof(stack), CLONE_NEWNET | SIGCHLD, NULL)), status;
  OK(waitpid(pid, &status, 0));
  CHECK_EQ(status, 0);
}

// Nobody in particular may have a network of his own, and nothing in that of others.
static void unprivileged(void) {
  int old = OK(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  int pid = OK(fork()), status;
  if (pid == 0) {
    OK(setgid(65534));
    OK(setuid(65534));
    FAILS(unshare(CLONE_NEWNET), EPERM);
    OK(unshare(CLONE_NEWUSER));
    FAILS(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
    OK(unshare(CLONE_NEWNET));
    fresh();
    OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    FAILS(setns(old, CLONE_NEWNET), EPERM);
    _exit(0);
  }
  OK(waitpid(pid, &status, 0));
  CHECK_EQ(status, 0);
  OK(close(old));
}

int main(void) {
  net_private();
  abi_scratch();
  net_own_proc();
  apart();
  cloned();
  unprivileged();
  net_no_proc();
  return 0;
}
