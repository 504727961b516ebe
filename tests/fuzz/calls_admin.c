// Administration, tracing, and calls that a kernel refuses.
#include <linux/ptrace.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/user.h>

#include "calls.h"
#include "memory.h"
#include "paths.h"
#include "signal_args.h"
#include "worker.h"

ONE_OF(log_action, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10)
ONE_OF(reboot_command, (long)LINUX_REBOOT_CMD_RESTART, (long)LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_CAD_ON,
       LINUX_REBOOT_CMD_CAD_OFF, LINUX_REBOOT_CMD_POWER_OFF)
ONE_OF(magic, (long)LINUX_REBOOT_MAGIC1, (long)LINUX_REBOOT_MAGIC1, 0)
ONE_OF(magic_2, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A)
ONE_OF(io_class, 1, 2, 3)
ONE_OF(quota_command, (long)0x80000700, (long)0x80000800, (long)0x80000100, (long)0x80000400)
ONE_OF(bpf_command, 0, 1, 2, 3, 4, 5)

static long io_priority(struct Call* c) {
  static const long kValues[] = {0, 2 << 13 | 4, 3 << 13, 1 << 13 | 2, 2 << 13};
  return one_of(c, kValues, COUNT(kValues));
}

static long trace_options(struct Call* c) { return (long)(draw(c) & 0xff) | (chance(c, 10) ? 0x100000 : 0); }
static long register_offset(struct Call* c) {
  return chance(c, 90) ? (long)below(c, 120) * 8 : odd_number(c);
}
static long registers(struct Call* c) { return place(c, room(c, sizeof(struct user_regs_struct))); }
static long in_data(struct Call* c) {
  return chance(c, 80) ? (long)c->task->data + (long)below(c, 1000) * 8 : wild_pointer(c);
}
static long register_set(struct Call* c) {
  static const long kSets[] = {1, 2, 0x202, 0x200};
  return one_of(c, kSets, COUNT(kSets));
}

static long one_vector(struct Call* c) {
  long words[2] = {(long)room(c, 1024), (long)below(c, 1025)};
  char* at = room(c, 16);
  memcpy(at, words, 16);
  return place(c, at);
}

static long peek_info(struct Call* c) {
  long words[2] = {(long)below(c, 4), (long)below(c, 2) | (long)below(c, 8) << 32};
  char* at = room(c, 16);
  memcpy(at, words, 16);
  return place(c, at);
}

static const struct Ptrace {
  long request;
  Drawer *address, *data;
} kPtrace[] = {
    {PTRACE_SEIZE, zero, trace_options},
    {PTRACE_SEIZE, zero, trace_options},
    {PTRACE_ATTACH, zero, zero},
    {PTRACE_ATTACH, zero, zero},
    {PTRACE_DETACH, zero, signal_number},
    {PTRACE_INTERRUPT, zero, zero},
    {PTRACE_INTERRUPT, zero, zero},
    {PTRACE_LISTEN, zero, zero},
    {PTRACE_CONT, zero, zero},
    {PTRACE_SYSCALL, zero, zero},
    {PTRACE_SINGLESTEP, zero, zero},
    {24, zero, zero},  // PTRACE_SETREGS is 13; 24 is PTRACE_SYSCALL of libc's list
    {31, zero, zero},  // PTRACE_SYSEMU
    {32, zero, zero},  // PTRACE_SYSEMU_SINGLESTEP
    {33, zero, zero},  // PTRACE_SINGLEBLOCK
    {PTRACE_SETOPTIONS, zero, trace_options},
    {PTRACE_GETEVENTMSG, zero, out_8},
    {PTRACE_GETSIGINFO, zero, out_256},
    {PTRACE_SETSIGINFO, zero, signal_info},
    {PTRACE_PEEKSIGINFO, peek_info, out_4k},
    {PTRACE_GETSIGMASK, size_of_set, out_8},
    {PTRACE_SETSIGMASK, size_of_set, signal_mask},
    {PTRACE_PEEKDATA, in_data, out_8},
    {PTRACE_POKEDATA, in_data, odd},
    {PTRACE_PEEKUSR, register_offset, out_8},
    {PTRACE_POKEUSR, register_offset, odd},
    {PTRACE_GETREGS, zero, registers},
    {PTRACE_SETREGS, zero, registers},
    {PTRACE_GETFPREGS, zero, out_4k},
    {PTRACE_SETFPREGS, zero, in_noise},
    {PTRACE_GETREGSET, register_set, one_vector},
    {PTRACE_SETREGSET, register_set, one_vector},
    {PTRACE_GET_SYSCALL_INFO, file_offset, out_256},
    {0x420c, zero, out_8},   // PTRACE_SECCOMP_GET_FILTER
    {0x420f, zero, out_64},  // PTRACE_GET_RSEQ_CONFIGURATION
    {30, odd, area},         // PTRACE_ARCH_PRCTL
    {25, zero, out_64},      // PTRACE_GET_THREAD_AREA
};

static void draw_ptrace(struct Call* c) {
  const struct Ptrace* one = &kPtrace[below(c, COUNT(kPtrace))];
  c->a[0] = chance(c, 98) ? one->request : 1 + (long)below(c, 40);
  c->a[1] = pid_other(c);
  c->a[2] = one->address(c);
  c->a[3] = one->data(c);
}

// Its tracer would be who waits for it: a task of the worker, which also resumes whom it finds.
static void draw_traceme(struct Call* c) { c->a[0] = PTRACE_TRACEME; }

static const struct Row kRows[] = {
    {SYS_ptrace, 20, .prepare = draw_ptrace},
    {SYS_ptrace, 1, .flags = kInChild, .prepare = draw_traceme},
    {SYS_syslog, 2, .flags = kNotLinux, .args = {log_action, buffer, extent}},
    {SYS_reboot, 1, .flags = kNotLinux, .args = {magic, magic_2, reboot_command, path}},
    {SYS_vhangup, 1, .flags = kInChild | kNotLinux},
    {SYS_ioprio_set, 2, .args = {io_class, pid_any, io_priority}},
    {SYS_ioprio_get, 2, .args = {io_class, pid_any}},
    {SYS_quotactl, 1, .flags = kNotLinux, .args = {quota_command, path, owner, out_256}},
    {SYS_acct, 1, .flags = kNotLinux, .args = {path}},
    {SYS_swapon, 1, .flags = kNotLinux, .args = {path, small}},
    {SYS_swapoff, 1, .flags = kNotLinux, .args = {path}},
    {SYS_iopl, 1, .flags = kNotLinux, .args = {small}},
    {SYS_ioperm, 1, .flags = kNotLinux, .args = {small, small, small}},
    {SYS_init_module, 1, .flags = kNotLinux, .args = {buffer, extent, path}},
    {SYS_finit_module, 1, .flags = kNotLinux, .args = {fd_file, path, small}},
    {SYS_delete_module, 1, .flags = kNotLinux, .args = {path, small}},
    {SYS_lookup_dcookie, 1, .flags = kNotLinux, .args = {small, out_256, length}},
    {SYS_kexec_load, 1, .flags = kNotLinux, .args = {area, zero, in_noise, zero}},
    {SYS_kexec_file_load, 1, .flags = kNotLinux, .args = {fd_file, fd_file, length, path, zero}},
    {SYS_fanotify_init, 1, .flags = kNotLinux, .args = {bits, small}},
    {SYS_bpf, 1, .flags = kNotLinux, .args = {bpf_command, in_noise, length}},
};

struct Rows admin_rows(void) {
  return ROWS(kRows);
}
