// Who a task is: users, groups, capabilities, sessions, names, what prctl and arch_prctl set.
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/syscall.h>

#include "calls.h"
#include "filters.h"
#include "memory.h"
#include "paths.h"
#include "signal_args.h"

ONE_OF(personality_bits, 0xffffffff, 0, 0x0040000, 0x0400000, 0x0008, 0x4000000)
ONE_OF(capability_version, 0x19980330, 0x20071026, 0x20080522)

static long groups(struct Call* c) {
  unsigned list[16];
  for (int i = 0; i < 16; i++) list[i] = (unsigned)below(c, 70000);
  char* at = room(c, sizeof(list));
  memcpy(at, list, sizeof(list));
  return place(c, at);
}

static long capability_header(struct Call* c) {
  unsigned words[2] = {(unsigned)capability_version(c), (unsigned)pid_any(c)};
  if (chance(c, 70)) words[1] = 0;
  char* at = room(c, 8);
  memcpy(at, words, 8);
  return place(c, at);
}

static long capability_data(struct Call* c) {
  uint64_t effective = draw(c) & 0x1ffffffffffUL, permitted = effective | (draw(c) & 0x1ffffffffffUL),
           inheritable = 0;
  if (chance(c, 30)) inheritable = permitted & draw(c);
  if (chance(c, 30)) effective = permitted = 0xa80425fb;
  unsigned words[6] = {(unsigned)effective,         (unsigned)permitted,
                       (unsigned)inheritable,       (unsigned)(effective >> 32),
                       (unsigned)(permitted >> 32), (unsigned)(inheritable >> 32)};
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  return place(c, at);
}

static long host_name(struct Call* c) { return place(c, text(c, "some.name.of.a.host")); }
static long name_size(struct Call* c) { return chance(c, 90) ? (long)below(c, 20) : odd_number(c); }
static long one(struct Call* c) { return chance(c, 80) ? (long)below(c, 2) : odd_number(c); }
static long capability(struct Call* c) { return chance(c, 95) ? (long)below(c, 41) : odd_number(c); }
static long ambient(struct Call* c) { return 1 + (long)below(c, 4); }
static long secure_bits(struct Call* c) { return chance(c, 90) ? (long)below(c, 256) : odd_number(c); }
static long mm_field(struct Call* c) { return 1 + (long)below(c, 15); }
static long task_name(struct Call* c) { return place(c, text(c, "a name that is too long")); }

static const struct Prctl {
  long option;
  Drawer *second, *third;
} kPrctl[] = {
    {PR_SET_PDEATHSIG, signal_number, zero},
    {PR_GET_PDEATHSIG, out_8, zero},
    {PR_GET_DUMPABLE, zero, zero},
    {PR_SET_DUMPABLE, one, zero},
    {PR_GET_KEEPCAPS, zero, zero},
    {PR_SET_KEEPCAPS, one, zero},
    {PR_SET_NAME, task_name, zero},
    {PR_GET_NAME, out_64, zero},
    {PR_GET_SECCOMP, zero, zero},
    {PR_SET_SECCOMP, one, filter_program},
    {PR_CAPBSET_READ, capability, zero},
    {PR_CAPBSET_DROP, capability, zero},
    {PR_GET_TSC, out_8, zero},
    {PR_GET_SECUREBITS, zero, zero},
    {PR_SET_SECUREBITS, secure_bits, zero},
    {PR_SET_TIMERSLACK, small, zero},
    {PR_GET_TIMERSLACK, zero, zero},
    {PR_MCE_KILL, small, small},
    {PR_MCE_KILL_GET, zero, zero},
    {PR_SET_MM, mm_field, area},
    {PR_SET_PTRACER, pid_any, zero},
    {PR_SET_CHILD_SUBREAPER, one, zero},
    {PR_GET_CHILD_SUBREAPER, out_8, zero},
    {PR_SET_NO_NEW_PRIVS, one, zero},
    {PR_GET_NO_NEW_PRIVS, zero, zero},
    {PR_GET_TID_ADDRESS, out_8, zero},
    {PR_SET_THP_DISABLE, one, zero},
    {PR_GET_THP_DISABLE, zero, zero},
    {PR_CAP_AMBIENT, ambient, capability},
    {PR_GET_SPECULATION_CTRL, small, zero},
    {PR_SET_SPECULATION_CTRL, small, small},
    {PR_SET_IO_FLUSHER, one, zero},
    {0x53564d41, zero, area},  // PR_SET_VMA
    {PR_GET_UNALIGN, out_8, zero},
    {PR_GET_ENDIAN, out_8, zero},
    {PR_SET_TIMING, zero, zero},
    {62, small, pid_any},  // PR_SCHED_CORE
};

