#include "kernel/syscalls/dispatch.h"

#include "kernel/async_io.h"
#include "kernel/base/log.h"
#include "kernel/syscalls/strace.h"
#include "kernel/syscalls/tables.h"

namespace runsc::kernel {

namespace {

constinit const SyscallRow* g_rows[kSyscallLimit] = {};
constinit std::atomic<uint8_t> g_reported[kSyscallLimit] = {};

void add(std::span<const SyscallRow> rows) {
  for (const SyscallRow& row : rows)
    if (row.number < kSyscallLimit) g_rows[row.number] = &row;
}

// Without a branch the CPU could guess wrong: an index past the end becomes 0.
unsigned masked_index(uint64_t number) {
  uint64_t mask;
  // SAFETY: no memory; sbb spreads the carry of the comparison.
  asm("cmp %[limit], %[number]\n\tsbb %[mask], %[mask]"
      : [mask] "=r"(mask)
      : [number] "r"(number), [limit] "i"(kSyscallLimit)
      : "cc");
  return static_cast<unsigned>(number & mask);
}

SyscallResult unknown(uint64_t number) {
  if (number < kSyscallLimit && g_reported[number].exchange(1, std::memory_order_relaxed) == 0)
    log_info("system call {} ({}) is not implemented", number,
             g_rows[number] ? g_rows[number]->name : "unknown");
  return {Flow::value, -static_cast<int64_t>(Errno::nosys)};
}

}  // namespace

void syscall_table_init() {
  add(absent_rows());
  add(task_rows());
  add(memory_rows());
  add(signal_rows());
  add(time_rows());
  add(file_rows());
  add(event_rows());
  add(admin_rows());
  add(ipc_rows());
}

const SyscallRow* syscall_row(unsigned number) { return number < kSyscallLimit ? g_rows[number] : nullptr; }

bool dispatch_syscall(Task& task) {
  arch::UserRegs& r = task.regs();
  // Linux takes the low 32 bits of rax for the number.
  uint64_t number = static_cast<uint32_t>(r.orig_rax);
  const uint64_t args[6] = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
  const SyscallRow* row = number < kSyscallLimit ? g_rows[masked_index(number)] : nullptr;
  bool traced = strace_enabled();
  if (traced) [[unlikely]]
    strace_enter(task, row, number, args);
  SyscallResult result = row && row->function ? row->function(task, args) : unknown(number);
  send_async_signals_if_any();
  if (traced) [[unlikely]]
    strace_leave(task, row, number, args, result);
  if (result.flow != Flow::value) return false;
  r.rax = static_cast<uint64_t>(result.value);
  return true;
}

}  // namespace runsc::kernel
