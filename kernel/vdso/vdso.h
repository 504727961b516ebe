// The vDSO (vdso(7)): clocks without a system call. One page of data that the kernel writes (vvar.h), then
// the image of a small shared object of our own.
#pragma once

#include "kernel/base/result.h"
#include "mm/address_space.h"

namespace runsc::kernel {

// At boot: copies the image to pages and has the clocks written to the data page. ENOMEM.
Result<void> vdso_init();
// Maps both into a new address space: the address of the ELF header. 0 when there is no vDSO.
Result<uint64_t> vdso_map(mm::AddressSpace& space);

}  // namespace runsc::kernel
