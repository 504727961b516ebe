// Mounts and namespaces. A worker has a mount namespace of its own, which goes with it.
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "calls.h"
#include "memory.h"
#include "paths.h"

ONE_OF(mount_flags, 0, 0, 4096, 4096, 4096 | 16384, 32, 32 | 4096, 32 | 4096 | 1, 8192, 1 << 18, 1 << 19,
       1 << 20, 1 << 17, 1, 2 | 4 | 8, 1024, 1 << 21, 1 << 24)
SOME_OF(umount_flags, 1, 2, 4, 8)
SOME_OF(unshared, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWCGROUP,
        CLONE_NEWNET, CLONE_FS, CLONE_FILES, CLONE_SYSVSEM, CLONE_THREAD, CLONE_VM, CLONE_SIGHAND)
ONE_OF(namespace_type, 0, 0, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID,
       CLONE_NEWNET)
SOME_OF(tree_flags, 1, O_CLOEXEC, AT_EMPTY_PATH, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, 1, 1)
SOME_OF(move_flags, 0x04, 0x40, 0x04, 0x01, 0x02, 0x10, 0x20, 0x100)
SOME_OF(cloexec, 1)
SOME_OF(mount_attributes, 1, 2, 4, 8, 0x10, 0x20, 0x80, 0x200000)
SOME_OF(pick_flags, 1, 2, 4, 8)
SOME_OF(attribute_at, AT_EMPTY_PATH, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW)
ONE_OF(config_command, 0, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 7)

static long file_system(struct Call* c) {
  static const char* const kTypes[] = {"tmpfs",   "tmpfs",   "tmpfs",  "proc",  "sysfs", "devpts", "mqueue",
                                       "overlay", "cgroup2", "cgroup", "ramfs", "none",  "ext4",   ""};
  return place(c, text(c, kTypes[below(c, COUNT(kTypes))]));
}

static long mount_source(struct Call* c) {
  static const char* const kSources[] = {"tmpfs", "d", "d/y", "m", "f", "none", "/proc", "/dev", "overlay"};
  return place(c, text(c, kSources[below(c, COUNT(kSources))]));
}

static long mount_point(struct Call* c) {
  static const char* const kPoints[] = {"m", "m", "d", "d/y", "f", "m/a", "/tmp", "/dev/shm", "/"};
  return place(c, text(c, kPoints[below(c, COUNT(kPoints) - (chance(c, 80) ? 3 : 0))]));
}

static long mount_data(struct Call* c) {
  static const char* const kData[] = {"size=64k",
                                      "size=10%,mode=700",
                                      "nr_inodes=20",
                                      "uid=5,gid=6",
                                      "newinstance,ptmxmode=0666",
                                      "mode=0620,gid=5,max=8",
                                      "lowerdir=d,upperdir=m/a,workdir=m/b",
                                      "lowerdir=d:m",
                                      "lowerdir=",
                                      "hidepid=2,gid=4",
                                      "none",
                                      "a=,,b",
                                      ""};
  return chance(c, 40) ? 0 : place(c, text(c, kData[below(c, COUNT(kData))]));
}

static long option_key(struct Call* c) {
  static const char* const kKeys[] = {"source",    "size",    "mode",     "uid",  "ro",
                                      "nr_inodes", "hidepid", "lowerdir", "none", ""};
  return chance(c, 10) ? 0 : place(c, text(c, kKeys[below(c, COUNT(kKeys))]));
}

static long option_value(struct Call* c) {
  static const char* const kValues[] = {"64k", "0", "700", "-1", "99999999999999999999", "d", "", "50%"};
  return chance(c, 20) ? 0 : place(c, text(c, kValues[below(c, COUNT(kValues))]));
}

static void draw_config(struct Call* c) {
  c->a[0] = fd_context(c);
  c->a[1] = config_command(c);
  bool string = c->a[1] == 1, creates = c->a[1] > 5;
  c->a[2] = creates ? 0 : option_key(c);
  c->a[3] = string ? option_value(c) : c->a[1] == 2 ? in_noise(c) : c->a[1] > 2 && c->a[1] < 5 ? path(c) : 0;
  c->a[4] = c->a[1] == 2                 ? (long)below(c, 64)
            : c->a[1] == 5               ? fd_dir(c)
            : c->a[1] > 2 && c->a[1] < 5 ? fd_at(c)
                                         : 0;
  if (chance(c, 3)) c->a[2 + below(c, 3)] = wild_pointer(c);
}

