#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "kvm/arch/hosted/machine.h"
#include "kvm/arch/seam.h"

using namespace runsc;
using namespace runsc::arch;

namespace {

struct Fiber {
  Context context;
  KernelStack stack;
  Context* back = nullptr;
  int steps = 0;
  int limit = 0;
};

// Uses its stack, so that sanitizers have something to look at.
[[gnu::noinline]] size_t use_stack(int n) {
  char text[300];
  std::snprintf(text, sizeof text, "step %d", n);
  std::string copy(text);
  return copy.size();
}

void run_fiber(void* p) {
  auto& f = *static_cast<Fiber*>(p);
  for (f.steps = 0; f.steps < f.limit; ++f.steps) {
    use_stack(f.steps);
    context_switch(f.context, *f.back);
  }
  context_switch(f.context, *f.back, true);
  std::abort();
}

void start(Fiber& f, Context& back, int limit) {
  auto stack = stack_alloc();
  REQUIRE(stack);
  f.stack = *stack;
  f.back = &back;
  f.limit = limit;
  context_init(f.context, f.stack, run_fiber, &f);
}

}  // namespace

TEST_CASE("contexts switch to and fro, and their stacks are used again") {
  Context here;
  for (int round = 0; round < 20; ++round) {
    Fiber a, b;
    start(a, here, 5);
    start(b, here, 7);
    for (int i = 0; i <= 7; ++i) {
      if (i <= 5) context_switch(here, a.context);
      context_switch(here, b.context);
    }
    CHECK(a.steps == 5);
    CHECK(b.steps == 7);
    stack_free(a.stack);
    stack_free(b.stack);
  }
}

TEST_CASE("a context moves between host threads") {
  Fiber f;
  start(f, *new Context, 6);
  delete f.back;
  for (int i = 0; i <= 6; ++i) {
    std::thread([&] {
      Context here;
      f.back = &here;
      context_switch(here, f.context);
    }).join();
  }
  CHECK(f.steps == 6);
  stack_free(f.stack);
}

TEST_CASE("a context starts with a stack as functions expect it") {
  struct Probe {
    Context context, back;
    uint64_t misaligned = 1;
  } probe;
  auto stack = stack_alloc();
  REQUIRE(stack);
  context_init(
      probe.context, *stack,
      [](void* p) {
        auto& q = *static_cast<Probe*>(p);
        q.misaligned = reinterpret_cast<uint64_t>(__builtin_frame_address(0)) % 16;
        context_switch(q.context, q.back, true);
      },
      &probe);
  context_switch(probe.back, probe.context);
  CHECK(probe.misaligned == 0);
  stack_free(*stack);
}

TEST_CASE("many stacks at once") {
  std::vector<KernelStack> stacks;
  for (int i = 0; i < 300; ++i) {
    auto s = stack_alloc();
    REQUIRE(s);
    std::memset(s->base + s->size - 64, i, 64);
    stacks.push_back(*s);
  }
  for (KernelStack s : stacks) stack_free(s);
}
