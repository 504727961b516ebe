// Mount namespaces and propagation (mount_namespaces(7)); pivot_root(2) and chroot(2) in them.
#include <sys/mount.h>

#include "abi.h"

static ino_t own(void) {
  struct stat s;
  OK(stat("/proc/self/ns/mnt", &s));
  return s.st_ino;
}
static void make_file(const char* path) { OK(close(OK(open(path, O_CREAT | O_WRONLY, 0644)))); }
static void tmpfs(const char* at) { OK(mount("none", at, "tmpfs", 0, NULL)); }
static bool there(const char* path) { return access(path, F_OK) == 0; }

// The optional fields of what is mounted at `place`, last one last. False: nothing is.
static bool fields(const char* place, char* out, size_t size) {
  static char text[65536];
  int fd = OK(open("/proc/self/mountinfo", O_RDONLY));
  size_t n = 0;
  for (long got; (got = OK(read(fd, text + n, sizeof(text) - 1 - n))) > 0;) n += (size_t)got;
  text[n] = 0;
  OK(close(fd));
  bool found = false;
  char* state;
  for (char* line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
    char at[4096], options[256];
    int end = 0;
    if (sscanf(line, "%*d %*d %*s %*s %4095s %255s%n", at, options, &end) != 2 || strcmp(at, place)) continue;
    const char* stop = strstr(line + end, " - ");
    CHECK(stop != NULL);
    snprintf(out, size, "%.*s", (int)(stop - line - end), line + end);
    found = true;
  }
  return found;
}
static int number_after(const char* place, const char* word) {
  char text[256];
  CHECK(fields(place, text, sizeof(text)));
  const char* at = strstr(text, word);
  return at ? atoi(at + strlen(word)) : 0;
}
static void check_fields(const char* place, const char* want) {
  char text[256];
  CHECK(fields(place, text, sizeof(text)));
  CHECK_STR(text, want);
}

static char base[256];
static const char* in(const char* name) {
  static char paths[8][512];
  static int next;
  char* path = paths[next++ % 8];
  snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
  return path;
}

static void copies(void) {
  ino_t first = own();
  OK(mkdir("d", 0755));
  int pipes[2][2];
  OK(pipe(pipes[0]));
  OK(pipe(pipes[1]));
  pid_t child = FORK({
    char c;
    OK(unshare(CLONE_NEWNS));
    CHECK(own() != first);
    tmpfs("d");
    make_file("d/inside");
    CHECK(there(in("d/inside")));
    CHECK_EQ(write(pipes[0][1], "", 1), 1);
    CHECK_EQ(read(pipes[1][0], &c, 1), 1);
  });
  char c, path[320];
  CHECK_EQ(read(pipes[0][0], &c, 1), 1);
  CHECK(!there("d/inside"));
  // By its file, and by way of its root.
  snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)child);
  int ns = OK(open(path, O_RDONLY));
  IN_CHILD({
    OK(setns(ns, CLONE_NEWNS));
    CHECK(there(in("d/inside")));
    snprintf(path, sizeof(path), "%s/d/second", base);
    make_file(path);
  });
  int pidfd = OK(syscall(SYS_pidfd_open, child, 0));
  IN_CHILD({
    OK(setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS));
    CHECK(there(in("d/second")));
    CHECK(own() != first);
  });
  // Not while others share where it stands.
  IN_CHILD({
    pid_t other = OK(syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0));
    if (other == 0) {
      FAILS(setns(ns, CLONE_NEWNS), EINVAL);
      _exit(0);
    }
    WAIT_OK(other);
  });
  CHECK_EQ(write(pipes[1][1], "", 1), 1);
  WAIT_OK(child);
  // The file keeps it.
  IN_CHILD({
    OK(setns(ns, 0));
    CHECK(there(in("d/second")));
  });
  OK(close(ns));
  OK(close(pidfd));
  OK(rmdir("d"));
  IN_CHILD({
    OK(setresuid(1, 1, 1));
    FAILS(unshare(CLONE_NEWNS), EPERM);
  });
}

