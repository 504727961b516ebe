// IoBuf: the memory of one read- or write-like call, user iovecs or kernel bytes, and how far it has got.
// Partial transfers and faults in the middle are counted here and nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/base/result.h"

namespace runsc::mm {

class AddressSpace;

struct IoSegment {
  uint64_t address;
  uint64_t size;
};

class IoBuf {
 public:
  // User memory; segments live as long as the IoBuf. The caller has bounded the total (MAX_RW_COUNT,
  // 0x7ffff000).
  IoBuf(AddressSpace& space, std::span<const IoSegment> segments);
  // Kernel memory (read: destination, write: source).
  static IoBuf kernel(std::span<std::byte> bytes);

  uint64_t remaining() const { return remaining_; }
  uint64_t done() const { return done_; }
  bool is_user() const { return space_ != nullptr; }

  // read(2) direction: from the sentry into the buffer. Moves min(size, remaining); advances by what was
  // moved. EFAULT only when not a byte could be moved.
  Result<size_t> put(const void* from, size_t size);
  Result<size_t> put_zeros(size_t size);
  // write(2) direction: out of the buffer into the sentry.
  Result<size_t> get(void* to, size_t size);
  // Without moving on: for pipes and sockets that must know before they commit.
  Result<size_t> peek(void* to, size_t size);
  // Faults pages in so that a following put/get of `size` is likely to succeed while locks are held. Best
  // effort.
  void prefault(size_t size, bool write);
  void advance(size_t size);
  // Gives back what advance/put/get took last.
  void rewind(size_t size);

 private:
  IoBuf() = default;
  // The segment of a kernel buffer is in the object itself, so that the object can be copied.
  const IoSegment& segment(size_t i) const { return space_ ? segments_[i] : kernel_segment_; }
  size_t segment_count() const { return space_ ? segments_.size() : 1; }
  // Calls move(address, offset in the transfer, bytes) -> bytes moved for pieces of `size` bytes until one is
  // short.
  template <class Move>
  Result<size_t> transfer(size_t size, bool advance, Move&& move);

  AddressSpace* space_ = nullptr;
  std::span<const IoSegment> segments_;
  IoSegment kernel_segment_{};
  size_t index_ = 0;     // segment
  uint64_t offset_ = 0;  // in it
  uint64_t remaining_ = 0;
  uint64_t done_ = 0;
};

}  // namespace runsc::mm