static long attribute_set(struct Call* c) {
  static const long kPropagation[] = {0, 0, 1 << 18, 1 << 19, 1 << 20, 1 << 17};
  long words[5] = {mount_attributes(c), chance(c, 30) ? mount_attributes(c) : 0,
                   one_of(c, kPropagation, COUNT(kPropagation)), 0};
  if (chance(c, 10)) words[0] |= 0x100000, words[3] = fd_namespace(c);
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  c->extent = 32;
  return place(c, at);
}

// What is to be the root is a mount, mostly.
static long make_pivot(struct Call* c) {
  static const char kTmpfs[] = "tmpfs", kRoot[] = "m", kOld[] = "m/old";
  if (chance(c, 60)) {
    raw_call(SYS_mount, (long[kArguments]){(long)kTmpfs, (long)kRoot, (long)kTmpfs, 0, 0});
    raw3(SYS_mkdir, (long)kOld, 0777, 0);
    c->a[0] = (long)text(c, kRoot);
    c->a[1] = (long)text(c, chance(c, 80) ? kOld : kRoot);
  }
  return raw_call(c->number, c->a);
}

// A mount by its descriptor alone, or a place by its name.
static void draw_setattr(struct Call* c) {
  bool by_name = chance(c, 40);
  c->a[0] = by_name ? fd_at(c) : fd_mount(c);
  c->a[1] = by_name ? mount_point(c) : place(c, text(c, ""));
  c->a[2] = attribute_at(c) | (by_name ? 0 : AT_EMPTY_PATH);
  c->a[3] = attribute_set(c);
  c->a[4] = extent(c);
}

static void draw_move(struct Call* c) {
  bool by_name = chance(c, 40);
  c->a[0] = by_name ? fd_at(c) : fd_mount(c);
  c->a[1] = by_name ? mount_point(c) : place(c, text(c, ""));
  c->a[2] = fd_at(c);
  c->a[3] = mount_point(c);
  c->a[4] = move_flags(c) | (by_name ? 0 : 4);
}

// A context is good for one mount: often a new one, with what it needs.
static void draw_fsmount(struct Call* c) {
  static const char kTmpfs[] = "tmpfs", kProc[] = "proc", kKey[] = "source", kValue[] = "name";
  enum { kSetString = 1, kCreate = 6 };
  c->a[0] = fd_context(c);
  if (chance(c, 50)) {
    long fd = raw3(SYS_fsopen, (long)(chance(c, 80) ? kTmpfs : kProc), 1, 0);
    if (fd > 2) keep(c, kFsContext, fd);
    raw_call(SYS_fsconfig, (long[kArguments]){fd, kSetString, (long)kKey, (long)kValue, 0});
    raw_call(SYS_fsconfig, (long[kArguments]){fd, kCreate});
    c->a[0] = fd;
  }
  c->a[1] = cloexec(c);
  c->a[2] = mount_attributes(c);
}

static long pidfd_or_namespace(struct Call* c) { return chance(c, 80) ? fd_namespace(c) : fd_pidfd(c); }

static const struct Row kRows[] = {
    {SYS_mount, 8, .flags = kNotLinux,
     .args = {mount_source, mount_point, file_system, mount_flags, mount_data}},
    {SYS_umount2, 6, .flags = kNotLinux, .args = {mount_point, umount_flags}},
    {SYS_pivot_root, 1, .flags = kInChild | kNotLinux, .args = {mount_point, mount_point},
     .make = make_pivot},
    {SYS_unshare, 4, .flags = kInChild | kNotLinux, .args = {unshared}},
    {SYS_setns, 3, .flags = kInChild | kNotLinux, .args = {pidfd_or_namespace, namespace_type}},
    {SYS_open_tree, 6, .flags = kNotLinux, .args = {fd_at, mount_point, tree_flags}, .gives = kMountFd},
    {SYS_move_mount, 6, .flags = kNotLinux, .prepare = draw_move},
    {SYS_fsopen, .flags = kNotLinux, .args = {file_system, cloexec}, .gives = kFsContext},
    {SYS_fsconfig, 10, .flags = kNotLinux, .prepare = draw_config},
    {SYS_fsmount, 6, .flags = kNotLinux, .prepare = draw_fsmount, .gives = kMountFd},
    {SYS_fspick, 2, .flags = kNotLinux, .args = {fd_at, mount_point, pick_flags}, .gives = kFsContext},
    {SYS_mount_setattr, .flags = kNotLinux, .prepare = draw_setattr},
    {SYS_read, 1, .args = {fd_context, buffer, extent}},
};

struct Rows mount_rows(void) {
  return ROWS(kRows);
}
