// Copies to and from user memory (mm/user_copy.h) that find no memory for it though it must be had.
#pragma once

namespace runsc::mm {

// A small copy, which may be all that is left of a call that has taken effect, may have of what is kept for
// the sentry's own (arch::CpuLocal::unrefused). Called on the CPU of the task, `end` with what `begin` said.
// Only when there is none still, the copy fails (set_copy_hook()).
struct UrgentCopyHooks {
  bool (*begin)();
  void (*end)(bool before);
};
void set_urgent_copy_hooks(const UrgentCopyHooks& hooks);

}  // namespace runsc::mm
