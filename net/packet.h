// Packet: one packet on its way through the stack. Headers (and small payloads) stand in one piece of object
// memory with room in front; larger payloads are slices of pages that several packets and queues may share.
#pragma once

#include "kernel/base/alloc.h"
#include "kernel/base/check.h"
#include "mm/io_buf.h"
#include "mm/phys.h"
#include "net/inet/checksum.h"

namespace runsc::net {

// Bytes in pages that are shared by count: copies of a slice see the same bytes. The bytes of a slice that
// somebody else may see never change; who owns the block's only writer appends behind them.
class Slice {
 public:
  Slice() = default;
  Slice(Slice&& o) noexcept { swap(o); }
  Slice& operator=(Slice&& o) noexcept {
    Slice gone(std::move(o));
    swap(gone);
    return *this;
  }
  ~Slice() {
    if (page_) mm::put_page(*page_);
  }
  // A whole fresh block of at least one page and about `wanted` bytes (at most 32 KiB), contents undefined.
  // Sleeps (hostcall): not under spinlocks. ENOBUFS.
  static Result<Slice> allocate(size_t wanted);
  // The same from what is usable now: any context.
  static Result<Slice> allocate_atomic(size_t wanted);

  uint32_t size() const { return size_; }
  std::byte* data() const { return static_cast<std::byte*>(mm::page_data(*page_)) + offset_; }
  std::span<std::byte> bytes() const {
    return page_ ? std::span<std::byte>(data(), size_) : std::span<std::byte>();
  }
  // Another reference to [offset, offset + size) of it.
  Slice part(uint32_t offset, uint32_t size) const;
  void drop_front(uint32_t n) { offset_ += n, size_ -= n; }
  void cut(uint32_t size) { size_ = size; }
  // Bytes of the block behind it, if nobody else has any of the block: grow() makes them part of it.
  uint32_t room() const { return alone() ? block_size() - offset_ - size_ : 0; }
  void grow(uint32_t n) { size_ += n; }
  bool alone() const { return page_ && page_->count.load(std::memory_order_acquire) == 1; }
  // If `next` follows this one in the same block: takes its bytes over, true.
  bool join(const Slice& next);
  // Memory of the whole block.
  uint32_t block_size() const { return page_ ? static_cast<uint32_t>(mm::kPageSize << page_->order) : 0; }

 private:
  void swap(Slice& o) {
    std::swap(page_, o.page_);
    std::swap(offset_, o.offset_);
    std::swap(size_, o.size_);
  }
  mm::Page* page_ = nullptr;
  uint32_t offset_ = 0, size_ = 0;
};

// Whether what came from outside may be kept at the expense of the account: a part of its limit is left to
// its own tasks. `first`: whoever asks keeps next to nothing so far, and gets on with a little.
bool has_room_for_received(AccountId account, size_t bytes, bool first);

class Packet;
using PacketPtr = Unique<Packet>;

// Whether the transport's checksum can be trusted.
enum class ChecksumState : uint8_t {
  unknown,   // as it came from outside: to be verified
  verified,  // right
  partial,   // never left this machine: the field holds the sum of the pseudo header only (see Stack::send)
};

// Whom a packet of the link layer is for (packet(7), sll_pkttype).
enum class PacketFor : uint8_t { host = 0, broadcast = 1, multicast = 2, other_host = 3, outgoing = 4 };

namespace ether_type {
inline constexpr uint16_t ipv4 = 0x0800, arp = 0x0806, ipv6 = 0x86dd, all = 3, vlan = 0x8100,
                          service_vlan = 0x88a8;
}

// What is known of a packet beside its bytes.
struct PacketInfo {
  // Of the IP header, set when it has been parsed (receive) or built (send).
  IpAddress source, destination;
  uint32_t flow_label = 0;  // IPv6: traffic class and flow label as in the header, host order
  uint8_t protocol = 0;     // of the transport
  uint8_t ttl = 0, tos = 0;
  PacketFor to = PacketFor::host;
  bool by_hand = false;  // an application made all of it (packet(7))
  bool looped = false;   // a copy of what we send to a group or to all, for ourselves
  uint16_t ether = 0;    // ether_type
  // A link header of so many bytes stands in front of the network header; 0: it had none.
  uint8_t link_header = 0;
  uint16_t vlan_type = 0, vlan_control = 0;  // the tag that was in it (IEEE 802.1Q)

  uint32_t interface = 0;  // index of where it came in; sending: where it goes out
  ChecksumState checksum = ChecksumState::unknown;
  uint16_t checksum_offset = 0;  // partial: where the field is from `transport_at` on
  // Larger than the MTU: payload bytes of each packet that it stands for; 0: it is one packet.
  uint16_t segment_size = 0;
  // Bytes from the first byte of the buffer: where headers stand, for those who look back.
  uint32_t network_at = 0, transport_at = 0;
  int64_t timestamp_ns = 0;  // CLOCK_REALTIME; 0: nobody wanted to know
  uint32_t charge = 0;       // what it counts for in a receive buffer
  uint32_t original = 0;     // packet(7): its size before a filter cut it
};

class Packet {
 public:
  static constexpr uint32_t kHeadroom = 128;
  static constexpr size_t kMaxSlices = 17;  // 64 KiB in single pages
  // Room for all headers of a packet whose bytes are in pages: header() brings them into one piece.
  static constexpr uint32_t kHeaderRoom = 256;

