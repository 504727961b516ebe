// Terminals of processes that the host started: bytes between the host's terminal and a pair of the sentry.
#include "fs/credentials.h"
#include "fs/tty/devpts.h"
#include "fs/tty/tty.h"
#include "kernel/async_io.h"
#include "kernel/base/log.h"
#include "kernel/blocking.h"
#include "kernel/clone.h"
#include "kernel/stdio/host_stream.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"
#include "kvm/hostcall/control_calls.h"

namespace runsc::kernel {

namespace {

using namespace fs;

class Bridge;
constinit SpinLock g_lock{LockRank::leaf};
constinit Bridge* g_bridges GUARDED_BY(g_lock) = nullptr;

// Two kernel threads, one for each direction, hold it. That of the init lives as long as the sandbox: who is
// left may open the terminal again. Others end when nobody has theirs open.
class Bridge final : public RefCounted<Bridge> {
 public:
  Bridge(Ref<fs::Tty> t, Ref<File> h, uint32_t number)
      : tty(std::move(t)), host(std::move(h)), process(number) {
    LockGuard guard(g_lock);
    next_ = g_bridges;
    g_bridges = this;
  }
  ~Bridge() {
    LockGuard guard(g_lock);
    Bridge** at = &g_bridges;
    while (*at != this) at = &(*at)->next_;
    *at = next_;
  }

  // Of a process, or null.
  static Ref<Bridge> find(uint32_t number) {
    LockGuard guard(g_lock);
    for (Bridge* b = g_bridges; b; b = b->next_)
      if (b->process == number && b->try_ref()) return Ref<Bridge>::adopt(b);
    return {};
  }

  bool is_over() const {
    return process != hostcall::kInitProcess && (tty->master_poll() & poll_bit::hup) != 0;
  }

  const Ref<fs::Tty> tty;
  const Ref<File> host;
  const uint32_t process;
  WaitQueue drained;
  std::atomic<bool> busy{true};  // tty_to_host() has not seen the end of the output yet

 private:
  Bridge* next_ GUARDED_BY(g_lock);
};

// Waits until `ready` holds, or the bridge is over.
template <class Ready>
void wait_until(Bridge& bridge, Ready ready) {
  ParkWaiter on_host, on_tty;
  bridge.host->wait_queue()->add(on_host);
  bridge.tty->master_queue().add(on_tty);
  while (!ready() && !bridge.is_over()) Task::current().sched.park_event();
  bridge.tty->master_queue().remove(on_tty);
  bridge.host->wait_queue()->remove(on_host);
}

constexpr uint32_t kBroken = poll_bit::err | poll_bit::hup;

void host_to_tty(void* argument) {
  Ref<Bridge> bridge = Ref<Bridge>::adopt(static_cast<Bridge*>(argument));
  std::byte bytes[512];
  while (!bridge->is_over()) {
    mm::IoBuf buf = mm::IoBuf::kernel(bytes);
    auto n = bridge->host->read(buf, 0);
    if (!n && n.error() == Errno::again) {
      wait_until(*bridge, [&] { return (bridge->host->poll() & (poll_bit::in | kBroken)) != 0; });
      continue;
    }
    if (!n || *n == 0) break;
    std::span<const uint8_t> rest(reinterpret_cast<const uint8_t*>(bytes), *n);
    while (!rest.empty() && !bridge->is_over()) {
      size_t taken = bridge->tty->input(rest);
      send_async_signals_if_any();
      rest = rest.subspan(taken);
      if (taken == 0) wait_until(*bridge, [&] { return (bridge->tty->master_poll() & poll_bit::out) != 0; });
    }
  }
  bridge->tty->master_closed();  // the host's terminal is gone: hang up
}

// False: the host's side is gone.
bool put_out(Bridge& bridge, std::span<std::byte> bytes) {
  mm::IoBuf buf = mm::IoBuf::kernel(bytes);
  while (buf.remaining() > 0) {
    auto moved = bridge.host->write(buf, 0);
    if (moved) continue;
    if (moved.error() != Errno::again) return false;
    // Also what a process wrote before it ended goes out.
    ParkWaiter waiter;
    bridge.host->wait_queue()->add(waiter);
    while (!(bridge.host->poll() & (poll_bit::out | kBroken))) Task::current().sched.park_event();
    bridge.host->wait_queue()->remove(waiter);
  }
  return true;
}

void tty_to_host(void* argument) {
  Ref<Bridge> bridge = Ref<Bridge>::adopt(static_cast<Bridge*>(argument));
  std::byte bytes[512];
  for (;;) {
    // Both said first: what is written afterwards is none of a terminal that is over, and is not drained.
    const bool over = bridge->is_over();
    bridge->busy.store(true);
    size_t n = bridge->tty->take_output({reinterpret_cast<uint8_t*>(bytes), sizeof bytes});
    if (n > 0 && put_out(*bridge, std::span(bytes, n))) continue;
    bridge->busy.store(false);
    bridge->drained.wake_all();
    if (n > 0 || over) return;
    wait_until(*bridge, [&] { return (bridge->tty->master_poll() & poll_bit::in) != 0; });
  }
}

Result<void> start_direction(std::string_view name, void (*entry)(void*), Bridge& bridge) {
  bridge.ref();
  auto thread = start_kernel_thread(name, entry, &bridge);
  if (thread) return {};
  bridge.unref();
  return thread.error();
}

}  // namespace

void terminal_resized(uint32_t process, uint32_t rows, uint32_t columns) {
  if (Ref<Bridge> bridge = Bridge::find(process))
    bridge->tty->set_window_size({static_cast<uint16_t>(rows), static_cast<uint16_t>(columns), 0, 0});
}

void drain_terminal(uint32_t process) {
  constexpr uint64_t kPatienceNs = 3'000'000'000;
  Ref<Bridge> bridge = Bridge::find(process);
  if (!bridge) return;
  const uint64_t deadline = monotonic_ns() + kPatienceNs;
  ParkWaiter waiter;
  bridge->drained.add(waiter);
  auto pending = [&] { return bridge->busy.load() || (bridge->tty->master_poll() & poll_bit::in) != 0; };
  Task& task = Task::current();
  while (pending()) {
    task.work.clear(Work::signal);  // it ends: nothing else matters to it
    if (auto r = park_interruptible(task, deadline); !r && r.error() == Errno::timedout) break;
  }
  bridge->drained.remove(waiter);
}

Result<Ref<File>> open_terminal_bridge(hostcall::Handle handle, uint32_t rows, uint32_t columns) {
  const uint32_t process = Task::current().group().host_number;
  ConsolePair console = TRY(make_console(Task::current().creds()));
  Ref<File> host = TRY(open_host_stream(handle, 0, open_flag::nonblock));
  Ref<File> slave = TRY(open_console(console, open_flag::rdwr));
  Ref<Bridge> bridge = make_ref<Bridge>(console.tty, std::move(host), process);
  if (!bridge) return Errno::nomem;
  terminal_resized(process, rows, columns);
  TRY(console.tty->become_controlling(false));
  TRY(start_direction("console_in", host_to_tty, *bridge));
  TRY(start_direction("console_out", tty_to_host, *bridge));
  return slave;
}

}  // namespace runsc::kernel
