// Tasks: making and ending them, waiting for them, running programs, scheduling, futexes, looking into
// others.
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "calls.h"
#include "filters.h"
#include "memory.h"
#include "paths.h"
#include "signal_args.h"
#include "worker.h"

SOME_OF(namespace_flags, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET,
        CLONE_NEWCGROUP)
SOME_OF(clone_flags, CLONE_PARENT_SETTID, CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID, CLONE_FS, CLONE_FILES,
        CLONE_SYSVSEM, CLONE_IO, CLONE_PTRACE, CLONE_UNTRACED, CLONE_PARENT, CLONE_PIDFD, CLONE_SETTLS,
        CLONE_VM | CLONE_VFORK)
ONE_OF(clone_sharing, 0, 0, CLONE_VM, CLONE_VM | CLONE_SIGHAND, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD,
       CLONE_VM | CLONE_FILES)
SOME_OF(wait_options, WNOHANG, WUNTRACED, WCONTINUED, __WALL, __WCLONE, __WNOTHREAD)
SOME_OF(waitid_options, WEXITED, WSTOPPED, WCONTINUED, WNOWAIT, WEXITED | WSTOPPED, __WALL)
ONE_OF(id_type, P_ALL, P_PID, P_PGID, 3)
SOME_OF(exec_flags, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW)
ONE_OF(policy, 0, 0, 1, 2, 3, 5, 6, 0x40000000)
ONE_OF(priority_of, PRIO_PROCESS, PRIO_PGRP, PRIO_USER)
ONE_OF(limit_number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
ONE_OF(usage_of, 0, 1, -1)
ONE_OF(kcmp_type, 0, 1, 2, 3, 4, 5, 6, 7)
ONE_OF(barrier, 0, 1, 2, 4, 8, 16, 32, 64, 128)
SOME_OF(random_flags, 1, 2, 4)
SOME_OF(pidfd_flags, O_NONBLOCK)

// A new task ends at once, whatever it shares and wherever its stack is.
static long make_short_task(struct Call* c) {
  long result;
  register long r10 __asm__("r10") = c->a[3];
  register long r8 __asm__("r8") = c->a[4];
  __asm__ volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 1f\n"
      "xor %%edi, %%edi\n"
      "mov $60, %%eax\n"
      "syscall\n"
      "ud2\n"
      "1:\n"
      : "=a"(result)
      : "a"(c->number), "D"(c->a[0]), "S"(c->a[1]), "d"(c->a[2]), "r"(r10), "r"(r8)
      : "rcx", "r11", "memory");
  return result;
}

// The machine that we stand on is not asked for namespaces: root in one may do what we are not to do.
static long some_namespaces(struct Call* c) {
  long flags = namespace_flags(c);
  return g_settings.contained ? 0 : flags;
}

static void draw_clone(struct Call* c) {
  long flags = clone_flags(c) | clone_sharing(c);
  if (chance(c, 15)) flags |= some_namespaces(c);
  if (flags & CLONE_THREAD) flags &= ~(CLONE_PIDFD | CLONE_VFORK);
  if (g_settings.contained) flags &= ~0x7e020000L;
  c->a[0] = (flags & ~0xffL) | (flags & CLONE_THREAD || chance(c, 20) ? 0
                                : chance(c, 90)                       ? SIGCHLD
                                                                      : signal_number(c) & 0x7f);
  c->a[1] = chance(c, 50) ? 0 : (long)(room(c, 2048) + 2048);
  c->a[2] = out_8(c);
  c->a[3] = out_8(c);
  c->a[4] = wild_pointer(c);
}

static void draw_clone3(struct Call* c) {
  struct clone_args args = {.flags = (uint64_t)((clone_flags(c) | clone_sharing(c)) & ~0xffL)};
  if (chance(c, 15)) args.flags |= (uint64_t)some_namespaces(c);
  if (chance(c, 10)) args.flags |= CLONE_CLEAR_SIGHAND;
  if (chance(c, 3)) args.flags |= CLONE_INTO_CGROUP;
  if (args.flags & CLONE_THREAD) args.flags &= ~(uint64_t)(CLONE_VFORK | CLONE_PARENT);
  if (g_settings.contained) args.flags &= ~0x7e020000UL;
  if (!(args.flags & (CLONE_THREAD | CLONE_PARENT))) args.exit_signal = SIGCHLD;
  args.pidfd = (uint64_t)out_8(c);
  args.child_tid = (uint64_t)out_8(c);
  args.parent_tid = (uint64_t)out_8(c);
  args.tls = (uint64_t)wild_pointer(c) & 0x7fffffffffff;
  if (chance(c, 50)) {
    args.stack_size = 2048;
    args.stack = (uint64_t)room(c, 2048);
  }
  if (chance(c, 10)) {
    args.set_tid_size = below(c, 3);
    args.set_tid = (uint64_t)in_noise(c);
  }
  char* at = room(c, sizeof(args) + 16);
  memcpy(at, &args, sizeof(args));
  c->a[0] = place(c, at);
  c->a[1] = chance(c, 90) ? (long)sizeof(args) : chance(c, 50) ? 64 : 80;
}

