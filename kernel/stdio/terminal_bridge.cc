// The container's terminal: bytes between the host's terminal and the console pair of the sentry.
#include "fs/credentials.h"
#include "fs/tty/devpts.h"
#include "fs/tty/tty.h"
#include "kernel/async_io.h"
#include "kernel/base/log.h"
#include "kernel/clone.h"
#include "kernel/stdio/host_stream.h"

namespace runsc::kernel {

namespace {

using namespace fs;

// Two kernel threads, one for each direction. They live as long as the sandbox.
struct Bridge {
  Ref<Tty> tty;
  Ref<File> host;
};
constinit Bridge* g_bridge = nullptr;

struct BridgeObject : HeapObject, Bridge {};

// Waits until `poll` shows one of `events`.
template <class Poll>
void wait_for(WaitQueue& queue, uint32_t events, Poll poll) {
  ParkWaiter waiter;
  queue.add(waiter, events | poll_bit::err | poll_bit::hup);
  while (!(poll() & (events | poll_bit::err | poll_bit::hup))) Task::current().sched.park_event();
  queue.remove(waiter);
}

void host_to_tty(void*) {
  std::byte bytes[512];
  for (;;) {
    mm::IoBuf buf = mm::IoBuf::kernel(bytes);
    auto n = g_bridge->host->read(buf, 0);
    if (!n && n.error() == Errno::again) {
      wait_for(*g_bridge->host->wait_queue(), poll_bit::in, [] { return g_bridge->host->poll(); });
      continue;
    }
    if (!n || *n == 0) break;
    std::span<const uint8_t> rest(reinterpret_cast<const uint8_t*>(bytes), *n);
    while (!rest.empty()) {
      size_t taken = g_bridge->tty->input(rest);
      send_async_signals_if_any();
      rest = rest.subspan(taken);
      if (taken == 0)
        wait_for(g_bridge->tty->master_queue(), poll_bit::out, [] { return g_bridge->tty->master_poll(); });
    }
  }
  g_bridge->tty->master_closed();  // the host's terminal is gone: hang up
}

void tty_to_host(void*) {
  std::byte bytes[512];
  for (;;) {
    size_t n = g_bridge->tty->take_output({reinterpret_cast<uint8_t*>(bytes), sizeof bytes});
    if (n == 0) {
      wait_for(g_bridge->tty->master_queue(), poll_bit::in, [] { return g_bridge->tty->master_poll(); });
      continue;
    }
    mm::IoBuf buf = mm::IoBuf::kernel(std::span(bytes, n));
    while (buf.remaining() > 0) {
      auto moved = g_bridge->host->write(buf, 0);
      if (moved) continue;
      if (moved.error() != Errno::again) return;
      wait_for(*g_bridge->host->wait_queue(), poll_bit::out, [] { return g_bridge->host->poll(); });
    }
  }
}

}  // namespace

void terminal_resized(uint32_t rows, uint32_t columns) {
  if (g_bridge)
    g_bridge->tty->set_window_size({static_cast<uint16_t>(rows), static_cast<uint16_t>(columns), 0, 0});
}

Result<Ref<File>> open_terminal_bridge(hostcall::Handle handle, uint32_t rows, uint32_t columns) {
  ConsolePair console = TRY(make_console(Task::current().creds()));
  auto bridge = make<BridgeObject>();
  if (!bridge) return Errno::nomem;
  bridge->tty = console.tty;
  bridge->host = TRY(open_host_stream(handle, 0, open_flag::nonblock));
  Ref<File> slave = TRY(open_console(console, open_flag::rdwr));
  g_bridge = bridge.release();
  terminal_resized(rows, columns);
  TRY(console.tty->become_controlling(false));
  TRY(start_kernel_thread("console_in", host_to_tty, nullptr));
  TRY(start_kernel_thread("console_out", tty_to_host, nullptr));
  return slave;
}

}  // namespace runsc::kernel
