// Hostcalls of network interfaces.
#include "kvm/monitor/services/services.h"

namespace runsc::monitor {

Result<void> serve_wire_attach(Services& s, const hc::WireAttach::Request& request) {
  if (request.wire >= s.wires.size()) return Errno::badf;
  WirePump& pump = *s.wires[request.wire];
  TRY(pump.attach(request.ring_phys));
  pump.start();
  return {};
}

Result<void> serve_wire_kick(Services& s, const hc::WireKick::Request& request) {
  for (std::size_t i = 0; i < s.wires.size(); ++i)
    if ((request.wires >> i & 1) != 0) s.wires[i]->kick();
  return {};
}

}  // namespace runsc::monitor
