// CommandKind::processes with kEachThread: what each thread of a container does.
#include "kernel/control/control.h"
#include "kernel/pid.h"
#include "kernel/syscalls/tables.h"

namespace runsc::kernel {

namespace {

void write_name(const Task& task, TextSink& out) {
  const auto name = task.comm();
  for (char c : std::string_view(name.text)) {
    const char shown[] = {c >= ' ' && c < 0x7f ? c : '?'};
    out.write({shown, 1});
  }
}

void write_call(const arch::UserRegs& r, TextSink& out) {
  if (r.orig_rax == ~uint64_t{0}) {
    out.write("  waits on its way back to user code\n");
    return;
  }
  const SyscallRow* row =
      r.orig_rax < kSyscallLimit ? syscall_row(static_cast<unsigned>(r.orig_rax)) : nullptr;
  format(out, "  waits in system call {} {}(0x{:x}, 0x{:x}, 0x{:x}, 0x{:x}, 0x{:x}, 0x{:x})\n", r.orig_rax,
         row ? row->name : "?", r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9);
}

void write_registers(const arch::UserRegs& r, TextSink& out) {
  format(out, "  rip 0x{:x} rsp 0x{:x} rbp 0x{:x} rflags 0x{:x}\n", r.rip, r.rsp, r.rbp, r.rflags);
  format(out, "  rax 0x{:x} rbx 0x{:x} rcx 0x{:x} rdx 0x{:x} rsi 0x{:x} rdi 0x{:x}\n", r.rax, r.rbx, r.rcx,
         r.rdx, r.rsi, r.rdi);
  format(out, "  r8 0x{:x} r9 0x{:x} r10 0x{:x} r11 0x{:x} r12 0x{:x} r13 0x{:x} r14 0x{:x} r15 0x{:x}\n",
         r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15);
}

void tell_thread(Task& task, uint32_t command) {
  char room[1024];
  FixedText text(room);
  format(text, "process {} thread {} \"", task.group().own_pid, task.own_tid());
  write_name(task, text);
  text.write("\"\n");
  // What it has is at rest while it sleeps.
  if (task.sched.asleep.load(std::memory_order_acquire)) {
    const arch::UserRegs regs = task.regs();
    write_call(regs, text);
    write_registers(regs, text);
  } else {
    text.write("  runs, or is ready to run\n");
  }
  answer_command(command, text.view(), false);
}

}  // namespace

void tell_stacks(const Container& container, uint32_t command) {
  int32_t next = 1;
  while (Ref<ThreadGroup> group = next_group(next)) {
    next = group->pid + 1;
    if (group->zombie || group->container.get() != &container) continue;
    int32_t thread = 1;
    while (Ref<Task> task = next_thread_of(*group, thread)) {
      thread = task->tid() + 1;
      tell_thread(*task, command);
    }
  }
  answer_command(command, {}, true);
}

}  // namespace runsc::kernel