static void kinds(void) {
  OK(mkdir("k", 0755));
  tmpfs("k");
  OK(mount(NULL, "k", NULL, MS_PRIVATE, NULL));
  check_fields(in("k"), "");
  OK(mount(NULL, "k", NULL, MS_SHARED, NULL));
  int group = number_after(in("k"), "shared:");
  CHECK(group > 0);
  OK(mount(NULL, "k", NULL, MS_SHARED | MS_REC, NULL));
  CHECK_EQ(number_after(in("k"), "shared:"), group);
  // Without a peer there is nobody to follow.
  OK(mount(NULL, "k", NULL, MS_SLAVE, NULL));
  check_fields(in("k"), "");
  OK(mount(NULL, "k", NULL, MS_UNBINDABLE, NULL));
  check_fields(in("k"), " unbindable");
  OK(mkdir("b", 0755));
  FAILS(mount("k", "b", NULL, MS_BIND, NULL), EINVAL);
  OK(mount(NULL, "k", NULL, MS_PRIVATE, NULL));
  OK(mkdir("k/plain", 0755));
  FAILS(mount(NULL, "k/plain", NULL, MS_PRIVATE, NULL), EINVAL);
  FAILS(mount(NULL, "k", NULL, MS_PRIVATE | MS_SHARED, NULL), EINVAL);
  FAILS(mount(NULL, "k", NULL, MS_PRIVATE | MS_NOSUID, NULL), EINVAL);
  OK(umount("k"));
  OK(rmdir("k"));
  OK(rmdir("b"));
}

// Peers see each other's mounts, slaves those of their masters.
static void propagates(void) {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  OK(mkdir("c", 0755));
  tmpfs("a");
  OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
  OK(mkdir("a/x", 0755));
  OK(mkdir("a/y", 0755));
  OK(mount("a", "b", NULL, MS_BIND, NULL));
  OK(mount("a", "c", NULL, MS_BIND, NULL));
  OK(mount(NULL, "c", NULL, MS_SLAVE, NULL));
  int group = number_after(in("a"), "shared:");
  CHECK_EQ(number_after(in("b"), "shared:"), group);
  CHECK_EQ(number_after(in("c"), "master:"), group);
  CHECK_EQ(number_after(in("c"), "shared:"), 0);

  tmpfs("b/x");
  make_file("b/x/f");
  CHECK(there("a/x/f") && there("c/x/f"));
  int inner = number_after(in("a/x"), "shared:");
  CHECK(inner > 0 && inner != group);
  CHECK_EQ(number_after(in("b/x"), "shared:"), inner);
  CHECK_EQ(number_after(in("c/x"), "master:"), inner);
  tmpfs("c/y");
  make_file("c/y/f");
  CHECK(!there("a/y/f") && !there("b/y/f"));
  // Under what the slave has there already.
  tmpfs("a/y");
  make_file("a/y/g");
  CHECK(there("b/y/g") && there("c/y/f") && !there("c/y/g"));
  OK(umount("c/y"));
  CHECK(there("c/y/g"));
  OK(umount("a/y"));
  CHECK(!there("b/y/g") && !there("c/y/g"));

  // Another namespace's copies are peers, until they are made slaves or private.
  int up[2], down[2];
  OK(pipe(up));
  OK(pipe(down));
  pid_t child = FORK({
    char c;
    OK(unshare(CLONE_NEWNS));
    CHECK_EQ(number_after(in("a"), "shared:"), group);
    tmpfs("a/y");
    make_file("a/y/from_child");
    OK(mount(NULL, "a", NULL, MS_SLAVE | MS_REC, NULL));
    CHECK_EQ(number_after(in("a"), "master:"), group);
    CHECK_EQ(write(up[1], "", 1), 1);
    CHECK_EQ(read(down[0], &c, 1), 1);
    CHECK(!there("a/y/from_child"));
    tmpfs("a/y");
    make_file("a/y/alone");
    CHECK_EQ(write(up[1], "", 1), 1);
    CHECK_EQ(read(down[0], &c, 1), 1);
    OK(mount(NULL, "a", NULL, MS_PRIVATE | MS_REC, NULL));
    check_fields(in("a"), "");
    CHECK_EQ(write(up[1], "", 1), 1);
    CHECK_EQ(read(down[0], &c, 1), 1);
    CHECK(there("a/x/f"));
  });
  char c;
  CHECK_EQ(read(up[0], &c, 1), 1);
  CHECK(there("a/y/from_child") && there("b/y/from_child"));
  OK(umount("a/y"));
  CHECK_EQ(write(down[1], "", 1), 1);
  CHECK_EQ(read(up[0], &c, 1), 1);
  CHECK(!there("a/y/alone"));
  CHECK_EQ(write(down[1], "", 1), 1);
  CHECK_EQ(read(up[0], &c, 1), 1);
  OK(umount("a/x"));
  CHECK(!there("b/x/f") && !there("c/x/f"));
  CHECK_EQ(write(down[1], "", 1), 1);
  WAIT_OK(child);

  // Slaves of a group that ends are nobody's.
  OK(umount("a"));
  OK(umount("b"));
  check_fields(in("c"), "");
  OK(umount("c"));
  OK(rmdir("a"));
  OK(rmdir("b"));
  OK(rmdir("c"));
}

