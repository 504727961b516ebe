// RingWire: the driver of a network interface of the host: frames go through a ring in RAM that the monitor
// works on (kvm/hostcall/wire_ring.h).
#pragma once

#include "kvm/hostcall/wire_ring.h"
#include "net/inet/ethernet.h"
#include "net/network_namespace.h"

namespace runsc::net {

class RingWire final : public Wire, public HeapObject {
 public:
  // With its memory, for which nobody pays. ENOMEM.
  static Result<Unique<RingWire>> create(uint32_t number);
  explicit RingWire(uint32_t number) : number_(number) {}
  ~RingWire();

  // Where its frames go; the namespace lives as long as the wire from then on, as both do until the sandbox
  // ends. The monitor starts: whoever is connected gets frames in poll_wires(). EBUSY, EBADF: no such wire.
  Result<void> connect(Ref<NetworkNamespace> net, Ref<Ethernet> link);

  bool send(PacketPtr frame) override;
  bool checksum_offload() const override { return true; }
  uint32_t segment_max() const override { return kSegmentMax; }
  void set_receive_filter(bool promiscuous) override {
    promiscuous_.store(promiscuous, std::memory_order_relaxed);
  }

  // Takes frames that came, up to a budget (the rest soon), and has the stack deliver them. No locks held.
  void poll();

 private:
  // With its headers a frame stays below hostcall::kMaxFrame and Packet::kMaxSlices.
  static constexpr uint32_t kSegmentMax = 65024;
  static constexpr uint32_t kPieces = hostcall::kWirePieces, kBuffers = hostcall::kWireBuffers;
  // Linear bytes of frames on their way out are copied, so much to each piece.
  static constexpr uint32_t kPieceRoom = 256;
  // Frames that are no longer are copied on their way in, so that a page is not kept for little.
  static constexpr uint32_t kCopyMost = 2048;
  // Of longer ones the first bytes, where their headers are.
  static constexpr uint32_t kHeaderCopy = 128;
  static constexpr unsigned kBudget = 256;

  Result<void> allocate();
  // What is left to be done to it, in the monitor's words. False: it makes no sense.
  static bool describe(Packet& frame, hostcall::WireOffload& out);
  void reap_locked(PacketQueue& gone) REQUIRES(lock_);
  // What the ring needs no more of stays with the caller, to be freed without the lock.
  bool put_locked(PacketPtr& frame) REQUIRES(lock_);
  bool work(unsigned& budget);
  bool wanted(const std::byte* frame) const;
  PacketPtr take_frame(const hostcall::WireFrame& frame);
  bool refill(uint32_t count, std::span<Slice> fresh);
  void give(PacketPtr frame, const hostcall::WireFrame& about);

  class Again final : public Timer {
   public:
    explicit Again(RingWire& wire) : wire_(wire) {}
    ~Again() override { cancel(); }

   private:
    void fire() override { wire_.poll(); }
    RingWire& wire_;
  };

  const uint32_t number_;
  mm::Page* ring_block_ = nullptr;
  mm::Page* piece_block_ = nullptr;
  hostcall::WireRing* ring_ = nullptr;
  std::byte* piece_room_ = nullptr;
  Ref<NetworkNamespace> net_;
  Ref<Ethernet> link_;
  Again again_{*this};
  std::atomic<bool> promiscuous_{false};

  SpinLock lock_;  // of sending; nothing is freed under it
  uint32_t tx_filled_ GUARDED_BY(lock_) = 0, tx_reaped_ GUARDED_BY(lock_) = 0;
  PacketPtr held_[kPieces] GUARDED_BY(lock_);  // by the place of a frame's last piece

  // Of whoever has set polling_.
  std::atomic<bool> polling_{false};
  Slice buffers_[kBuffers];  // what stands in rx_buffers
  uint32_t rx_frames_ = 0, rx_buffers_ = 0;
  bool broken_ = false;  // the monitor said what cannot be: nothing more is taken
};

// For Shared::wires_pending: takes what came. Idle context or task, no locks held.
void poll_wires();

}  // namespace runsc::net
