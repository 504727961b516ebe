#include "kvm/arch/common/switch.h"
#include "kvm/arch/hosted/machine.h"
#include "kvm/arch/hosted/sanitizers.h"

// Context::fiber: [0] ASan's fake stack, [1] TSan's fiber, [2] size of a stack that is not ours (a host
// thread's), whose base ASan tells us when we first leave it.

namespace runsc::arch {

namespace {

struct Start {
  void (*entry)(void*);
  void* arg;
};

// First thing on the new stack, and after every switch back: the sanitizers' second half.
[[gnu::noinline, maybe_unused]] void arrived(Context* self) {
  hosted::Cpu& cpu = hosted::this_cpu();
#if RUNSC_ASAN
  const void* bottom = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(self ? self->fiber[0] : nullptr, &bottom, &size);
  if (Context* from = cpu.switching_from; from && !from->stack.base) {
    // SAFETY: only handed back to ASan.
    from->stack.base = static_cast<std::byte*>(const_cast<void*>(bottom));
    from->stack.size = size;
  }
#else
  (void)self;
#endif
#if RUNSC_TSAN
  if (cpu.dying_fiber) {
    __tsan_destroy_fiber(cpu.dying_fiber);
    cpu.dying_fiber = nullptr;
  }
#endif
  cpu.switching_from = nullptr;
}

#if RUNSC_ASAN || RUNSC_TSAN
void start(void* p) {
  Start s = *static_cast<Start*>(p);
  arrived(nullptr);
  s.entry(s.arg);
}
#endif

}  // namespace

void context_init(Context& context, KernelStack stack, void (*entry)(void*), void* arg) {
  context.stack = stack;
  auto top = reinterpret_cast<uint64_t>(stack.base) + stack.size;
#if RUNSC_ASAN || RUNSC_TSAN
  // SAFETY: the stack is ours and nothing runs on it yet; the record is read before anything is pushed over
  // it.
  top -= 64;
  *reinterpret_cast<Start*>(top) = {entry, arg};
  entry = start;
  arg = reinterpret_cast<void*>(top);
#endif
  context.fiber[0] = nullptr;
#if RUNSC_TSAN
  context.fiber[1] = __tsan_create_fiber(0);
#endif
  context.rsp = prepare_stack(top, entry, arg);
}

void context_switch(Context& from, Context& to, [[maybe_unused]] bool dying) {
#if RUNSC_ASAN || RUNSC_TSAN
  hosted::this_cpu().switching_from = dying ? nullptr : &from;
#endif
#if RUNSC_ASAN
  __sanitizer_start_switch_fiber(dying ? nullptr : &from.fiber[0], to.stack.base, to.stack.size);
#endif
#if RUNSC_TSAN
  if (!from.fiber[1]) from.fiber[1] = __tsan_get_current_fiber();
  if (dying) hosted::this_cpu().dying_fiber = from.fiber[1];
  __tsan_switch_to_fiber(to.fiber[1], 0);
#endif
  runsc_switch_stack(&from.rsp, to.rsp);
#if RUNSC_ASAN || RUNSC_TSAN
  arrived(&from);
#endif
}

}  // namespace runsc::arch