// It may be a short-lived process already gone: a number that was one.
static void keep_task(struct Call* c) {
  int pidfd;
  bool classic = c->number == SYS_clone;
  if (c->result > 1) keep(c, kPid, c->result);
  if (classic && c->a[0] & CLONE_PIDFD && peek(&pidfd, c->a[2], 4) && pidfd > 2) keep(c, kPidfd, pidfd);
}

// A copy that makes calls of its own. Task blocks are copies too, so both go on alike.
static long make_fork(struct Call* c) {
  if (c->task->child) return make_short_task(c);
  long pid = fork_task(c, 24);
  if (pid == 0) child_calls(c->task);
  return pid == -1 ? -11 : pid;
}

static long arguments(struct Call* c) {
  long words[6] = {(long)text(c, "fuzz"), (long)text(c, "--idle")};
  if (chance(c, 40)) words[2] = place(c, room(c, below(c, 3000)));
  if (chance(c, 5)) words[1] = wild_pointer(c);
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  return place(c, at);
}

static long environment(struct Call* c) {
  long words[4] = {0};
  uint64_t count = below(c, 4);
  for (uint64_t i = 0; i < count; i++) words[i] = (long)text(c, "NAME=value");
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  return chance(c, 10) ? 0 : place(c, at);
}

// A second thread of a child sees its process replaced or ended.
static void other_thread(struct Task* task) {
  task->guarded = false;
  for (uint64_t i = 0; i < 64; i++) raw3(SYS_sched_yield, 0, 0, 0);
  end_task(0);
}

static long make_with_thread(struct Call* c) {
  if (c->task->child && chance(c, 30)) {
    struct Task* other = new_task(kBlocks - 1);
    spawn(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, other_thread,
          other);
  }
  return raw_call(c->number, c->a);
}

static long exit_status(struct Call* c) { return odd_number(c); }

static long scheduling_parameter(struct Call* c) {
  char* at = room(c, 8);
  int value = chance(c, 60) ? 0 : (int)below(c, 120);
  memcpy(at, &value, 4);
  return place(c, at);
}

static long cpu_set(struct Call* c) {
  char* at = room(c, 128);
  uint64_t set = chance(c, 90) ? 1 + below(c, 3) : draw(c);
  memcpy(at, &set, 8);
  return place(c, at);
}

static long cpu_set_size(struct Call* c) { return chance(c, 90) ? 8L << below(c, 5) : odd_number(c); }

static long scheduling_attributes(struct Call* c) {
  struct {
    unsigned size, policy;
    uint64_t flags;
    int nice;
    unsigned priority;
    uint64_t runtime, deadline, period;
    unsigned util_min, util_max;
  } attributes = {.size = 48, .policy = (unsigned)policy(c), .nice = (int)below(c, 45) - 22};
  if (attributes.policy == 1 || attributes.policy == 2) attributes.priority = (unsigned)below(c, 101);
  if (attributes.policy == 6)
    attributes.runtime = attributes.deadline = attributes.period = below(c, 3) * 5000000;
  if (chance(c, 10)) attributes.flags = below(c, 128);
  if (chance(c, 10)) attributes.size = (unsigned)odd_number(c);
  char* at = room(c, 64);
  memcpy(at, &attributes, 56);
  return place(c, at);
}

static long attributes_size(struct Call* c) {
  return chance(c, 90) ? 48 + (long)below(c, 2) * 8 : odd_number(c);
}

static long limits(struct Call* c) {
  if (chance(c, 20)) return 0;
  uint64_t both[2] = {below(c, 1 << 20), 1 << 20};
  if (chance(c, 20)) both[below(c, 2)] = ~0UL;
  char* at = room(c, 16);
  memcpy(at, both, 16);
  return place(c, at);
}

