// WirePump: moves Ethernet frames between a packet socket of the host and a WireRing of the sentry
// (hostcall/wire_ring.h), by a thread of its own.
//
// Nothing in the ring is trusted: addresses are checked against RAM, counts against this side's own, what
// says how long or how many is copied first. A ring that makes no sense is not looked at again (the sentry
// has broken its own network). Frames themselves are the container's business: the host's kernel copies them
// before it looks.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kernel/base/result.h"
#include "kvm/hostcall/wire_ring.h"
#include "kvm/monitor/error.h"
#include "kvm/monitor/guest_memory.h"
#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

// struct virtio_net_hdr, in front of each frame on a socket with PACKET_VNET_HDR (its header is none for
// C++).
struct VnetHeader {
  static constexpr std::uint8_t kNeedsChecksum = 1, kDataValid = 2;
  static constexpr std::uint8_t kNone = 0, kTcp4 = 1, kTcp6 = 4, kUdp = 5, kEcn = 0x80;
  std::uint8_t flags, gso_type;
  std::uint16_t hdr_len, gso_size, csum_start, csum_offset;
};
static_assert(sizeof(VnetHeader) == 10);

// A frame to be sent, copied out of the ring and judged.
struct ValidFrame {
  VnetHeader header{};
  unsigned pieces = 0;
  iovec parts[1 + hostcall::kMaxWirePieces];  // [0] is left for the header
};
// What the sentry says of a frame of `size` bytes, as the host's kernel takes it. EINVAL: that cannot be.
Result<VnetHeader> parse_offload(const hostcall::WireOffload& offload, std::uint64_t size);
// The other way: from the kernel to the sentry.
hostcall::WireOffload offload_of(const VnetHeader& header);

// What the pump works with. It is made outside the jail.
struct WireFds {
  UniqueFd socket;    // packet(7), with PACKET_VNET_HDR and O_NONBLOCK
  UniqueFd doorbell;  // eventfd(2), with O_NONBLOCK
};

class WirePump {
 public:
  // `tell`: there is something for a sentry
  // that wanted to know; called by the pump's thread. `memory` outlives the pump. `complain`: a line for the
  // log, once.
  using Complain = std::function<void(const std::string&)>;
  WirePump(WireFds fds, GuestMemory& memory, std::function<void()> tell, Complain complain)
      : socket_(std::move(fds.socket)),
        doorbell_(std::move(fds.doorbell)),
        memory_(memory),
        tell_(std::move(tell)),
        complain_(std::move(complain)) {}
  ~WirePump();

  // EFAULT: not RAM; EINVAL: not at the start of a page; EBUSY: there is a ring already.
  Result<void> attach(std::uint64_t ring_phys);
  // Starts the thread, if there is a ring. EAGAIN: the host has no thread for it.
  Result<void> start();
  void kick();
  // What kick() writes to; others may.
  int doorbell() const { return doorbell_.get(); }
  // The thread has ended on return. What is in the ring by then goes out, as far as the host takes it now.
  void stop();

  // One round of the thread. False: there was nothing to do.
  bool step();
  bool broken() const { return broken_; }

 private:
  void run();
  void sleep();
  bool send_some();
  bool receive_some();
  bool receive_one();
  // How many empty buffers there are.
  std::uint32_t offered();
  // Cuts the frame at `tx_taken_` out of what is filled up to `filled`.
  Result<ValidFrame> next_frame(std::uint32_t filled);
  void give_up(const char* why);

  const UniqueFd socket_, doorbell_;
  GuestMemory& memory_;
  const std::function<void()> tell_;
  const Complain complain_;
  std::atomic<hostcall::WireRing*> ring_{nullptr};
  std::thread thread_;
  std::atomic<bool> stop_{false};
  bool broken_ = false;
  bool congested_ = false;  // the host has no room for the next frame
  // This side's places.
  std::uint32_t tx_taken_ = 0, rx_used_ = 0, rx_filled_ = 0;
};

}  // namespace runsc::monitor
