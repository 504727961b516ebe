#include "paths.h"

#include <fcntl.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "memory.h"
#include "pools.h"

static const char* const kOwn[] = {"f",    "d",   "d/x",   "d/y", "d/y/z", "l",    "loop",
                                   "fifo", "new", "d/new", "m",   "s",     "d/y/n"};
static const char* const kOdd[] = {".",  "..",    "",    "/",   "d/",     "f/x", "../../..",
                                   "//", "./f/.", "m/a", "m/b", "d/../f", "l/",  "d/y/../../l"};
static const char* const kSystem[] = {"/proc/self/maps",
                                      "/proc/self/fd/5",
                                      "/proc/self/fd/8",
                                      "/proc/self/mem",
                                      "/proc/self/status",
                                      "/proc/self/exe",
                                      "/proc/self/fd",
                                      "/proc/self/fdinfo/6",
                                      "/proc/self/task",
                                      "/proc/self/root",
                                      "/proc/self/cwd/f",
                                      "/proc/self/stat",
                                      "/proc/self/smaps",
                                      "/proc/self/mountinfo",
                                      "/proc/self/oom_score_adj",
                                      "/proc/self/comm",
                                      "/proc/self/auxv",
                                      "/proc/self/pagemap",
                                      "/proc/self/uid_map",
                                      "/proc/self/gid_map",
                                      "/proc/self/setgroups",
                                      "/proc/self/ns/user",
                                      "/proc/self/ns/mnt",
                                      "/proc/self/ns/uts",
                                      "/proc/self/limits",
                                      "/proc/self/syscall",
                                      "/proc/self/timers",
                                      "/proc/self/timerslack_ns",
                                      "/proc/self/net/tcp",
                                      "/proc/self/net/unix",
                                      "/proc/thread-self/children",
                                      "/proc/meminfo",
                                      "/proc/stat",
                                      "/proc/uptime",
                                      "/proc/loadavg",
                                      "/proc/sysvipc/shm",
                                      "/proc/sysvipc/msg",
                                      "/proc/sysvipc/sem",
                                      "/proc/sys/kernel/osrelease",
                                      "/proc/sys/kernel/hostname",
                                      "/proc/sys/kernel/shmmax",
                                      "/proc/sys/kernel/ns_last_pid",
                                      "/proc/sys/net/ipv4/ip_forward",
                                      "/proc/sys/fs/mqueue/msg_max",
                                      "/dev/null",
                                      "/dev/zero",
                                      "/dev/full",
                                      "/dev/urandom",
                                      "/dev/ptmx",
                                      "/dev/tty",
                                      "/dev/shm",
                                      "/dev/shm/a",
                                      "/dev/mqueue/q",
                                      "/dev/fd/7",
                                      "/tmp",
                                      "/sys",
                                      "/sys/fs/cgroup",
                                      "/sys/fs/cgroup/cgroup.procs",
                                      "/sys/class/net/lo/mtu"};

// Long, or without an end.
static char* long_path(struct Call* c) {
  size_t size = 4090 + below(c, 12);
  char* at = room(c, size);
  memset(at, chance(c, 50) ? '/' : 'a', size);
  if (chance(c, 70)) at[size - 1] = 0;
  return at;
}

long path(struct Call* c) {
  uint64_t luck = below(c, 100);
  if (luck < 65) return place(c, text(c, kOwn[below(c, COUNT(kOwn))]));
  if (luck < 75) return place(c, text(c, kOdd[below(c, COUNT(kOdd))]));
  if (luck < 97) return place(c, text(c, kSystem[below(c, COUNT(kSystem))]));
  if (luck < 98) return (long)long_path(c);
  char* at = room(c, 24);
  noise(c, at, 16);
  return (long)at;
}

long path_new(struct Call* c) {
  static const char* const kNew[] = {"new", "d/new", "d/y/z", "d/y/n", "m/a", "m/b", "n2", "n3", "d/n4"};
  return chance(c, 80) ? place(c, text(c, kNew[below(c, COUNT(kNew))])) : path(c);
}

long path_dir(struct Call* c) {
  static const char* const kDirs[] = {"d", "d/y", "m", ".", "new", "d/new", "n2"};
  return chance(c, 85) ? place(c, text(c, kDirs[below(c, COUNT(kDirs))])) : path(c);
}

long path_exec(struct Call* c) {
  static const char* const kPrograms[] = {
      "/proc/self/exe", "/proc/self/exe", "s", "/bin/true", "l", "f", "d"};
  return chance(c, 94) ? place(c, text(c, kPrograms[below(c, COUNT(kPrograms))])) : path(c);
}

long mode(struct Call* c) {
  uint64_t luck = below(c, 10);
  long some = (long)below(c, 010000);
  return luck < 6 ? 0777 : luck < 9 ? some : odd_number(c);
}

