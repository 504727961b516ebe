#include "kvm/monitor/wire/wire_pump.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <system_error>
#include <type_traits>

namespace runsc::monitor {

namespace hc = hostcall;
using hc::WireOffload;
using hc::WireRing;

namespace {

// Frames of one direction in a round, so that none starves the other.
constexpr int kBatch = 64;
constexpr off_t kAtItsPlace = -1;

// A private copy of something that the sentry may be writing.
template <class T>
T copy_of(T& shared) {
  using Word = std::conditional_t<alignof(T) == alignof(std::uint64_t), std::uint64_t, std::uint16_t>;
  static_assert(sizeof(T) % sizeof(Word) == 0 && alignof(T) >= alignof(Word));
  std::array<Word, sizeof(T) / sizeof(Word)> words;
  // SAFETY: plain data, of which any bits are a value; read a word at a time, each once.
  auto* from = reinterpret_cast<Word*>(&shared);
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = std::atomic_ref(from[i]).load(std::memory_order_relaxed);
  return std::bit_cast<T>(words);
}

struct SegmentKind {
  WireOffload::Segments ours;
  std::uint8_t theirs;
};
constexpr SegmentKind kSegmentKinds[] = {{WireOffload::none, VnetHeader::kNone},
                                         {WireOffload::tcp4, VnetHeader::kTcp4},
                                         {WireOffload::tcp6, VnetHeader::kTcp6},
                                         {WireOffload::udp, VnetHeader::kUdp}};

}  // namespace

Result<VnetHeader> parse_offload(const WireOffload& offload, std::uint64_t size) {
  VnetHeader header{};
  if ((offload.flags & ~(WireOffload::kPartial | WireOffload::kVerified)) != 0) return Errno::inval;
  const bool partial = (offload.flags & WireOffload::kPartial) != 0;
  if (partial) {
    if (offload.checksum_start < hc::kMinFrame ||
        std::uint64_t{offload.checksum_start} + offload.checksum_field + 2 > size)
      return Errno::inval;
    header.flags = VnetHeader::kNeedsChecksum;
    header.csum_start = offload.checksum_start;
    header.csum_offset = offload.checksum_field;
  }
  if (offload.segments == WireOffload::none) return header;
  const auto* kind = std::find_if(std::begin(kSegmentKinds), std::end(kSegmentKinds),
                                  [&](const SegmentKind& k) { return k.ours == offload.segments; });
  if (kind == std::end(kSegmentKinds) || !partial) return Errno::inval;
  if (offload.segment_size == 0 || offload.header_size <= offload.checksum_start ||
      offload.header_size >= size)
    return Errno::inval;
  // The host cuts it up, and would for a byte each.
  if ((size - offload.header_size - 1) / offload.segment_size >= hc::kMaxSegments) return Errno::inval;
  header.gso_type = kind->theirs;
  header.gso_size = offload.segment_size;
  header.hdr_len = offload.header_size;
  return header;
}

WireOffload offload_of(const VnetHeader& header) {
  WireOffload offload{};
  if ((header.flags & VnetHeader::kNeedsChecksum) != 0) {
    offload.flags = WireOffload::kPartial;
    offload.checksum_start = header.csum_start;
    offload.checksum_field = header.csum_offset;
  } else if ((header.flags & VnetHeader::kDataValid) != 0) {
    offload.flags = WireOffload::kVerified;
  }
  const auto type = static_cast<std::uint8_t>(header.gso_type & ~VnetHeader::kEcn);
  for (const SegmentKind& kind : kSegmentKinds)
    if (kind.theirs == type) offload.segments = kind.ours;
  if (offload.segments != WireOffload::none) {
    offload.segment_size = header.gso_size;
    offload.header_size = header.hdr_len;
  }
  return offload;
}

WirePump::~WirePump() { stop(); }

Result<void> WirePump::attach(std::uint64_t ring_phys) {
  if (ring_phys % kGuestPageSize != 0) return Errno::inval;
  if (!memory_.valid_ram(ring_phys, sizeof(WireRing))) return Errno::fault;
  // SAFETY: RAM is mapped as long as the VM is there; the ring is plain data whatever is in it.
  auto* ring = reinterpret_cast<WireRing*>(memory_.at(ring_phys));
  WireRing* none = nullptr;
  if (!ring_.compare_exchange_strong(none, ring)) return Errno::busy;
  return {};
}

Result<void> WirePump::start() {
  if (ring_.load() == nullptr || thread_.joinable()) return {};
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    return Errno::again;
  }
  return {};
}

