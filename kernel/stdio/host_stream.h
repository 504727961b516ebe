// Standard input and output of the container: streams that the host donated.
#pragma once

#include "fs/file.h"
#include "kvm/hostcall/frame.h"

namespace runsc::kernel {

// A File over a donated pipe, socket, file, device or terminal of the host, which the container sees owned by
// the user `owner`. Opened as the host has it opened, with `flags` besides (O_NONBLOCK). ENOMEM, EBADF.
Result<Ref<fs::File>> open_host_stream(hostcall::Handle handle, uint32_t owner, uint32_t flags);
// From the event loop.
void host_stream_ready(hostcall::Handle handle, uint32_t events);
void terminal_resized(uint32_t rows, uint32_t columns);

// The container's terminal: a bridge between the host's and one of the sentry's own. Returns the side that
// becomes the standard streams.
Result<Ref<fs::File>> open_terminal_bridge(hostcall::Handle handle, uint32_t rows, uint32_t columns);

}  // namespace runsc::kernel
