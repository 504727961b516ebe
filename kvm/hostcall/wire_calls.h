// Hostcalls of network interfaces. A wire is a network interface of the host that was given to the sandbox;
// its frames go through a ring in RAM (wire_ring.h), and calls only start it and wake who sleeps.
#pragma once

#include <cstdint>

#include "kvm/hostcall/call_types.h"

namespace runsc::hostcall {

// Wires are numbered from 0 on, in the order in which network_spec.h names them.
inline constexpr uint32_t kMaxWires = 32;

struct WireAttach {  // from now on the monitor works on the ring. Once for each wire: EBUSY. EBADF, EFAULT
  static constexpr Number kNumber = Number::wire_attach;
  struct Request {
    uint32_t wire, reserved;
    uint64_t ring_phys;  // of a WireRing
  };
  using Reply = Empty;
};
struct WireKick {  // the monitor slept (WireRing::asleep) and there is something for it
  static constexpr Number kNumber = Number::wire_kick;
  struct Request {
    uint32_t wires;  // bit n: wire n
    uint32_t reserved;
  };
  using Reply = Empty;
};

}  // namespace runsc::hostcall
