#include "kernel/signal/temporary_mask.h"

#include "kernel/signal/signal.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

Result<void> set_temporary_mask(Task& task, uint64_t address, uint64_t size) {
  if (address == 0) return {};
  if (size != sizeof(uint64_t)) return Errno::inval;
  uint64_t mask = TRY(mm::copy_in(task.mm(), mm::UserPtr<uint64_t>(address)));
  set_temporary_mask(task, mask & ~kUnblockable);
  return {};
}

}  // namespace runsc::kernel