static long nice_value(struct Call* c) { return (long)below(c, 50) - 25; }

static long futex_word(struct Call* c) {
  if (chance(c, 60)) return (long)c->task->data + (long)below(c, 16) * 4;
  return chance(c, 70) ? (long)g_shifting + (long)below(c, 64) * 4 : out_8(c);
}

static long futex_choices(struct Call* c) {
  struct {
    uint64_t value, address;
    unsigned flags, reserved;
  } choices[8];
  for (size_t i = 0; i < COUNT(choices); i++) {
    choices[i].value = below(c, 3), choices[i].address = (uint64_t)futex_word(c);
    choices[i].flags = 2 | (chance(c, 60) ? FUTEX_PRIVATE_FLAG : 0);
    choices[i].reserved = chance(c, 5);
    if (chance(c, 5)) choices[i].flags = (unsigned)odd_number(c);
  }
  char* at = room(c, sizeof(choices));
  memcpy(at, choices, sizeof(choices));
  return place(c, at);
}

static long choice_count(struct Call* c) { return chance(c, 90) ? (long)below(c, 9) : odd_number(c); }
static long choice_clock(struct Call* c) { return (long)below(c, 3); }

static void draw_futex(struct Call* c) {
  static const long kOperations[] = {FUTEX_WAIT,
                                     FUTEX_WAKE,
                                     FUTEX_REQUEUE,
                                     FUTEX_CMP_REQUEUE,
                                     FUTEX_WAKE_OP,
                                     FUTEX_LOCK_PI,
                                     FUTEX_UNLOCK_PI,
                                     FUTEX_TRYLOCK_PI,
                                     FUTEX_WAIT_BITSET,
                                     FUTEX_WAKE_BITSET,
                                     FUTEX_WAIT_REQUEUE_PI,
                                     FUTEX_CMP_REQUEUE_PI,
                                     FUTEX_LOCK_PI2,
                                     FUTEX_WAKE,
                                     FUTEX_FD};
  long operation = kOperations[below(c, COUNT(kOperations))];
  bool waits = operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET || operation == FUTEX_LOCK_PI ||
               operation == FUTEX_WAIT_REQUEUE_PI || operation == FUTEX_LOCK_PI2;
  c->a[0] = futex_word(c);
  c->a[1] = operation | (chance(c, 60) ? FUTEX_PRIVATE_FLAG : 0) | (chance(c, 10) ? FUTEX_CLOCK_REALTIME : 0);
  c->a[2] = chance(c, 70) ? (long)below(c, 3) : odd_number(c);
  c->a[3] = waits ? time_value(c) : (long)below(c, 4);
  c->a[4] = futex_word(c);
  c->a[5] = operation == FUTEX_WAKE_OP ? (long)(draw(c) & 0xf7ffffff)
            : chance(c, 80)            ? (long)below(c, 3)
                                       : -1;
}

static long robust_list(struct Call* c) {
  char* list = room(c, 64);
  long words[6] = {(long)list, -24, 0, (long)list, 0, 0};
  if (chance(c, 30)) words[below(c, 3)] = wild_pointer(c);
  if (chance(c, 40)) {
    words[0] = (long)(list + 24);  // one lock, held by who ends
    words[5] = raw3(SYS_gettid, 0, 0, 0);
  }
  memcpy(list, words, sizeof(words));
  return place(c, list);
}

static long robust_size(struct Call* c) { return chance(c, 90) ? 24 : odd_number(c); }

// Where sleepers, copies of ourselves, have the same.
static long remote_iovec(struct Call* c) { return iovec(c); }

static long rseq_area(struct Call* c) {
  char* at = room(c, 64);
  at = (char*)(((long)at + 31) & -32L);
  return place(c, at);
}

static long rseq_size(struct Call* c) { return chance(c, 90) ? 32 : odd_number(c); }
SOME_OF(rseq_flags, 1)
static long rseq_signature(struct Call* c) { return chance(c, 90) ? 0x53053053 : odd_number(c); }
// A pidfd may be our own.
static long signal_to_send(struct Call* c) {
  static const long kHarmless[] = {0, SIGUSR1, SIGUSR2, SIGCHLD, SIGCONT, SIGWINCH, 34, 64};
  return one_of(c, kHarmless, COUNT(kHarmless));
}

static long info_or_none(struct Call* c) { return chance(c, 70) ? 0 : signal_info(c); }
static long seconds_fd(struct Call* c) { return (long)below(c, 40); }