void WirePump::kick() {
  const std::uint64_t one = 1;
  (void)!::write(doorbell_.get(), &one, sizeof one);
}

void WirePump::stop() {
  stop_.store(true, std::memory_order_release);
  kick();
  if (thread_.joinable()) thread_.join();
  // What the container sent last: it has ended.
  if (ring_.load() == nullptr) return;
  congested_ = false;
  // As much as the ring holds: CPUs may still be filling it.
  for (std::uint32_t i = 0; i < hc::kWirePieces / kBatch && !broken_ && !congested_; ++i)
    if (!send_some()) break;
}

void WirePump::run() {
  ::pthread_setname_np(::pthread_self(), "wire");
  while (!stop_.load(std::memory_order_acquire)) {
    if (!step()) sleep();
  }
}

bool WirePump::step() {
  bool done = false;
  if (!broken_ && !congested_) done |= send_some();
  if (!broken_) done |= receive_some();
  // Whoever is kept awake by what comes in does not wait for room, but looks for it again.
  if (done) congested_ = false;
  return done;
}

void WirePump::give_up(const char* why) {
  broken_ = true;
  complain_(std::string("monitor: the sentry has broken a network interface of its own: ") + why);
}

// ---- sending

Result<ValidFrame> WirePump::next_frame(std::uint32_t filled) {
  WireRing& ring = *ring_.load(std::memory_order_relaxed);
  ValidFrame frame;
  std::uint64_t size = 0;
  for (;;) {
    if (frame.pieces == hc::kMaxWirePieces || tx_taken_ + frame.pieces == filled) return Errno::inval;
    const hc::WirePiece piece = copy_of(ring.tx[(tx_taken_ + frame.pieces) % hc::kWirePieces]);
    if (!memory_.valid_ram(piece.phys, piece.size)) return Errno::fault;
    size += piece.size;
    frame.parts[++frame.pieces] = {memory_.at(piece.phys), piece.size};
    if (piece.more == 0) break;
  }
  if (size < hc::kMinFrame || size > hc::kMaxFrame) return Errno::inval;
  frame.header = TRY(parse_offload(copy_of(ring.tx_offload[tx_taken_ % hc::kWirePieces]), size));
  return frame;
}

