// Standard input and output of the container: streams that the host donated.
#pragma once

#include "fs/file.h"
#include "kvm/hostcall/frame.h"

namespace runsc::kernel {

// A File over a donated pipe, socket, file, device or terminal of the host, which the container sees owned by
// the user `owner`. Opened as the host has it opened, with `flags` besides (O_NONBLOCK). ENOMEM, EBADF.
Result<Ref<fs::File>> open_host_stream(hostcall::Handle handle, uint32_t owner, uint32_t flags);
// FIFOs of the host are opened from now on, where it lets us. At boot.
void host_fifo_init();
// From the event loop.
void host_stream_ready(hostcall::Handle handle, uint32_t events);
// The terminal of a process that the host started by this number; nothing if it has none.
void terminal_resized(uint32_t process, uint32_t rows, uint32_t columns);

// Waits until what was written to that terminal has gone out, within reason: the host's side may be stopped.
void drain_terminal(uint32_t process);

// The terminal of the current process, which the host started: a bridge between the host's and one of the
// sentry's own. Returns the side that becomes the standard streams. ENOMEM, ENODEV.
Result<Ref<fs::File>> open_terminal_bridge(hostcall::Handle handle, uint32_t rows, uint32_t columns);

}  // namespace runsc::kernel