  // `headroom` bytes in front and `room` for bytes behind. Any context. Null: no memory.
  static PacketPtr create(uint32_t room = 0, uint32_t headroom = kHeadroom);
  // Linear bytes copied, slices shared; as much headroom. Any context. Null: no memory.
  PacketPtr clone() const;
  static void destroy(Packet* packet);  // Unique's hook

  size_t size() const { return linear_size() + slice_bytes_; }
  size_t linear_size() const { return tail_ - head_; }
  uint32_t headroom() const { return head_; }
  uint32_t tailroom() const { return room_ - tail_; }
  std::byte* data() { return buffer() + head_; }
  const std::byte* data() const { return buffer() + head_; }
  std::span<std::byte> linear() { return {data(), linear_size()}; }
  std::span<const std::byte> linear() const { return {data(), linear_size()}; }

  // `n` bytes more in front. There must be headroom.
  std::byte* push(uint32_t n) {
    CHECK(n <= head_, "a header without headroom");
    head_ -= n;
    return data();
  }
  // The first n bytes go. False, nothing done: it is shorter.
  bool pull(size_t n);
  // The first n bytes in one piece (moved out of slices if there is tailroom); empty: shorter, or no room.
  std::span<std::byte> header(size_t n);
  // `n` more linear bytes at the end; only while there are no slices. Null: no room.
  std::byte* put(uint32_t n);
  // Cut behind the first `size` bytes.
  void trim(size_t size);

  // False, and `slice` stays: kMaxSlices already, and it does not follow the last one.
  bool add_slice(Slice&& slice);
  std::span<const Slice> slices() const { return {slices_, slice_count_}; }
  // Bytes [offset, offset + size) of another packet behind ours: slices are shared, linear bytes copied. Any
  // context. False: too many pieces or no memory; ours is then to be thrown away.
  bool append(const Packet& from, size_t offset, size_t size);

  // `size` bytes out of the caller's memory at the end: in the tailroom, else in what is free of the last
  // page and in fresh ones. Sleeps. ENOBUFS, EFAULT: the packet is then to be thrown away.
  Result<void> fill(mm::IoBuf& from, size_t size);
  // Bytes [offset, offset + size) to the caller: all, or EFAULT with nothing taken of `to`. They are there.
  Result<void> drain(mm::IoBuf& to, size_t offset, size_t size) const;
  void read(size_t offset, std::span<std::byte> out) const;
  void add_to(ChecksumSum& sum, size_t offset, size_t size) const;

  // What Linux counts for it against a receive buffer (the truesize of its sk_buff).
  uint32_t memory() const;
  // Memory of blocks that are kept by a small part of them, by nobody but this packet: memory() does not have
  // it.
  uint32_t idle_memory() const;

  // Headers by the places kept in `info`. Valid while the bytes in front of data() have not been overwritten.
  std::byte* at(uint32_t buffer_offset) { return buffer() + buffer_offset; }
  const std::byte* at(uint32_t buffer_offset) const { return buffer() + buffer_offset; }
  // For whom it was made: pays, too, for what comes of it on its way up, whoever it is that works on that.
  AccountId payer() const { return payer_; }
  // Who keeps a packet that nobody pays for, one from outside, pays for it from now on until it goes.
  // False, nothing done: see has_room_for_received().
  bool bill(AccountId account, bool first);
  // It keeps more, or less, than when it was billed.
  void bill_anew();
  // Memory of the packet and the blocks that it has a part of.
  size_t kept() const;
  uint32_t here() const { return head_; }  // for info.network_at and the like

  PacketInfo info;

 private:
  friend class PacketQueue;
  Packet(uint32_t room) : room_(room) {}
  ~Packet() = default;
  std::byte* buffer() { return reinterpret_cast<std::byte*>(this + 1); }
  const std::byte* buffer() const { return reinterpret_cast<const std::byte*>(this + 1); }

  Packet* next_ = nullptr;
  uint32_t room_, head_ = 0, tail_ = 0;
  uint32_t slice_bytes_ = 0;
  uint32_t slice_count_ = 0;
  const AccountId payer_ = arch::cpu_local().account;
  AccountId billed_ = kNoAccount;
  uint32_t bill_ = 0;
  Slice slices_[kMaxSlices];
};

// First in, first out. No lock of its own.
class PacketQueue {
 public:
  PacketQueue() = default;
  PacketQueue(PacketQueue&& o) noexcept { swap(o); }
  PacketQueue& operator=(PacketQueue&&) = delete;
  ~PacketQueue() { clear(); }
  bool empty() const { return !first_; }
  size_t count() const { return count_; }
  Packet* front() const { return first_; }
  Packet* next(const Packet& packet) const { return packet.next_; }
  void push_back(PacketPtr packet);
  void push_front(PacketPtr packet);
  PacketPtr pop_front();
  // Takes one out of the middle; `before` is the one in front of it, or null.
  PacketPtr take(Packet* before, Packet& packet);
  void clear();
  void swap(PacketQueue& o) {
    std::swap(first_, o.first_);
    std::swap(last_, o.last_);
    std::swap(count_, o.count_);
  }

 private:
  Packet *first_ = nullptr, *last_ = nullptr;
  size_t count_ = 0;
};

}  // namespace runsc::net
