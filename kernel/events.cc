#include "kernel/events.h"

#include "kernel/async_io.h"
#include "kernel/control/control.h"
#include "kernel/stdio/host_stream.h"
#include "kvm/arch/seam.h"
#include "kvm/hostcall/client.h"
#include "net/device/ring_wire.h"

namespace runsc::kernel {

namespace {

void hand_on(const hostcall::Event& event) {
  switch (event.kind) {
    case hostcall::EventKind::stream_ready:
      return host_stream_ready(event.handle, event.value);
    case hostcall::EventKind::signal:
      (void)signal_from_host(hostcall::kInitProcess, static_cast<int>(event.value));
      return;
    case hostcall::EventKind::window_size:
      return terminal_resized(hostcall::kInitProcess, event.value >> 16, event.value & 0xffff);
    case hostcall::EventKind::command:
      return control_wake();
    case hostcall::EventKind::changes:
      return control_changes();
  }
}

}  // namespace

void take_host_events() {
  net::poll_wires();
  auto& pending = arch::shared().events_pending;
  while (pending.load(std::memory_order_relaxed) != 0) {
    if (pending.exchange(0, std::memory_order_seq_cst) == 0) return;
    auto reply = hostcall::call<hostcall::TakeEvents>([](auto&) {});
    if (!reply) return;
    hostcall::TakeEvents::Reply events = **reply;
    if (events.count > std::size(events.events)) return;
    for (uint32_t i = 0; i < events.count; ++i) hand_on(events.events[i]);
    send_async_signals_if_any();
    if (events.count == std::size(events.events)) pending.store(1, std::memory_order_relaxed);
  }
}

}  // namespace runsc::kernel
