// Loopback: `lo`, whose packets come back.
#pragma once

#include "net/inet/interface.h"

namespace runsc::net {

class Loopback final : public Interface {
 public:
  static constexpr uint32_t kMtu = 65536;
  explicit Loopback(Stack& stack);
  Result<void> add_own_v6();  // ::1
  void transmit(const Route& route, PacketPtr packet) override;
  void came_up() override;
  void went_down() override;
  void ipv6_switched(bool on) override;
  Result<void> transmit_raw(PacketPtr packet) override;
  uint32_t link_header() const override { return 14; }
  uint16_t hardware_type() const override { return 772; }
  bool completes_checksums() const override { return true; }
};

}  // namespace runsc::net
