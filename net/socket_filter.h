// Filters of sockets (socket(7), SO_ATTACH_FILTER): classic BPF over what is about to be queued.
#pragma once

#include "kernel/base/bpf.h"
#include "kernel/base/ref.h"
#include "kernel/base/vec.h"
#include "net/packet.h"

namespace runsc::net {

// The bytes that a program sees, and where they come from. Valid as long as these are.
class FilterView {
 public:
  virtual uint32_t size() const = 0;
  // False: not all of them are there.
  virtual bool read(int64_t offset, std::span<std::byte> out) const = 0;
  // Offsets of the network and the link header from the first byte; kNone: there is none.
  static constexpr int64_t kNone = INT64_MAX;
  virtual int64_t network() const { return kNone; }
  virtual int64_t link() const { return kNone; }
  virtual const PacketInfo* info() const { return nullptr; }
  uint16_t hardware = 0;  // ARPHRD_* of the device, if info() names one

 protected:
  ~FilterView() = default;
};

// Bytes in one piece.
class BytesView final : public FilterView {
 public:
  explicit BytesView(std::span<const std::byte> bytes) : bytes_(bytes) {}
  uint32_t size() const override { return static_cast<uint32_t>(bytes_.size()); }
  bool read(int64_t offset, std::span<std::byte> out) const override;

 private:
  std::span<const std::byte> bytes_;
};

// A packet, to be seen from some place of it on.
class PacketView : public FilterView {
 public:
  explicit PacketView(const Packet& packet) : packet_(packet) {}
  uint32_t size() const override { return static_cast<uint32_t>(packet_.size()); }
  bool read(int64_t offset, std::span<std::byte> out) const override;
  int64_t network() const override { return int64_t{packet_.info.network_at} - packet_.here(); }
  int64_t link() const override {
    return packet_.info.link_header ? network() - packet_.info.link_header : kNone;
  }
  const PacketInfo* info() const override { return &packet_.info; }

 protected:
  ~PacketView() = default;
  const Packet& packet_;
};

// A packet from its data() on.
class WholePacketView final : public PacketView {
 public:
  using PacketView::PacketView;
};

class SocketFilter final : public RefCounted<SocketFilter> {
 public:
  // EINVAL: not a program that socket(7) takes. ENOMEM.
  static Result<Ref<SocketFilter>> create(Vec<BpfInstruction> program);

  // How many bytes to keep; 0: nothing is queued. Any context.
  uint32_t run(const FilterView& view) const;
  std::span<const BpfInstruction> program() const { return {program_.data(), program_.size()}; }

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit SocketFilter(Vec<BpfInstruction> program) : program_(std::move(program)) {}

  const Vec<BpfInstruction> program_;
};

// True: `packet` may be queued; it has been cut to what the filter wants, but not below `least` bytes.
bool pass_filter(const SocketFilter& filter, Packet& packet, uint32_t least);

}  // namespace runsc::net
