// From a path to a program in memory (execve(2)).
#pragma once

#include "fs/file.h"
#include "fs/namespace.h"
#include "fs/write_access.h"
#include "kernel/loader/arguments.h"
#include "kernel/task.h"
#include "mm/address_space.h"

namespace runsc::kernel {

// A program that was opened, checked and mapped into a new address space, but not started.
struct LoadedProgram {
  Ref<mm::AddressSpace> space;
  uint64_t entry = 0;          // first instruction: the interpreter's, if there is one
  uint64_t program_entry = 0;  // AT_ENTRY
  uint64_t base = 0;           // AT_BASE
  uint64_t phdr = 0, phent = 0, phnum = 0;
  uint64_t stack_top = 0;
  uint64_t vdso = 0;
  bool executable_stack = false;
  mm::AddressSpace::Layout layout{};
  // Tails of pages that must be zeroed once the space is current.
  struct Zero {
    uint64_t address, size;
  };
  Vec<Zero> zeros;
  Ref<fs::File> file;        // the program itself, after #!: its set-id bits count
  fs::ExecutionClaim claim;  // to `file`
  String path;               // as executed, for AT_EXECFN
  String comm;
};

// Opens `path` (relative to `start`) for execution: EACCES, ENOENT, ELOOP, ... A regular file that may be
// executed, on a mount without noexec.
Result<Ref<fs::File>> open_executable(Task& task, const fs::Path& start, std::string_view path,
                                      uint32_t walk_flags);

// Follows #! lines (at most 5 deep; they change `args`), maps everything. ENOEXEC, ELIBBAD, ENOMEM, E2BIG,
// ...
Result<LoadedProgram> load_program(Task& task, Ref<fs::File> file, std::string_view path, Arguments& args);

// Once the space is the task's: clears bss, writes the stack. The stack pointer to start with. EFAULT,
// ENOMEM.
Result<uint64_t> build_stack(Task& task, LoadedProgram& program, const Arguments& args, bool secure);

// Reads exactly; short files are ENOEXEC.
Result<void> read_exact(fs::File& file, uint64_t offset, std::span<std::byte> out);

}  // namespace runsc::kernel
