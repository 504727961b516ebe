// Ethernet: an interface whose frames a driver carries (RFC 894, RFC 2464).
//
// Down: transmit() finds the next hop's address in Neighbours, puts the header in front and gives the frame
// to the Wire. Up: the driver gives frames to receive_frame() and drains the stack after each batch.
#pragma once

#include "net/inet/autoconf.h"
#include "net/inet/interface.h"
#include "net/inet/multicast_reports.h"
#include "net/inet/neighbours.h"

namespace runsc::net {

// What carries the frames of an Ethernet: the driver below it.
class Wire {
 public:
  // A frame that starts with its Ethernet header. Does not sleep; called under locks of sockets (ranks before
  // net_config) or none. False: no room, the frame is gone (and counted by the interface). info.checksum is
  // partial only with checksum_offload(): the sum of what starts at info.transport_at belongs into the field
  // at info.checksum_offset from there, which holds the pseudo header's. info.segment_size only up to
  // segment_max(). It may give frames to receive_frame() meanwhile.
  virtual bool send(PacketPtr frame) = 0;
  virtual bool checksum_offload() const = 0;
  // Bytes of payload in one frame with segment_size; 0: no segmentation offload.
  virtual uint32_t segment_max() const = 0;
  // Promiscuous: frames for other hosts too. Groups and broadcasts are always given. Does not sleep.
  virtual void set_receive_filter(bool promiscuous) { (void)promiscuous; }

 protected:
  ~Wire() = default;
};

class Ethernet final : public Interface {
 public:
  static constexpr uint32_t kHeader = 14;
  // Not yet part of the stack: see NetConfig::add_interface(). The wire outlives it. EINVAL: not the address
  // of a station; ENOMEM.
  static Result<Ref<Ethernet>> make(Stack& stack, std::string_view name, const MacAddress& mac, uint32_t mtu,
                                    Wire& wire);
  ~Ethernet() override;
  // Permanent neighbours too, before it is up or later: neighbours().set(address, mac).
  Neighbours* neighbours() override { return &neighbours_; }
  Autoconf& autoconf() { return autoconf_; }
  MulticastReports& reports() { return reports_; }

  // From the driver: a frame from its Ethernet header on, info.checksum as the driver knows it (partial: with
  // transport_at and checksum_offset). Any context without locks from net_queue's rank on.
  void receive_frame(PacketPtr frame);

  void transmit(const Route& route, PacketPtr packet) override;
  Result<void> transmit_raw(PacketPtr packet) override;
  uint32_t link_header() const override { return kHeader; }
  uint16_t hardware_type() const override { return 1; }
  bool completes_checksums() const override { return wire_.checksum_offload(); }
  uint32_t segment_max() const override { return wire_.segment_max(); }
  void attached() override;
  void came_up() override;
  void went_down() override;
  void flags_changed() override;
  void ipv6_switched(bool on) override;
  void address_added(const InterfaceAddress& address) override;
  void address_removed(const InterfaceAddress& address) override;
  void group_joined(const IpAddress& group) override;
  void group_left(const IpAddress& group) override;
  void stop() override;

  const MacAddress& mac() const { return mac_; }
  Stack& owner() const { return stack(); }
  // Which of our addresses asks for `target` (any: none can); `wish` is what a packet for it is from.
  IpAddress arp_source(const IpAddress& target, const IpAddress& wish) const;
  IpAddress solicit_source(const IpAddress& target, const IpAddress& wish) const;
  // The link-local address that can be used; any: none.
  IpAddress link_local() const;
  void has_link_local() { reports_.has_link_local(); }
  // `packet` at its network header, to a station: header in front, and on its way.
  void send_to(const MacAddress& to, PacketPtr packet, uint16_t ether);

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Ethernet(Stack& stack, std::string_view name, const MacAddress& mac, uint32_t mtu, Wire& wire);
  void emit(PacketPtr frame, uint16_t ether);
  PacketFor whom(const MacAddress& to) const;

  const MacAddress mac_;
  Wire& wire_;
  Neighbours neighbours_;
  Autoconf autoconf_;
  MulticastReports reports_;
};

}  // namespace runsc::net
