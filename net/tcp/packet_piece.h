// A received packet whose data wait to be read.
#pragma once

#include "net/packet.h"
#include "net/tcp/reassembly.h"

namespace runsc::net {

class PacketPiece final : public tcp::Piece {
 public:
  // `packet` starts at its data, all of which counts from `seq` on.
  PacketPiece(PacketPtr packet, tcp::Seq seq) : packet_(std::move(packet)) {
    start = seq;
    size = static_cast<uint32_t>(packet_->size());
    charge = packet_->memory() + sizeof(PacketPiece);
  }
  std::byte at(tcp::Seq number) const override {
    std::byte value{};
    packet_->read(offset + (number - start), std::span(&value, 1));
    return value;
  }
  // Bytes in pages are shared with the sender's; those of one block that follow each other are one slice.
  bool absorb(const tcp::Piece& other) override {
    constexpr uint32_t kMost = 16384;
    const auto& next = static_cast<const PacketPiece&>(other);
    const size_t end = offset + size;
    if (size > kMost || next.size > kMost || end != packet_->size() || packet_->linear_size() != 0)
      return false;
    if (next.packet_->linear_size() != 0 || next.packet_->slices().size() != 1) return false;
    if (!packet_->add_slice(next.packet_->slices()[0].part(next.offset, next.size))) return false;
    size += next.size;
    packet_->bill_anew();
    charge = packet_->memory() + sizeof(PacketPiece);
    return true;
  }
  // EFAULT, with nothing taken of `to`.
  Result<void> drain(mm::IoBuf& to, uint32_t from, uint32_t n) const { return packet_->drain(to, from, n); }

 private:
  const PacketPtr packet_;
};

}  // namespace runsc::net