static void trees(void) {
  OK(mkdir("s", 0755));
  OK(mkdir("t", 0755));
  OK(mkdir("u", 0755));
  tmpfs("s");
  OK(mkdir("s/in", 0755));
  OK(mkdir("s/no", 0755));
  tmpfs("s/in");
  make_file("s/in/f");
  tmpfs("s/no");
  make_file("s/no/f");
  OK(mount(NULL, "s/no", NULL, MS_UNBINDABLE, NULL));
  OK(mount("s", "t", NULL, MS_BIND | MS_REC, NULL));
  CHECK(there("t/in/f") && !there("t/no/f"));
  OK(umount2("t", MNT_DETACH));
  CHECK(!there("t/in"));
  // A tree that comes to a shared place comes to its peers, too.
  tmpfs("t");
  OK(mount(NULL, "t", NULL, MS_SHARED, NULL));
  OK(mkdir("t/at", 0755));
  OK(mount("t", "u", NULL, MS_BIND, NULL));
  OK(mount("s", "t/at", NULL, MS_BIND | MS_REC, NULL));
  CHECK(there("u/at/in/f"));
  OK(umount2("u/at", MNT_DETACH));
  CHECK(!there("t/at/in"));
  // Moving: not what is unbindable to a shared place, nor from one.
  FAILS(mount("s", "t/at", NULL, MS_MOVE, NULL), EINVAL);
  OK(umount("s/no"));
  OK(mount("s", "t/at", NULL, MS_MOVE, NULL));
  CHECK(!there("s/in") && there("t/at/in/f") && there("u/at/in/f"));
  FAILS(mount("t/at", "s", NULL, MS_MOVE, NULL), EINVAL);
  FAILS(mount("t/at", "t/at/in", NULL, MS_MOVE, NULL), EINVAL);
  OK(umount2("t", MNT_DETACH));
  OK(umount2("u", MNT_DETACH));
  OK(rmdir("s"));
  OK(rmdir("t"));
  OK(rmdir("u"));
}

static void roots(void) {
  IN_CHILD({
    OK(unshare(CLONE_NEWNS));
    OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    OK(mkdir("root", 0755));
    tmpfs("root");
    OK(mkdir("root/old", 0755));
    OK(mkdir("root/sub", 0755));
    make_file("root/marker");
    FAILS(syscall(SYS_pivot_root, "root/sub", "root/old"), EINVAL);
    FAILS(syscall(SYS_pivot_root, "root", "."), EINVAL);
    FAILS(syscall(SYS_pivot_root, "root", "/"), EBUSY);
    FAILS(syscall(SYS_pivot_root, "/", "root"), EBUSY);
    FAILS(syscall(SYS_pivot_root, "root", "missing"), ENOENT);
    OK(mount(NULL, "root", NULL, MS_SHARED, NULL));
    FAILS(syscall(SYS_pivot_root, "root", "root/old"), EINVAL);
    OK(mount(NULL, "root", NULL, MS_PRIVATE, NULL));
    OK(chdir("/"));
    int go[2];
    OK(pipe(go));
    pid_t other = FORK({
      char c;
      CHECK_EQ(read(go[0], &c, 1), 1);
      // Whoever stood at the old root came along.
      CHECK(there("/marker"));
      char at[64];
      CHECK(getcwd(at, sizeof(at)) != NULL);
      CHECK_STR(at, "/");
    });
    OK(syscall(SYS_pivot_root, in("root"), in("root/old")));
    CHECK(there("/marker") && there("/old/proc"));
    CHECK_EQ(write(go[1], "", 1), 1);
    WAIT_OK(other);
    OK(mkdir("/proc", 0755));
    OK(mount("proc", "/proc", "proc", 0, NULL));
    OK(umount2("/old", MNT_DETACH));
    OK(rmdir("/old"));
    check_fields("/", "");
    OK(mkdir("/sub/deep", 0755));
    OK(chroot("/sub"));
    CHECK(there("/deep"));
    FAILS(syscall(SYS_pivot_root, "/deep", "/deep"), EBUSY);
  });
  OK(rmdir("root"));
}

int main(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  snprintf(base, sizeof(base), "%s", abi_scratch());
  tmpfs(base);
  OK(chdir(base));
  copies();
  kinds();
  propagates();
  trees();
  roots();
  return 0;
}
