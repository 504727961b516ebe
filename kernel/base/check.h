// CHECK: a broken invariant of our own ends the sandbox. Never for what the application or the host can
// cause.
#pragma once

namespace runsc {

// Ends the sandbox with a report; defined by the seam (kvm/arch). Callable anywhere.
[[noreturn]] void panic(const char* file, int line, const char* reason);

}  // namespace runsc

#define CHECK(cond, reason)                       \
  do {                                            \
    if (!(cond)) [[unlikely]]                     \
      ::runsc::panic(__FILE__, __LINE__, reason); \
  } while (0)
#define PANIC(reason) ::runsc::panic(__FILE__, __LINE__, reason)

#ifndef NDEBUG
#define DCHECK(cond, reason) CHECK(cond, reason)
#else
#define DCHECK(cond, reason) ((void)0)
#endif
