// Prints the system call table as docs/compatibility.md. A host program over the hosted build.
#include <cstdio>

#include "kernel/syscalls/tables.h"

int main() {
  using namespace runsc::kernel;
  syscall_table_init();
  unsigned full = 0, partial = 0, absent = 0;
  for (unsigned n = 0; n < kSyscallLimit; ++n)
    if (const SyscallRow* row = syscall_row(n))
      ++(row->support == Support::full ? full : row->support == Support::partial ? partial : absent);
  std::printf("# System calls\n\n");
  std::printf("Made by scripts/compatibility from the table that the sentry itself uses: do not edit.\n\n");
  std::printf("%u full, %u partial, %u absent (`ENOSYS`).\n\n", full, partial, absent);
  std::printf("| number | call | support | note |\n| ---: | --- | --- | --- |\n");
  for (unsigned n = 0; n < kSyscallLimit; ++n) {
    const SyscallRow* row = syscall_row(n);
    if (!row) continue;
    const char* words[] = {"full", "partial", "absent"};
    std::printf("| %u | %s | %s | %s |\n", n, row->name, words[static_cast<int>(row->support)], row->note);
  }
}
