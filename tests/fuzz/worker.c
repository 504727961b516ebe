#include "worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "calls.h"
#include "world.h"

enum { kCallsOfChild = 24, kSpoilers = 1 };

struct Shared* g_shared;
struct Settings g_settings;
static atomic_int g_running;  // tasks of this worker that have calls to make

long raw_call(long number, const long* a) {
  long result;
  register long r10 __asm__("r10") = a[3];
  register long r8 __asm__("r8") = a[4];
  register long r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

// A seccomp filter may refuse the first way, a handler stand in the way of the last.
_Noreturn void end_task(long status) {
  for (;;) {
    raw3(SYS_exit, status, 0, 0);
    raw3(SYS_kill, raw3(SYS_getpid, 0, 0, 0), SIGKILL, 0);
    __asm__ volatile("ud2");
  }
}

static _Noreturn void end_process(long status) {
  raw3(SYS_exit_group, status, 0, 0);
  end_task(status);
}

// The new task comes to life with its own stack, on which its function and its argument lie.
long spawn(long flags, void (*entry)(struct Task*), struct Task* task) {
  long* top = (long*)task->stack_top;
  *--top = (long)task;
  *--top = (long)entry;
  long result;
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  __asm__ volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 1f\n"
      "xor %%ebp, %%ebp\n"
      "pop %%rax\n"
      "pop %%rdi\n"
      "call *%%rax\n"
      "ud2\n"
      "1:\n"
      : "=a"(result)
      : "a"(SYS_clone), "D"(flags), "S"(top), "d"(0), "r"(r10), "r"(r8)
      : "rcx", "r11", "memory");
  return result;
}

static struct Slot* claim_slot(void) {
  int tid = (int)raw3(SYS_gettid, 0, 0, 0);
  for (int i = 0; i < kSlots; i++) {
    int free = 0;
    if (atomic_compare_exchange_strong(&g_shared->slots[i].tid, &free, -1)) {
      atomic_store(&g_shared->slots[i].calls, 0);
      atomic_store(&g_shared->slots[i].number, -1);
      atomic_store(&g_shared->slots[i].tid, tid);
      return &g_shared->slots[i];
    }
  }
  return NULL;
}

static void free_slot(struct Task* task) {
  if (task->slot) atomic_store(&task->slot->tid, 0);
  task->slot = NULL;
}

static void on_signal(int signal) { (void)signal; }

// A fault while a call was put together ends that call; any other is this task's end.
static void on_fault(int signal, siginfo_t* info, void* context) {
  const ucontext_t* user = context;
  struct Task* task = task_of((unsigned long)user->uc_mcontext.gregs[REG_RSP]);
  (void)info;
  if (task->guarded) {
    task->guarded = false;
    __builtin_longjmp(task->resume, 1);
  }
  end_process(signal);
}

void open_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  static const int kCaught[] = {SIGUSR1, SIGUSR2, SIGALRM};
  for (size_t i = 0; i < COUNT(kCaught); i++) sigaction(kCaught[i], &action, NULL);
  sigaction(SIGSEGV, &fault, NULL);
  sigaction(SIGBUS, &fault, NULL);
  unsigned long none[2] = {0};
  raw_call(SYS_rt_sigprocmask, (long[kArguments]){SIG_SETMASK, (long)none, 0, 8});
}

// Most signals that a worker sends itself should not be its end.
static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  for (int signal = 1; signal < 65; signal++) {
    if (signal != SIGILL && signal != SIGFPE) sigaction(signal, &action, NULL);
  }
  open_signals();
}

static void count_error(struct Call* c) {
  uint64_t number = (uint64_t)c->number % kSyscalls;
  uint64_t error = (uint64_t)-c->result;
  if (c->row && c->row->flags & kNoReturn) atomic_fetch_sub(&g_shared->succeeded[number], 1);
  atomic_fetch_add(&g_shared->errors[number][error < kErrors ? error : 0], 1);
}

void perform(struct Call* c) {
  struct Task* task = c->task;
  uint64_t number = (uint64_t)c->number % kSyscalls;
  const struct Row* row = c->row;
  if (task->slot) {
    for (int i = 0; i < kArguments; i++) atomic_store(&task->slot->args[i], c->a[i]);
    atomic_store(&task->slot->number, c->number);
  }
  atomic_fetch_add(&g_shared->total, 1);
  atomic_fetch_add(&g_shared->made[number], 1);
  bool no_return = row && row->flags & kNoReturn;
  if (no_return) atomic_fetch_add(&g_shared->succeeded[number], 1);
  c->result = row && row->make ? row->make(c) : raw_call(c->number, c->a);
  if (task->slot) atomic_fetch_add(&task->slot->calls, 1);
  if (c->result < 0 && c->result > -4096) {
    count_error(c);
    return;
  }
  if (!no_return) atomic_fetch_add(&g_shared->succeeded[number], 1);
  if (!row) return;
  if (row->gives && (row->gives >= kFdKinds || c->result > 2)) keep(c, row->gives, c->result);
  if (row->after) row->after(c);
}