SOME_OF(more_open_flags, O_CREAT, O_CREAT | O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC,
        O_PATH, O_NOATIME, O_SYNC, O_DSYNC, O_DIRECT, O_NOCTTY, O_TMPFILE, O_ASYNC, O_CREAT, O_CREAT)

// A name may be a pipe or a terminal: never without O_NONBLOCK, or everything waits.
long open_flags(struct Call* c) { return more_open_flags(c) | (long)below(c, 3) | O_NONBLOCK; }

SOME_OF(some_at_flags, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH)
long at_flags(struct Call* c) { return some_at_flags(c); }

long owner(struct Call* c) {
  uint64_t luck = below(c, 4), some = below(c, 70000);
  return luck == 0 ? kUser : luck == 1 ? -1 : luck == 2 ? 0 : (long)some;
}

long device(struct Call* c) {
  static const long kDevices[] = {0x103, 0x105, 0x500, 0x800, 0};
  return one_of(c, kDevices, COUNT(kDevices));
}

long times(struct Call* c) {
  if (chance(c, 20)) return 0;
  struct timespec both[2] = {{(time_t)below(c, 2000000000), (long)below(c, 1000000)}};
  static const long kSpecial[] = {UTIME_NOW, UTIME_OMIT, 5, 999999, 1000000000};
  both[1].tv_nsec = one_of(c, kSpecial, COUNT(kSpecial));
  if (chance(c, 10)) both[0].tv_sec = odd_number(c);
  char* at = room(c, sizeof(both));
  memcpy(at, both, sizeof(both));
  return place(c, at);
}

// A short while or none, as timespec or timeval.
long time_value(struct Call* c) {
  long words[2] = {0, (long)below(c, 3000)};
  uint64_t luck = below(c, 12);
  if (luck == 0) words[below(c, 2)] = odd_number(c);
  if (luck == 1) words[1] = 0;
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  return place(c, at);
}

// When a timer ends for the first time, and then every few milliseconds: shorter ones leave no time for
// anything else.
static long timer_of(struct Call* c, long millisecond) {
  long words[4] = {0, 0, 0, (long)below(c, 3000)};
  if (chance(c, 40)) words[1] = (1 + (long)below(c, 5)) * millisecond;
  if (chance(c, 5)) words[below(c, 4)] = odd_number(c);
  if (chance(c, 20)) words[3] = 0;
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  return place(c, at);
}

long timer_value(struct Call* c) { return timer_of(c, 1000000); }
long timer_value_us(struct Call* c) { return timer_of(c, 1000); }

long time_pointer(struct Call* c) { return chance(c, 10) ? 0 : time_value(c); }

long xattr_name(struct Call* c) {
  static const char* const kNames[] = {"user.a",
                                       "user.b",
                                       "user.b",
                                       "user.",
                                       "trusted.a",
                                       "trusted.a",
                                       "trusted.b",
                                       "security.capability",
                                       "security.selinux",
                                       "system.posix_acl_access",
                                       "system.posix_acl_access",
                                       "system.posix_acl_default",
                                       "system.other",
                                       "nothing",
                                       ""};
  if (chance(c, 2)) return (long)long_path(c);
  return place(c, text(c, kNames[below(c, COUNT(kNames))]));
}

// Plain bytes, an access control list, a capability set.
long xattr_value(struct Call* c) {
  char* at = room(c, 64);
  uint64_t luck = below(c, 4);
  size_t size = below(c, 64);
  if (luck == 0) {
    noise(c, at, 64);
  } else if (luck < 3) {
    static const unsigned short kTags[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20};
    unsigned version = 2, id = 1000, entries = 0;
    memcpy(at, &version, 4);
    for (unsigned i = 0; i < 6; i++) {
      bool minimal =
          kTags[i] == 0x01 || kTags[i] == 0x04 || kTags[i] == 0x20 || (luck == 2 && kTags[i] == 0x10);
      if (!minimal && luck == 1) continue;
      unsigned short entry[2] = {chance(c, 95) ? kTags[i] : (unsigned short)draw(c),
                                 (unsigned short)below(c, 8)};
      memcpy(at + 4 + entries * 8, entry, 4);
      memcpy(at + 8 + entries * 8, &id, 4);
      entries++;
    }
    size = 4 + entries * 8;
  } else {
    unsigned words[6] = {chance(c, 50) ? 0x02000001 : 0x03000000, (unsigned)below(c, 64), 0, 0, 0, 0};
    memcpy(at, words, sizeof(words));
    size = chance(c, 50) ? 20 : 24;
  }
  c->extent = (long)size;
  return place(c, at);
}

ONE_OF(some_xattr_flags, 0, 0, XATTR_CREATE, XATTR_REPLACE)
long xattr_flags(struct Call* c) { return some_xattr_flags(c); }
