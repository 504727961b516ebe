#include "net/device/ring_wire.h"

#include <algorithm>
#include <bit>

#include "kvm/arch/seam.h"
#include "kvm/hostcall/client.h"
#include "net/device/split_datagrams.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"

namespace runsc::net {

namespace hc = hostcall;
using hc::WireOffload;
using hc::WireRing;

namespace {

constinit std::atomic<RingWire*> g_wires[hc::kMaxWires];
// Wires whose monitor sleeps although there is something for it.
constinit std::atomic<uint32_t> g_doorbells{0};

constexpr unsigned order_of(size_t bytes) {
  return static_cast<unsigned>(std::bit_width((bytes + mm::kPageSize - 1) / mm::kPageSize - 1));
}
static_assert(order_of(4096) == 0 && order_of(4097) == 1 && order_of(32768) == 3);

// What is taken here is taken for nobody: who happens to run must not pay for strangers' packets.
class ForNobody {
 public:
  ForNobody() : before_(arch::cpu_local().account) { arch::cpu_local().account = kNoAccount; }
  ~ForNobody() { arch::cpu_local().account = before_; }
  ForNobody(const ForNobody&) = delete;
  ForNobody& operator=(const ForNobody&) = delete;

 private:
  const AccountId before_;
};

}  // namespace

Result<Unique<RingWire>> RingWire::create(uint32_t number) {
  const ForNobody for_nobody;
  Unique<RingWire> wire = make<RingWire>(number);
  if (!wire) return Errno::nomem;
  TRY(wire->allocate());
  return wire;
}

Result<void> RingWire::allocate() {
  ring_block_ = TRY(mm::alloc_pages(order_of(sizeof(WireRing)), mm::Zero::yes, mm::Use::sentry));
  piece_block_ = TRY(mm::alloc_pages(order_of(size_t{kPieces} * kPieceRoom), mm::Zero::no, mm::Use::sentry));
  ring_ = new (mm::page_data(*ring_block_)) WireRing{};
  piece_room_ = static_cast<std::byte*>(mm::page_data(*piece_block_));
  for (uint32_t i = 0; i < kBuffers; ++i) {
    buffers_[i] = TRY(Slice::allocate(hc::kWireBufferSize));
    ring_->rx_buffers[i] = arch::virt_to_phys(buffers_[i].data());
  }
  ring_->rx_offered.store(kBuffers, std::memory_order_relaxed);
  ring_->rx_notify.store(1, std::memory_order_relaxed);
  return {};
}

RingWire::~RingWire() {
  if (ring_block_) mm::put_page(*ring_block_);
  if (piece_block_) mm::put_page(*piece_block_);
}

Result<void> RingWire::connect(Ref<NetworkNamespace> net, Ref<Ethernet> link) {
  if (number_ >= hc::kMaxWires) return Errno::badf;
  net_ = std::move(net);
  link_ = std::move(link);
  RingWire* none = nullptr;
  if (!g_wires[number_].compare_exchange_strong(none, this, std::memory_order_acq_rel)) return Errno::busy;
  auto reply = hostcall::call<hc::WireAttach>([&](auto& request) {
    request.wire = number_;
    request.ring_phys = mm::page_phys(*ring_block_);
  });
  if (!reply) return reply.error();
  return {};
}

// ---- down

bool RingWire::describe(Packet& frame, WireOffload& out) {
  const PacketInfo& info = frame.info;
  out = {};
  if (info.checksum != ChecksumState::partial) return info.segment_size == 0;
  const uint32_t start = info.transport_at - frame.here();
  if (start >= frame.linear_size()) return false;
  out.flags = WireOffload::kPartial;
  out.checksum_start = static_cast<uint16_t>(start);
  out.checksum_field = info.checksum_offset;
  if (info.segment_size == 0) return true;
  const bool v4 = info.ether == ether_type::ipv4;
  out.segment_size = info.segment_size;
  if (info.protocol == ip_protocol::udp) {
    out.segments = WireOffload::udp;
    out.header_size = static_cast<uint16_t>(start + 8);
    return true;
  }
  constexpr uint32_t kTcpHeader = 20, kOffsetAt = 12;
  if (info.protocol != ip_protocol::tcp || start + kTcpHeader > frame.linear_size()) return false;
  const auto words = static_cast<uint32_t>(frame.data()[start + kOffsetAt]) >> 4;
  out.segments = v4 ? WireOffload::tcp4 : WireOffload::tcp6;
  out.header_size = static_cast<uint16_t>(start + words * 4);
  return out.header_size <= frame.size();
}

void RingWire::reap_locked(PacketQueue& gone) {
  const uint32_t taken = ring_->tx_taken.load(std::memory_order_acquire);
  if (taken - tx_reaped_ > tx_filled_ - tx_reaped_) return;
  for (; tx_reaped_ != taken; ++tx_reaped_)
    if (PacketPtr& held = held_[tx_reaped_ % kPieces]; held) gone.push_back(std::move(held));
}

bool RingWire::put_locked(PacketPtr& frame) {
  const auto linear = static_cast<uint32_t>(frame->linear_size());
  const auto slices = static_cast<uint32_t>(frame->slices().size());
  const uint32_t copies = (linear + kPieceRoom - 1) / kPieceRoom;
  WireOffload offload;
  if (copies + slices > hc::kMaxWirePieces || frame->size() > hc::kMaxFrame ||
      frame->size() < hc::kMinFrame || !describe(*frame, offload))
    return false;
  if (tx_filled_ - tx_reaped_ + copies + slices > kPieces) return false;
  ring_->tx_offload[tx_filled_ % kPieces] = offload;
  uint32_t at = tx_filled_;
  uint32_t left = copies + slices;
  for (uint32_t done = 0; done < linear; done += kPieceRoom) {
    std::byte* room = piece_room_ + size_t{at % kPieces} * kPieceRoom;
    const uint32_t size = std::min(kPieceRoom, linear - done);
    __builtin_memcpy(room, frame->data() + done, size);
    ring_->tx[at++ % kPieces] = {arch::virt_to_phys(room), size, --left != 0};
  }
  for (const Slice& slice : frame->slices())
    ring_->tx[at++ % kPieces] = {arch::virt_to_phys(slice.data()), slice.size(), --left != 0};
  // Its pages are read until the monitor has taken it.
  if (slices != 0) held_[(at - 1) % kPieces] = std::move(frame);
  tx_filled_ = at;
  ring_->tx_filled.store(at, std::memory_order_seq_cst);
  return true;
}

bool RingWire::send(PacketPtr frame) {
  PacketQueue gone;  // freed without the lock
  bool put;
  {
    LockGuard guard(lock_);
    reap_locked(gone);
    put = put_locked(frame);
  }
  // Not here, under somebody's locks: whoever sends drains the stack afterwards.
  if (put && ring_->asleep.load(std::memory_order_seq_cst) != WireRing::awake)
    g_doorbells.fetch_or(uint32_t{1} << number_, std::memory_order_relaxed);
  return put;
}

void ring_doorbells() {
  if (g_doorbells.load(std::memory_order_relaxed) == 0) return;
  const uint32_t wires = g_doorbells.exchange(0, std::memory_order_relaxed);
  if (wires != 0) hostcall::ring_wires(wires);
}

// ---- up

// Buffers for those that a frame takes along: all of them, or none.
bool RingWire::refill(uint32_t count, std::span<Slice> fresh) {
  for (uint32_t i = 0; i < count; ++i) {
    Result<Slice> slice = Slice::allocate_atomic(hc::kWireBufferSize);
    if (!slice) return false;
    fresh[i] = std::move(*slice);
  }
  return true;
}

// As network cards do: frames for other stations are nobody's, unless somebody wants all.
bool RingWire::wanted(const std::byte* frame) const {
  const MacAddress to = MacAddress::from(frame);
  return to.is_group() || to == link_->mac() || promiscuous_.load(std::memory_order_relaxed);
}

// Null: there is no memory for it.
PacketPtr RingWire::take_frame(const hc::WireFrame& frame) {
  Slice& first = buffers_[rx_buffers_ % kBuffers];
  const uint32_t copied = frame.size <= kCopyMost ? frame.size : kHeaderCopy;
  PacketPtr packet = Packet::create(std::max(copied, Packet::kHeaderRoom));
  if (!packet) return {};
  // The first buffer has them all: kCopyMost is less than a buffer.
  __builtin_memcpy(packet->put(copied), first.data(), copied);
  if (copied == frame.size) return packet;
  const uint32_t count = (frame.size + hc::kWireBufferSize - 1) / hc::kWireBufferSize;
  Slice fresh[hc::kMaxFrameBuffers];
  if (!refill(count, fresh)) return {};
  for (uint32_t i = 0, left = frame.size; i < count; ++i) {
    const uint32_t place = (rx_buffers_ + i) % kBuffers;
    Slice full = std::exchange(buffers_[place], std::move(fresh[i]));
    ring_->rx_buffers[place] = arch::virt_to_phys(buffers_[place].data());
    const uint32_t here = std::min(left, hc::kWireBufferSize);
    full.cut(here);
    if (i == 0) full.drop_front(copied);
    left -= here;
    if (!packet->add_slice(std::move(full))) return {};
  }
  return packet;
}

void RingWire::give(PacketPtr frame, const hc::WireFrame& about) {
  const WireOffload& offload = about.offload;
  PacketInfo& info = frame->info;
  if (offload.flags & WireOffload::kVerified) info.checksum = ChecksumState::verified;
  if (offload.flags & WireOffload::kPartial) {
    const uint32_t end = uint32_t{offload.checksum_start} + offload.checksum_field + 2;
    // Where the headers are; else it is nonsense.
    if (end > frame->linear_size()) return;
    info.checksum = ChecksumState::partial;
    info.transport_at = frame->here() + offload.checksum_start;
    info.checksum_offset = offload.checksum_field;
  }
  if (offload.segments != WireOffload::none) info.segment_size = offload.segment_size;
  if (offload.segments == WireOffload::udp) {
    PacketQueue parts;
    if (!(offload.flags & WireOffload::kPartial) || !split_datagrams(*frame, offload.checksum_start, parts))
      return;
    while (PacketPtr part = parts.pop_front()) link_->receive_frame(std::move(part));
    return;
  }
  link_->receive_frame(std::move(frame));
}

// Until nothing is left (true) or the budget is used up.
bool RingWire::work(unsigned& budget) {
  while (!broken_ && rx_frames_ != ring_->rx_filled.load(std::memory_order_acquire)) {
    if (budget == 0) return false;
    --budget;
    const hc::WireFrame about = ring_->rx_frames[rx_frames_ % kBuffers];
    if (about.size < hc::kMinFrame || about.size > hc::kMaxFrame) {
      broken_ = true;
      return true;
    }
    const bool taken = wanted(buffers_[rx_buffers_ % kBuffers].data());
    PacketPtr frame = taken ? take_frame(about) : PacketPtr();
    ++rx_frames_;
    rx_buffers_ += (about.size + hc::kWireBufferSize - 1) / hc::kWireBufferSize;
    if (frame)
      give(std::move(frame), about);
    else if (taken)
      link_->received.dropped.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

void RingWire::poll() {
  const ForNobody for_nobody;
  unsigned budget = kBudget;
  do {
    // Whoever works looks once more after having ended.
    if (polling_.exchange(true, std::memory_order_acq_rel)) return;
    bool all = true;
    do {
      all = work(budget);
      ring_->rx_offered.store(rx_buffers_ + kBuffers, std::memory_order_seq_cst);
      if (all) ring_->rx_notify.store(1, std::memory_order_seq_cst);
    } while (all && !broken_ && rx_frames_ != ring_->rx_filled.load(std::memory_order_seq_cst));
    if (ring_->asleep.load(std::memory_order_seq_cst) & WireRing::wants_buffers)
      g_doorbells.fetch_or(uint32_t{1} << number_, std::memory_order_relaxed);
    const uint32_t seen = rx_frames_;
    const bool broken = broken_;
    polling_.store(false, std::memory_order_seq_cst);
    // A flood does not hold the CPU for ever.
    if (!all) again_.arm(monotonic_ns());
    if (!all || broken || seen == ring_->rx_filled.load(std::memory_order_seq_cst)) break;
  } while (true);
  PacketQueue gone;
  {
    LockGuard guard(lock_);
    reap_locked(gone);
  }
  net_->inet().drain();
}

void poll_wires() {
  ring_doorbells();
  std::atomic<uint32_t>& pending = arch::shared().wires_pending;
  if (pending.load(std::memory_order_relaxed) == 0) return;
  mm::phys_top_up();
  for (uint32_t wires = pending.exchange(0, std::memory_order_seq_cst); wires != 0; wires &= wires - 1) {
    const auto number = static_cast<unsigned>(std::countr_zero(wires));
    if (RingWire* wire = g_wires[number].load(std::memory_order_acquire)) wire->poll();
  }
}

}  // namespace runsc::net
