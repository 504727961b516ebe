// Core dumps (core(5)): what a process leaves behind that a signal such as SIGSEGV ends.
#pragma once

#include "kernel/abi/signal.h"
#include "kernel/base/vec.h"
#include "kernel/ptrace/registers.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

// MMF_DUMP_*: which kinds of mappings are dumped (/proc/PID/coredump_filter).
namespace core_filter {
inline constexpr uint32_t anon_private = 1, anon_shared = 2, mapped_private = 4, mapped_shared = 8,
                          elf_headers = 16, usual = 0x33, all = 0x1ff;
}

// A thread as it stood, told by itself.
struct CoreThread {
  int32_t tid = 0;
  uint64_t pending = 0, blocked = 0;
  uint64_t user_ns = 0, system_ns = 0;
  UserRegsStruct regs{};
  Vec<std::byte> xstate;
};

// One dump: the threads of the process come, say how they stand, and wait until it is written.
class CoreDump final : public RefCounted<CoreDump> {
 public:
  explicit CoreDump(Task& dumper) : dumper(dumper) {}
  const Task& dumper;
  // Under g_tree_lock.
  Vec<CoreThread> threads;
  uint32_t arrived = 0;
  std::atomic<bool> over{false};
  WaitQueue changed;
};

bool dumps_core(int signal);
// The current task dies of the signal: begins the end of its process, and dumps it if it may be. The wait
// status to end with.
int32_t dump_core(Task& task, const abi::SigInfo& info);
// On the way out of every thread.
void join_core_dump(Task& task);

// core_file.cc: writes the ELF file. EINTR: SIGKILL came. ENOSPC: the limit is reached, the file ends there.
Result<void> write_core(Task& task, fs::File& file, const abi::SigInfo& info, const CoreDump& dump);

}  // namespace runsc::kernel