static void draw_prctl(struct Call* c) {
  const struct Prctl* one_of_them = &kPrctl[below(c, COUNT(kPrctl))];
  c->a[0] = chance(c, 97) ? one_of_them->option : odd_number(c);
  c->a[1] = one_of_them->second(c);
  c->a[2] = one_of_them->third(c);
  for (int i = 3; i < 5; i++) c->a[i] = zero(c);
}

static void draw_arch_prctl(struct Call* c) {
  static const long kCodes[] = {ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS, 0x1011,
                                0x1012,      0x1021,      0x1022,      0x1024};
  c->a[0] = one_of(c, kCodes, COUNT(kCodes));
  bool sets = c->a[0] == ARCH_SET_GS || c->a[0] == ARCH_SET_FS;
  c->a[1] = sets ? (chance(c, 50) ? area(c) : wild_pointer(c)) : chance(c, 80) ? out_8(c) : small(c);
}

static const struct Row kRows[] = {
    {SYS_getpid, 1},
    {SYS_gettid, 1},
    {SYS_getppid, 1},
    {SYS_getuid, 1},
    {SYS_geteuid, 1},
    {SYS_getgid, 1},
    {SYS_getegid, 1},
    {SYS_getpgrp, 1},
    {SYS_setuid, 1, .flags = kInChild, .args = {owner}},
    {SYS_setgid, 1, .flags = kInChild, .args = {owner}},
    {SYS_setreuid, 1, .flags = kInChild, .args = {owner, owner}},
    {SYS_setregid, 1, .flags = kInChild, .args = {owner, owner}},
    {SYS_setresuid, 1, .flags = kInChild, .args = {owner, owner, owner}},
    {SYS_setresgid, 1, .flags = kInChild, .args = {owner, owner, owner}},
    {SYS_getresuid, 1, .args = {out_8, out_8, out_8}},
    {SYS_getresgid, 1, .args = {out_8, out_8, out_8}},
    {SYS_setfsuid, 1, .flags = kInChild, .args = {owner}},
    {SYS_setfsgid, 1, .flags = kInChild, .args = {owner}},
    {SYS_getgroups, 1, .args = {count_16, groups}},
    {SYS_setgroups, 1, .flags = kInChild, .args = {count_16, groups}},
    {SYS_setpgid, 2, .args = {pid_other, pid_any}},
    {SYS_getpgid, 1, .args = {pid_any}},
    {SYS_getsid, 1, .args = {pid_any}},
    {SYS_setsid, 1, .flags = kInChild},
    {SYS_capget, 2, .args = {capability_header, out_64}},
    {SYS_capset, 2, .flags = kInChild, .args = {capability_header, capability_data}},
    {SYS_personality, 1, .flags = kInChild, .args = {personality_bits}},
    {SYS_uname, 1, .args = {out_4k}},
    {SYS_sysinfo, 1, .args = {out_256}},
    {SYS_sethostname, 2, .args = {host_name, name_size}},
    {SYS_setdomainname, 2, .args = {host_name, name_size}},
    {SYS_prctl, 3, .flags = kInChild, .prepare = draw_prctl},
    {SYS_arch_prctl, 2, .flags = kInChild, .prepare = draw_arch_prctl},
};

struct Rows identity_rows(void) {
  return ROWS(kRows);
}
