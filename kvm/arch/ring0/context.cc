#include "kvm/arch/common/switch.h"
#include "kvm/arch/seam.h"

namespace runsc::arch {

void context_init(Context& context, KernelStack stack, void (*entry)(void*), void* arg) {
  context.stack = stack;
  context.rsp = prepare_stack(reinterpret_cast<uint64_t>(stack.base) + stack.size, entry, arg);
}

void context_switch(Context& from, Context& to, bool) { runsc_switch_stack(&from.rsp, to.rsp); }

}  // namespace runsc::arch
