// How the sentry calls: call<StatPath>(fill) where fill writes the request in place.
#pragma once

#include <new>

#include "kernel/base/result.h"
#include "kvm/hostcall/calls.h"

namespace runsc::hostcall {

// This CPU's frame, and the doorbell; defined by the seam. No task switch may happen between the two, which
// holds because the sentry is not preempted and a hostcall does not park.
Frame& cpu_frame();
void ring(Frame& frame);

// Fills a request in this CPU's frame and serves it. The reply is valid until the next hostcall on this CPU:
// take out what is needed before anything that may switch tasks. Not under spinlocks.
template <HostCall Call, class Fill>
Result<const typename Call::Reply*> call(Fill&& fill) {
  Frame& frame = cpu_frame();
  fill(*new (frame.body) typename Call::Request);
  frame.number = static_cast<uint32_t>(Call::kNumber);
  ring(frame);
  if (frame.error != 0) return static_cast<Errno>(frame.error);
  return reinterpret_cast<const typename Call::Reply*>(frame.body);
}

}  // namespace runsc::hostcall
