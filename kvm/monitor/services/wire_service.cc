// Hostcalls of network interfaces.
#include <bit>

#include "kvm/monitor/services/services.h"

namespace runsc::monitor {

Result<void> serve_wire_attach(Services& s, const hc::WireAttach::Request& request) {
  WirePump* pump = s.wires.find(request.wire);
  if (pump == nullptr) return Errno::badf;
  TRY(pump->attach(request.ring_phys));
  return pump->start();
}

Result<void> serve_wire_kick(Services& s, const hc::WireKick::Request& request) {
  for (std::uint32_t left = request.wires; left != 0; left &= left - 1)
    if (WirePump* pump = s.wires.find(static_cast<unsigned>(std::countr_zero(left)))) pump->kick();
  return {};
}

}  // namespace runsc::monitor
