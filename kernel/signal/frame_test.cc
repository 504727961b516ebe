#include "kernel/signal/frame.h"

#include <ucontext.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <vector>

#include "kernel/signal/state.h"

using namespace runsc;
using namespace runsc::kernel;
using namespace runsc::abi;

TEST_CASE("signal frame: layouts are those of the C library's headers") {
  STATIC_REQUIRE(sizeof(SigInfo) == sizeof(siginfo_t));
  STATIC_REQUIRE(offsetof(SigInfo, bytes) == 16);
  STATIC_REQUIRE(offsetof(UContext, mcontext) == offsetof(ucontext_t, uc_mcontext));
  STATIC_REQUIRE(offsetof(UContext, sigmask) == offsetof(ucontext_t, uc_sigmask));
  STATIC_REQUIRE(offsetof(UContext, stack) == offsetof(ucontext_t, uc_stack));
  STATIC_REQUIRE(offsetof(SigContext, rip) == REG_RIP * 8);
  STATIC_REQUIRE(offsetof(SigContext, rsp) == REG_RSP * 8);
  STATIC_REQUIRE(offsetof(SigContext, rdi) == REG_RDI * 8);
  STATIC_REQUIRE(offsetof(SigContext, eflags) == REG_EFL * 8);
  STATIC_REQUIRE(offsetof(SigContext, cr2) == REG_CR2 * 8);
  STATIC_REQUIRE(offsetof(SigContext, fpstate) == offsetof(mcontext_t, fpregs));
  STATIC_REQUIRE(sizeof(SigAction) == 32);
}

TEST_CASE("signal frame: alignment") {
  for (uint64_t top : {0x7ffffffde000ull, 0x7ffffffde008ull, 0x7ffffffddff1ull}) {
    for (uint64_t size : {832ull, 2696ull}) {
      FrameLayout l = frame_layout(top, size);
      CHECK(l.fpstate % 64 == 0);
      CHECK(l.fpstate + size + 4 <= top);
      CHECK(l.frame % 16 == 8);
      CHECK(l.frame + sizeof(RtSigFrame) <= l.fpstate);
    }
  }
}

TEST_CASE("signal frame: the marks around the vector state") {
  constexpr uint32_t kSize = 832;
  std::vector<std::byte> image(kSize + 4);
  fill_xstate_marks(image, 7, kSize);
  FpxSwBytes sw;
  std::memcpy(&sw, image.data() + kSwBytesOffset, sizeof sw);
  CHECK(sw.magic1 == kFpXstateMagic1);
  CHECK(sw.extended_size == kSize + 4);
  CHECK(sw.xstate_size == kSize);
  CHECK(sw.xfeatures == 7);
  CHECK(extended_state_size(sw, kSize) == kSize);
  sw.magic1 = 0;
  CHECK(extended_state_size(sw, kSize) == 512);
  sw.magic1 = kFpXstateMagic1;
  sw.xstate_size = 1 << 20;
  CHECK(extended_state_size(sw, kSize) == 512);
}

TEST_CASE("signal queue: order and counts") {
  SignalQueue q;
  auto add = [&](int s, int value) {
    auto e = make<QueuedSignal>();
    e->info.rt.value = static_cast<uint64_t>(value);
    q.add(s, e.release());
  };
  add(34, 1);
  add(34, 2);
  add(10, 3);
  CHECK(q.count() == 3);
  CHECK(SignalQueue::first_of(q.pending()) == 10);
  CHECK(q.take(34).rt.value == 1);
  CHECK(q.pending() == (sig_bit(34) | sig_bit(10)));
  CHECK(q.take(34).rt.value == 2);
  CHECK(q.pending() == sig_bit(10));
  add(11, 0);
  CHECK(SignalQueue::first_of(q.pending()) == 11);  // faults first
  q.discard(sig_bit(11));
  CHECK(q.pending() == sig_bit(10));
}
