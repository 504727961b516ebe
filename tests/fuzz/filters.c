#include "filters.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "memory.h"

enum { kLongest = 24 };

static struct sock_filter instruction(struct Call* c, unsigned left, bool seccomp) {
  static const unsigned short kAlu[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND,
                                        BPF_LSH, BPF_RSH, BPF_NEG, BPF_MOD, BPF_XOR};
  static const unsigned short kJump[] = {BPF_JA, BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
  static const unsigned short kLoad[] = {BPF_LD | BPF_W | BPF_ABS,  BPF_LD | BPF_H | BPF_ABS,
                                         BPF_LD | BPF_B | BPF_ABS,  BPF_LD | BPF_W | BPF_IND,
                                         BPF_LD | BPF_W | BPF_LEN,  BPF_LDX | BPF_W | BPF_LEN,
                                         BPF_LDX | BPF_B | BPF_MSH, BPF_LD | BPF_B | BPF_IND};
  struct sock_filter one = {.k = (unsigned)below(c, 16)};
  uint64_t luck = below(c, 8), source = below(c, 2) ? BPF_X : BPF_K;
  if (luck < 2) {
    one.code = seccomp && chance(c, 95) ? BPF_LD | BPF_W | BPF_ABS : kLoad[below(c, COUNT(kLoad))];
    one.k *= chance(c, 95) ? 4 : 1;
    if (!seccomp && chance(c, 10)) one.k = 0xfffff000 + (unsigned)below(c, 64);
  } else if (luck < 4) {
    one.code = (unsigned short)(BPF_ALU | kAlu[below(c, COUNT(kAlu))] | source);
    one.k++;
  } else if (luck == 4) {
    one.code = chance(c, 50) ? BPF_ST : BPF_STX;
  } else if (luck == 5) {
    one.code = (unsigned short)((chance(c, 50) ? BPF_LD : BPF_LDX) | (chance(c, 50) ? BPF_IMM : BPF_MEM));
  } else if (luck == 6) {
    one.code = (unsigned short)(BPF_MISC | (chance(c, 50) ? BPF_TAX : BPF_TXA));
  } else {
    one.code = (unsigned short)(BPF_JMP | kJump[below(c, COUNT(kJump))] | source);
    one.jt = (unsigned char)below(c, left);
    one.jf = (unsigned char)below(c, left);
    if (BPF_OP(one.code) == BPF_JA) one.k = (unsigned)below(c, left);
  }
  if (chance(c, 1)) noise(c, (char*)&one, sizeof(one));
  return one;
}

static long program(struct Call* c, bool seccomp) {
  static const unsigned kVerdicts[] = {
      SECCOMP_RET_ALLOW,       SECCOMP_RET_ALLOW,        SECCOMP_RET_ALLOW,     SECCOMP_RET_ALLOW,
      SECCOMP_RET_ERRNO | 1,   SECCOMP_RET_LOG,          SECCOMP_RET_TRAP,      SECCOMP_RET_TRACE,
      SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF};
  struct sock_filter code[kLongest];
  unsigned count = 1 + (unsigned)below(c, kLongest - 1);
  for (unsigned i = 0; i + 1 < count; i++) code[i] = instruction(c, count - i - 1, seccomp);
  unsigned verdict = seccomp ? kVerdicts[below(c, COUNT(kVerdicts))] : (unsigned)below(c, 3) * 100;
  code[count - 1] = (struct sock_filter){.code = BPF_RET | (chance(c, 20) ? BPF_A : BPF_K), .k = verdict};
  char* text_at = room(c, sizeof(code));
  memcpy(text_at, code, sizeof(code));
  struct sock_fprog all = {.len = (unsigned short)(chance(c, 97) ? count : draw(c)),
                           .filter = (struct sock_filter*)text_at};
  char* at = room(c, sizeof(all));
  memcpy(at, &all, sizeof(all));
  c->extent = sizeof(all);
  return place(c, at);
}

long filter_program(struct Call* c) { return program(c, false); }

void draw_seccomp(struct Call* c) {
  static const long kFlags[] = {SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG,
                                SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                                SECCOMP_FILTER_FLAG_TSYNC_ESRCH};
  uint64_t luck = below(c, 20);
  c->a[0] = luck < 16    ? SECCOMP_SET_MODE_FILTER
            : luck == 16 ? SECCOMP_SET_MODE_STRICT
            : luck == 17 ? SECCOMP_GET_ACTION_AVAIL
            : luck == 18 ? SECCOMP_GET_NOTIF_SIZES
                         : odd_number(c);
  c->a[1] = c->a[0] == SECCOMP_SET_MODE_FILTER ? some_of(c, kFlags, COUNT(kFlags)) : 0;
  c->a[2] = luck < 16 ? program(c, true) : luck == 16 ? 0 : in_noise(c);
}