long fork_task(struct Call* c, uint64_t calls) {
  int busy = 0;
  for (int i = 0; i < kSlots; i++) busy += atomic_load(&g_shared->slots[i].tid) != 0;
  if (busy > kSlots - 8) return -1;
  struct Task* task = c->task;
  long pid = raw3(SYS_fork, 0, 0, 0);
  if (pid != 0) {
    if (pid > 1) keep(c, kPid, pid);
    return pid;
  }
  task->child = true;
  task->where = draw(c);
  task->calls = calls;
  task->slot = claim_slot();
  return 0;
}

static void draw_call(struct Call* c) {
  const struct Row* row = draw_row(c, g_settings.contained);
  c->row = row;
  c->number = row->number;
  c->task->used = below(c, 8) * 128;
  for (c->at = 0; c->at < kArguments; c->at++) {
    c->a[c->at] = row->args[c->at] ? row->args[c->at](c) : chance(c, 5) ? odd_number(c) : 0;
  }
  if (row->prepare) row->prepare(c);
}

// Any number at all, with arguments of any kind.
static void draw_wild_call(struct Call* c) {
  static Drawer* const kAny[] = {odd, fd_any, in_noise, out_256, small, bits, pid_other, area, buffer};
  c->row = NULL;
  do {
    c->number = chance(c, 95) ? (long)below(c, 470) : odd_number(c);
  } while (wild_excluded(c->number, g_settings.contained));
  for (c->at = 0; c->at < kArguments; c->at++) c->a[c->at] = kAny[below(c, COUNT(kAny))](c);
}

static void make_one(struct Task* task, uint64_t index) {
  struct Call call = {.task = task};
  struct Call* c = &call;
  seed_call(c, g_settings.seed, task->where, index);
  if (__builtin_setjmp(task->resume)) return;
  task->guarded = true;
  if (chance(c, 98)) {
    draw_call(c);
  } else {
    draw_wild_call(c);
  }
  if (c->row && c->row->flags & kInChild && !task->child) {
    long pid = fork_task(c, kCallsOfChild);
    if (pid != 0) {
      task->guarded = false;
      return;
    }
    perform(c);
    child_calls(task);
  }
  perform(c);
  task->guarded = false;
}

static void make_calls(struct Task* task) {
  for (uint64_t i = 0; i < task->calls; i++) {
    if (i % 64 == 0) open_signals();
    make_one(task, i);
    if (i % 32 == 31) {
      while (raw_call(SYS_wait4, (long[kArguments]){-1, 0, WNOHANG | __WALL, 0}) > 0) continue;
    }
  }
}

_Noreturn void child_calls(struct Task* task) {
  task->guarded = false;
  make_calls(task);
  free_slot(task);
  end_process(0);
}

static void calling_task(struct Task* task) {
  task->slot = claim_slot();
  make_calls(task);
  free_slot(task);
  atomic_fetch_sub(&g_running, 1);
  end_task(0);
}

static void spoiling_task(struct Task* task) {
  for (uint64_t i = 0;; i++) {
    struct Call c = {.task = task};
    seed_call(&c, g_settings.seed, task->where, i);
    if (!__builtin_setjmp(task->resume)) {
      task->guarded = true;
      spoil(&c);
    }
    task->guarded = false;
    long pause[2] = {0, 100000};
    raw3(SYS_nanosleep, (long)pause, 0, 0);
  }
}

// A process that only is there: to be traced, read, signalled, killed.
static void make_sleeper(void) {
  pid_t pid = fork();
  if (pid == 0) {
    for (int i = 1; i < 65; i++) signal(i, SIG_DFL);
    for (;;) pause();
  }
  if (pid > 0) keep_first(kPid, pid);
}

_Noreturn void work(uint64_t part) {
  // Tasks, whether they are threads or processes that share memory and files, and whether memory changes.
  static const struct Mix {
    int tasks;
    long flags;
    bool spoiled;
  } kMixes[] = {
      {1, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, false},
      {3, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, false},
      {2, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, true},
      {3, CLONE_VM | CLONE_FILES | SIGCHLD, true},
  };
  const struct Mix* mix = &kMixes[part % COUNT(kMixes)];
  const long kThread = kMixes[0].flags;
  clear_pools();
  make_memory();
  enter_world(g_settings.user, part % 8 == 1 || part % 8 == 4, g_settings.contained);
  catch_signals();
  for (int i = 0; i < 2; i++) make_sleeper();
  atomic_store(&g_running, mix->tasks);
  pid_t tasks[4] = {0};
  for (int i = 0; i < mix->tasks + (mix->spoiled ? kSpoilers : 0); i++) {
    struct Task* task = new_task((unsigned)i);
    task->where = part * 64 + (uint64_t)i;
    task->calls = g_settings.calls / (unsigned)mix->tasks;
    bool calls = i < mix->tasks;
    tasks[i] = (pid_t)spawn(calls ? mix->flags : kThread, calls ? calling_task : spoiling_task, task);
    if (tasks[i] < 0) _exit(1);
  }
  while (atomic_load(&g_running) > 0) {
    usleep(1000);
    for (int i = 0; i < mix->tasks && !(mix->flags & CLONE_THREAD); i++) {
      int status;
      if (tasks[i] > 0 && waitpid(tasks[i], &status, WNOHANG | __WALL) == tasks[i]) {
        if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) atomic_fetch_sub(&g_running, 1);
        tasks[i] = 0;
      }
    }
  }
  _exit(0);
}
