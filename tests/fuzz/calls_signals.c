// Signals: what is done with them, who gets them, what waits for them.
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "calls.h"
#include "memory.h"
#include "paths.h"
#include "signal_args.h"
#include "worker.h"

long signal_set(struct Call* c) {
  uint64_t luck = below(c, 10), some = draw(c);
  if (luck < 4) return 0;
  if (luck < 9) return (long)(1UL << (some % 64) | 1UL << (some >> 8) % 64);
  return (long)some;
}

long signal_mask(struct Call* c) {
  if (chance(c, 25)) return 0;
  char* at = room(c, 8);
  long set = signal_set(c);
  memcpy(at, &set, 8);
  return place(c, at);
}

long size_of_set(struct Call* c) { return chance(c, 97) ? 8 : odd_number(c); }
long signal_number(struct Call* c) { return chance(c, 95) ? (long)below(c, 66) : odd_number(c); }

long signal_info(struct Call* c) {
  static const long kCodes[] = {SI_QUEUE, SI_QUEUE, SI_QUEUE,  SI_MESGQ,
                                SI_TIMER, SI_USER,  SI_KERNEL, SI_TKILL};
  int words[32] = {0};
  words[0] = (int)signal_number(c);
  words[2] = (int)one_of(c, kCodes, COUNT(kCodes));
  words[4] = (int)pid_any(c);
  words[6] = (int)draw(c);
  char* at = room(c, 128);
  memcpy(at, words, 128);
  return place(c, at);
}

long signal_event(struct Call* c) {
  static const long kWays[] = {SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, 4};
  if (chance(c, 20)) return 0;
  struct sigevent event = {.sigev_signo = (int)below(c, 65),
                           .sigev_notify = (int)one_of(c, kWays, COUNT(kWays))};
  event.sigev_value.sival_ptr = room(c, 32);
  if (event.sigev_notify == SIGEV_THREAD) event.sigev_signo = (int)fd_netlink(c);
  int thread = (int)pid_any(c);
  memcpy((char*)&event + 16, &thread, 4);
  char* at = room(c, sizeof(event));
  memcpy(at, &event, sizeof(event));
  return place(c, at);
}

SOME_OF(action_flags, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_SIGINFO, SA_ONSTACK, SA_RESTART, SA_NODEFER,
        (long)(int)SA_RESETHAND)
ONE_OF(mask_how, SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK)

static void nothing(int signal) { (void)signal; }

__asm__(
    ".text\n"
    "fuzz_restorer:\n"
    "mov $15, %eax\n"
    "syscall\n");
extern void fuzz_restorer(void);

static long action(struct Call* c) {
  if (chance(c, 20)) return 0;
  long words[4] = {(long)nothing, 0x04000000 | action_flags(c), (long)fuzz_restorer, signal_set(c)};
  uint64_t luck = below(c, 20);
  if (luck < 3) words[0] = (long)SIG_IGN;
  if (luck == 4) words[0] = (long)SIG_DFL;
  if (luck == 5) words[1] = odd_number(c);
  if (luck == 6) words[2] = wild_pointer(c);
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  return place(c, at);
}

// A fault must find its handler.
static long action_number(struct Call* c) {
  long number = signal_number(c);
  return number == SIGSEGV || number == SIGBUS ? SIGUSR1 : number;
}

static long stack(struct Call* c) {
  if (chance(c, 20)) return 0;
  char* memory = room(c, 8192);
  stack_t new = {.ss_sp = memory, .ss_size = 8192};
  uint64_t luck = below(c, 10);
  if (luck < 4) new.ss_flags = SS_DISABLE;
  if (luck == 5) new.ss_flags = (int)odd_number(c);
  if (luck == 6) new.ss_size = (size_t)odd_number(c);
  char* at = room(c, sizeof(new));
  memcpy(at, &new, sizeof(new));
  return place(c, at);
}

// Deadly signals go to children only.
static long harmless_signal(struct Call* c) {
  long number = signal_number(c);
  bool deadly = number == SIGKILL || number == SIGSTOP || number == SIGSEGV || number == SIGBUS ||
                number == SIGILL || number == SIGFPE;
  return deadly && !chance(c, 3) ? SIGUSR1 : number;
}

