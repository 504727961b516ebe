// WireRing: how Ethernet frames travel between the sentry and one network interface of the host: a block of
// guest RAM that the sentry made, whose address it gave with WireAttach. The monitor trusts nothing in it: it
// copies what it looks at first, and keeps its own places.
//
// Sending: the sentry writes pieces of frames into `tx`, then moves tx_filled on; the monitor sends them in
// their order and moves tx_taken on: pieces below it may be used anew, and what they pointed to may be freed.
// Receiving: the sentry offers empty buffers in `rx_buffers` (rx_offered); the monitor fills them in their
// order, as many for a frame as it takes (all but the last to the end), and tells of each frame in
// `rx_frames` (rx_filled). All four count up for ever and wrap; a place is the count modulo the size of its
// array.
//
// Who waits says so, then looks once more: the monitor by `asleep`, which the sentry answers by ring_wires();
// the sentry by `rx_notify`, which the monitor answers with Shared::wires_pending and a wake of a CPU.
#pragma once

#include <atomic>
#include <cstdint>

namespace runsc::hostcall {

inline constexpr uint32_t kWirePieces = 2048;  // powers of two
inline constexpr uint32_t kWireBuffers = 512;
inline constexpr uint32_t kWireBufferSize = 4096;  // whole pages
// A frame whose IP packet has 64 KiB, with its Ethernet header and a VLAN tag.
inline constexpr uint32_t kMaxFrame = 65535 + 18;
inline constexpr uint32_t kMinFrame = 14;
// So many packets may one frame stand for (WireOffload::segments), when the sentry sends it.
inline constexpr uint32_t kMaxSegments = 128;
// Of one frame.
inline constexpr uint32_t kMaxWirePieces = 40;
inline constexpr uint32_t kMaxFrameBuffers = (kMaxFrame + kWireBufferSize - 1) / kWireBufferSize;

// What is still to be done to a frame, or need not be. Places are bytes from the start of the frame.
struct WireOffload {
  // A checksum is to be completed: its field holds the sum of the pseudo header.
  static constexpr uint8_t kPartial = 1;
  // Somebody has looked at the checksum: it is right. Receiving only.
  static constexpr uint8_t kVerified = 2;
  enum Segments : uint8_t { none = 0, tcp4 = 1, udp = 2, tcp6 = 3 };
  uint8_t flags;
  uint8_t segments;         // it stands for several packets
  uint16_t segment_size;    // bytes of payload of each
  uint16_t header_size;     // bytes in front of the payload
  uint16_t checksum_start;  // kPartial: from where on it is summed up
  uint16_t checksum_field;  // and where the field is, from there on
  uint16_t reserved;
};
static_assert(sizeof(WireOffload) == 12);

struct WirePiece {
  uint64_t phys;
  uint32_t size;
  uint32_t more;  // the frame goes on in the next one
};

struct WireFrame {
  uint32_t size;
  WireOffload offload;
};

// In ring 0 the bell of a wire: OUT of 32 bits, the number of the wire. KVM tells the monitor's thread
// without leaving for the monitor.
inline constexpr uint16_t kWirePort = 0x42;
// To the monitor's threads of the wires whose bits are set, as WireKick. Defined by the seam; the sentry's.
void ring_wires(uint32_t wires);

struct WireRing {
  enum Asleep : uint32_t {
    awake = 0,
    wants_frames = 1,   // something to send is news
    wants_buffers = 2,  // empty buffers are, too
  };
  // The sentry's.
  alignas(64) std::atomic<uint32_t> tx_filled;
  std::atomic<uint32_t> rx_offered;
  // 1: the sentry wants to hear of frames; the monitor clears it when it tells.
  alignas(64) std::atomic<uint32_t> rx_notify;
  // The monitor's.
  alignas(64) std::atomic<uint32_t> tx_taken;
  std::atomic<uint32_t> rx_filled;
  std::atomic<uint32_t> asleep;
  // Frames that the host did not take, and those that came when there was no room. They wrap.
  std::atomic<uint32_t> tx_refused, rx_missed;

  alignas(64) WirePiece tx[kWirePieces];
  WireOffload tx_offload[kWirePieces];  // at a frame's first piece
  uint64_t rx_buffers[kWireBuffers];    // addresses of whole pages
  WireFrame rx_frames[kWireBuffers];
};

}  // namespace runsc::hostcall
