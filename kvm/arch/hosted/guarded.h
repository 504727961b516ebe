// Accesses to guest memory whose host page may be gone (a file in the window that shrank): the SIGBUS or
// SIGSEGV ends the access instead of the process (fault_handler.cc).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kvm/monitor/error.h"

extern "C" {
// Bytes left to copy when the access failed; 0: done.
size_t runsc_guarded_copy(void* to, const void* from, size_t size);
size_t runsc_guarded_zero(void* to, size_t size);
// 1: done, 0: the access failed.
int runsc_guarded_load32(const void* from, uint32_t* value);
int runsc_guarded_cmpxchg32(void* at, uint32_t expected, uint32_t desired, uint32_t* old);
}

namespace runsc::arch::hosted {

// SIGBUS and SIGSEGV handlers for the process.
monitor::Expected<void> install_fault_handler();
// Signals of this thread need a stack of their own: kernel stacks are small.
void install_signal_stack();

}  // namespace runsc::arch::hosted