static long any_target(struct Call* c) {
  long to = pid_any(c);
  return to == -1 ? 0 : to;
}

static struct Call* g_mutated;  // in a child, which has no other task

// Goes back to a context of which a word or two are changed.
static void mutate_context(int number, siginfo_t* info, void* context) {
  (void)number, (void)info;
  struct Call* c = g_mutated;
  ucontext_t* user = context;
  greg_t* registers = user->uc_mcontext.gregs;
  unsigned char* vectors = (unsigned char*)user->uc_mcontext.fpregs;
  for (uint64_t turns = below(c, 4); turns > 0; turns--) {
    uint64_t where = below(c, 100), bit = below(c, 64), offset = below(c, 1100);
    if (where < 20)
      registers[below(c, 23)] ^= (greg_t)(1UL << bit);
    else if (where < 30)
      registers[REG_EFL] ^= (greg_t)(1UL << bit % 22);
    else if (where < 40)
      registers[REG_CSGSFS] = (greg_t)draw(c);
    else if (where < 50)
      user->uc_flags ^= 1UL << bit % 8;
    else if (where < 55)
      user->uc_stack.ss_flags = (int)draw(c);
    else if (where < 60)
      user->uc_mcontext.fpregs = (fpregset_t)wild_pointer(c);
    else if (vectors)
      vectors[offset] = (unsigned char)draw(c);
  }
}

// The call itself is made by the handler's end.
static long make_sigreturn(struct Call* c) {
  struct sigaction handler = {.sa_sigaction = mutate_context, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &handler, NULL);
  g_mutated = c;
  raw3(SYS_tkill, raw3(SYS_gettid, 0, 0, 0), SIGUSR1, 0);
  open_signals();
  return 0;
}

// For a signal that has been blocked and sent, half the time.
static long make_wait(struct Call* c) {
  unsigned long set = 1UL << (SIGUSR2 - 1) | 1UL << (40 - 1);
  if (chance(c, 50)) {
    raw_call(SYS_rt_sigprocmask, (long[kArguments]){SIG_BLOCK, (long)&set, 0, 8});
    raw3(SYS_tkill, raw3(SYS_gettid, 0, 0, 0), chance(c, 50) ? SIGUSR2 : 40, 0);
    char* at = room(c, 8);
    memcpy(at, &set, 8);
    c->a[0] = (long)at;
  }
  return raw_call(c->number, c->a);
}

static long own_pid(struct Call* c) { return chance(c, 90) ? raw3(SYS_getpid, 0, 0, 0) : pid_any(c); }
static long own_tid(struct Call* c) { return chance(c, 80) ? raw3(SYS_gettid, 0, 0, 0) : pid_any(c); }

static const struct Row kRows[] = {
    {SYS_rt_sigaction, 6, .args = {action_number, action, out_64, size_of_set}},
    {SYS_rt_sigprocmask, .args = {mask_how, signal_mask, out_8, size_of_set}},
    {SYS_rt_sigpending, .args = {out_8, size_of_set}},
    {SYS_rt_sigtimedwait, .args = {signal_mask, out_256, time_value, size_of_set}, .make = make_wait},
    {SYS_rt_sigqueueinfo, .args = {any_target, harmless_signal, signal_info}},
    {SYS_rt_tgsigqueueinfo, .args = {own_pid, own_tid, harmless_signal, signal_info}},
    {SYS_rt_sigqueueinfo, .args = {pid_other, signal_number, signal_info}},
    {SYS_rt_sigsuspend, 1, .args = {signal_mask, size_of_set}},
    {SYS_rt_sigreturn, 2, .flags = kInChild, .make = make_sigreturn},
    {SYS_pause, 1},
    {SYS_sigaltstack, .args = {stack, out_64}},
    {SYS_kill, 2, .args = {pid_other, signal_number}},
    {SYS_kill, 3, .args = {any_target, harmless_signal}},
    {SYS_tkill, 2, .args = {pid_other, signal_number}},
    {SYS_tkill, 3, .args = {any_target, harmless_signal}},
    {SYS_tgkill, .args = {own_pid, own_tid, harmless_signal}},
};

struct Rows signal_rows(void) {
  return ROWS(kRows);
}
