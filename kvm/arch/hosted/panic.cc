#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "kvm/arch/hosted/machine.h"
#include "kvm/hostcall/client.h"
#include "kvm/hostcall/wire_ring.h"

namespace runsc {

namespace {

std::atomic<bool> panicking{false};

uint32_t copy_text(char* to, size_t room, const char* from) {
  size_t n = strnlen(from, room);
  memcpy(to, from, n);
  return static_cast<uint32_t>(n);
}

}  // namespace

void panic(const char* file, int line, const char* reason) {
  // The first panic reports; what it runs into, or what runs beside it, ends here.
  if (panicking.exchange(true)) {
    for (;;) ppoll(nullptr, 0, nullptr, nullptr);  // the jail has no pause(2)
  }
  const arch::hosted::Sandbox& sandbox = arch::hosted::sandbox;
  if (sandbox.serve) {
    unsigned cpu = arch::hosted::this_cpu().local.id;
    hostcall::Frame& frame = sandbox.frames[cpu];
    frame.number = static_cast<uint32_t>(hostcall::Number::panic);
    auto& r = *new (frame.body) hostcall::Panic::Request;
    r.rip = reinterpret_cast<uint64_t>(__builtin_return_address(0));
    r.rbp = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
    r.rsp = r.rbp;
    r.line = static_cast<uint32_t>(line);
    r.file_length = copy_text(r.file, sizeof r.file, file);
    r.reason_length = copy_text(r.reason, sizeof r.reason, reason);
    sandbox.serve(sandbox.context, cpu, frame);
  }
  fprintf(stderr, "sentry panic: %s:%d: %s\n", file, line, reason);
  abort();
}

}  // namespace runsc

// Of an object that has ended, or has not begun: says where.
extern "C" [[noreturn]] void __cxa_pure_virtual() { PANIC("a pure virtual function was called"); }

namespace runsc::hostcall {

Frame& cpu_frame() { return arch::hosted::sandbox.frames[arch::hosted::this_cpu().local.id]; }

void ring(Frame& frame) {
  const arch::hosted::Sandbox& sandbox = arch::hosted::sandbox;
  if (!sandbox.serve) {
    frame.error = static_cast<int32_t>(Errno::nosys);
    return;
  }
  sandbox.serve(sandbox.context, arch::hosted::this_cpu().local.id, frame);
}

void ring_wires(uint32_t wires) {
  (void)call<WireKick>([&](auto& request) { request.wires = wires; });
}

}  // namespace runsc::hostcall