bool WirePump::send_some() {
  WireRing& ring = *ring_.load(std::memory_order_relaxed);
  const std::uint32_t filled = ring.tx_filled.load(std::memory_order_acquire);
  if (filled - tx_taken_ > hc::kWirePieces) {
    give_up("more frames than there is room for");
    return false;
  }
  bool moved = false;
  for (int i = 0; i < kBatch && tx_taken_ != filled; ++i) {
    Result<ValidFrame> frame = next_frame(filled);
    if (!frame) {
      give_up("a frame that cannot be");
      break;
    }
    frame->parts[0] = {&frame->header, sizeof frame->header};
    const ssize_t n =
        ::pwritev2(socket_.get(), frame->parts, static_cast<int>(frame->pieces + 1), kAtItsPlace, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      congested_ = true;
      break;
    }
    // Too long, the link is down, no memory: a frame that is lost, as frames may be.
    if (n < 0)
      ring.tx_refused.store(ring.tx_refused.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    tx_taken_ += frame->pieces;
    ring.tx_taken.store(tx_taken_, std::memory_order_release);
    moved = true;
  }
  return moved;
}

// ---- receiving

std::uint32_t WirePump::offered() {
  const std::uint32_t there =
      ring_.load(std::memory_order_relaxed)->rx_offered.load(std::memory_order_acquire) - rx_used_;
  if (there <= hc::kWireBuffers) return there;
  give_up("more buffers than there is room for");
  return 0;
}

bool WirePump::receive_one() {
  WireRing& ring = *ring_.load(std::memory_order_relaxed);
  VnetHeader header{};
  iovec parts[1 + hc::kMaxFrameBuffers];
  parts[0] = {&header, sizeof header};
  for (std::uint32_t i = 0; i < hc::kMaxFrameBuffers; ++i) {
    const std::uint64_t phys = copy_of(ring.rx_buffers[(rx_used_ + i) % hc::kWireBuffers]);
    if (phys % hc::kWireBufferSize != 0 || !memory_.valid_ram(phys, hc::kWireBufferSize)) {
      give_up("a buffer that is not memory");
      return false;
    }
    parts[1 + i] = {memory_.at(phys), hc::kWireBufferSize};
  }
  const ssize_t n = ::preadv2(socket_.get(), parts, 1 + hc::kMaxFrameBuffers, kAtItsPlace, 0);
  if (n < 0) return errno != EAGAIN;
  const auto size = static_cast<std::uint64_t>(n) - std::min<std::uint64_t>(n, sizeof header);
  // Runts, and what may have been cut off.
  if (size < hc::kMinFrame || size > hc::kMaxFrame) return true;
  hc::WireFrame& frame = ring.rx_frames[rx_filled_ % hc::kWireBuffers];
  frame.size = static_cast<std::uint32_t>(size);
  frame.offload = offload_of(header);
  rx_used_ += static_cast<std::uint32_t>((size + hc::kWireBufferSize - 1) / hc::kWireBufferSize);
  ring.rx_filled.store(++rx_filled_, std::memory_order_release);
  return true;
}

bool WirePump::receive_some() {
  WireRing& ring = *ring_.load(std::memory_order_relaxed);
  const std::uint32_t before = rx_filled_;
  bool more = true;
  for (int i = 0; more && i < kBatch && offered() >= hc::kMaxFrameBuffers; ++i) more = receive_one();
  if (rx_filled_ == before) return false;
  // Against the sentry, which sets it and then looks at rx_filled.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (ring.rx_notify.load(std::memory_order_relaxed) != 0 && ring.rx_notify.exchange(0) != 0) tell_();
  return true;
}

// ---- waiting

void WirePump::sleep() {
  WireRing& ring = *ring_.load(std::memory_order_relaxed);
  const bool room = !broken_ && offered() >= hc::kMaxFrameBuffers;
  if (!broken_) {
    ring.asleep.store(WireRing::wants_frames | (room ? 0U : WireRing::wants_buffers),
                      std::memory_order_seq_cst);
    const bool frames = !congested_ && ring.tx_filled.load(std::memory_order_seq_cst) != tx_taken_;
    const bool buffers = !room && !broken_ && offered() >= hc::kMaxFrameBuffers;
    if (frames || buffers) return ring.asleep.store(WireRing::awake, std::memory_order_relaxed);
  }
  short wanted = 0;
  if (room) wanted |= POLLIN;
  if (congested_ && !broken_) wanted |= POLLOUT;
  // Without anything to wait for, not even errors are: they would be told again and again.
  pollfd fds[2] = {{doorbell_.get(), POLLIN, 0}, {wanted != 0 ? socket_.get() : -1, wanted, 0}};
  (void)::ppoll(fds, 2, nullptr, nullptr);
  if (!broken_) ring.asleep.store(WireRing::awake, std::memory_order_relaxed);
  if ((fds[0].revents & POLLIN) != 0) {
    std::uint64_t count = 0;
    (void)!::read(doorbell_.get(), &count, sizeof count);
  }
  if (fds[1].revents != 0) congested_ = false;
}

}  // namespace runsc::monitor