static const struct Row kRows[] = {
    {SYS_sched_yield, 2},
    {SYS_clone, 5, .prepare = draw_clone, .make = make_short_task, .after = keep_task},
    {SYS_clone3, 5, .prepare = draw_clone3, .make = make_short_task, .after = keep_task},
    {SYS_fork, 1, .make = make_fork, .after = keep_task},
    {SYS_vfork, 1, .make = make_short_task, .after = keep_task},
    {SYS_execve, 1, .flags = kInChild | kNoReturn, .args = {path_exec, arguments, environment},
     .make = make_with_thread},
    {SYS_execveat, 1, .flags = kInChild | kNoReturn,
     .args = {fd_at, path_exec, arguments, environment, exec_flags}, .make = make_with_thread},
    {SYS_exit, 1, .flags = kInChild | kNoReturn, .args = {exit_status}},
    {SYS_exit_group, 1, .flags = kInChild | kNoReturn, .args = {exit_status}, .make = make_with_thread},
    {SYS_wait4, 6, .args = {pid_other, out_8, wait_options, out_256}},
    {SYS_waitid, 6, .args = {id_type, pid_other, out_256, waitid_options, out_256}},
    {SYS_waitid, 2, .args = {id_type, fd_pidfd, out_256, waitid_options, out_256}},
    {SYS_sched_setparam, 2, .args = {pid_any, scheduling_parameter}},
    {SYS_sched_getparam, 2, .args = {pid_any, out_8}},
    {SYS_sched_setscheduler, 2, .args = {pid_any, policy, scheduling_parameter}},
    {SYS_sched_getscheduler, 2, .args = {pid_any}},
    {SYS_sched_get_priority_max, 1, .args = {policy}},
    {SYS_sched_get_priority_min, 1, .args = {policy}},
    {SYS_sched_rr_get_interval, 2, .args = {pid_any, out_64}},
    {SYS_sched_setaffinity, 2, .args = {pid_any, cpu_set_size, cpu_set}},
    {SYS_sched_getaffinity, 2, .args = {pid_any, cpu_set_size, out_256}},
    {SYS_sched_setattr, 3, .args = {pid_any, scheduling_attributes, zero}},
    {SYS_sched_getattr, 2, .args = {pid_any, out_64, attributes_size, zero}},
    {SYS_getpriority, 2, .args = {priority_of, pid_any}},
    {SYS_setpriority, 2, .args = {priority_of, pid_any, nice_value}},
    {SYS_getrlimit, 2, .args = {limit_number, out_64}},
    {SYS_setrlimit, 2, .flags = kInChild, .args = {limit_number, limits}},
    {SYS_prlimit64, 3, .args = {pid_other, limit_number, limits, out_64}},
    {SYS_getrusage, 2, .args = {usage_of, out_256}},
    {SYS_set_tid_address, 1, .flags = kInChild, .args = {out_8}},
    {SYS_futex, 14, .prepare = draw_futex},
    {SYS_futex_waitv, 4, .args = {futex_choices, choice_count, zero, time_value, choice_clock}},
    {SYS_set_robust_list, 2, .flags = kInChild, .args = {robust_list, robust_size}},
    {SYS_get_robust_list, 2, .args = {pid_any, out_8, out_8}},
    {SYS_getcpu, 1, .args = {out_8, out_8, zero}},
    {SYS_process_vm_readv, 3, .args = {pid_any, iovec, count_16, remote_iovec, extent, zero}},
    {SYS_process_vm_writev, 3, .args = {pid_other, iovec, count_16, remote_iovec, extent, zero}},
    {SYS_kcmp, 3, .args = {pid_any, pid_any, kcmp_type, fd_any, fd_any}},
    {SYS_membarrier, 2, .args = {barrier, zero, zero}},
    {SYS_rseq, 2, .flags = kInChild, .args = {rseq_area, rseq_size, rseq_flags, rseq_signature}},
    {SYS_seccomp, 3, .flags = kInChild, .prepare = draw_seccomp},
    {SYS_getrandom, 2, .args = {buffer, extent, random_flags}},
    {SYS_pidfd_open, 3, .args = {pid_other, pidfd_flags}, .gives = kPidfd},
    {SYS_pidfd_send_signal, 3, .args = {fd_pidfd, signal_to_send, info_or_none, zero}},
    {SYS_pidfd_getfd, 3, .args = {fd_pidfd, seconds_fd, zero}, .gives = kFile},
};

struct Rows task_rows(void) {
  return ROWS(kRows);
}
