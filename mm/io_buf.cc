#include "mm/io_buf.h"

#include <algorithm>

#include "kernel/base/check.h"
#include "mm/address_space.h"
#include "mm/page_fault.h"
#include "mm/user_copy.h"

namespace runsc::mm {
namespace {
std::byte* kernel_bytes(uint64_t address) { return reinterpret_cast<std::byte*>(address); }
}  // namespace

IoBuf::IoBuf(AddressSpace& space, std::span<const IoSegment> segments) : space_(&space), segments_(segments) {
  for (const IoSegment& s : segments) remaining_ += s.size;
}

IoBuf IoBuf::kernel(std::span<std::byte> bytes) {
  IoBuf buf;
  buf.kernel_segment_ = {reinterpret_cast<uint64_t>(bytes.data()), bytes.size()};
  buf.remaining_ = bytes.size();
  return buf;
}

template <class Move>
Result<size_t> IoBuf::transfer(size_t size, bool go_on, Move&& move) {
  size = std::min<uint64_t>(size, remaining_);
  size_t done = 0, index = index_;
  uint64_t offset = offset_;
  while (done < size) {
    const IoSegment& s = segment(index);
    size_t want = std::min<uint64_t>(size - done, s.size - offset);
    size_t n = want ? move(s.address + offset, done, want) : 0;
    done += n;
    if (n < want) break;
    offset = 0;
    ++index;
  }
  if (done == 0 && size != 0) return Errno::fault;
  if (go_on) advance(done);
  return done;
}

Result<size_t> IoBuf::put(const void* from, size_t size) {
  auto* bytes = static_cast<const std::byte*>(from);
  return transfer(size, true, [&](uint64_t address, size_t at, size_t n) -> size_t {
    if (space_) return copy_out_some(*space_, address, bytes + at, n).value_or(0);
    __builtin_memcpy(kernel_bytes(address), bytes + at, n);
    return n;
  });
}

Result<size_t> IoBuf::put_zeros(size_t size) {
  return transfer(size, true, [&](uint64_t address, size_t, size_t n) -> size_t {
    if (space_) return zero_out_some(*space_, address, n).value_or(0);
    __builtin_memset(kernel_bytes(address), 0, n);
    return n;
  });
}

Result<size_t> IoBuf::peek(void* to, size_t size) {
  auto* bytes = static_cast<std::byte*>(to);
  return transfer(size, false, [&](uint64_t address, size_t at, size_t n) -> size_t {
    if (space_) return copy_in_some(*space_, bytes + at, address, n).value_or(0);
    __builtin_memcpy(bytes + at, kernel_bytes(address), n);
    return n;
  });
}

Result<size_t> IoBuf::get(void* to, size_t size) {
  size_t n = TRY(peek(to, size));
  advance(n);
  return n;
}

void IoBuf::prefault(size_t size, bool write) {
  if (!space_) return;
  (void)transfer(size, false, [&](uint64_t address, size_t, size_t n) -> size_t {
    for (uint64_t at = page_down(address); at < address + n; at += kPageSize)
      if (at < address + n &&
          space_->fault(std::max(at, address), write ? kFaultWrite : 0) != FaultResult::ok)
        return 0;
    return n;
  });
}

void IoBuf::advance(size_t size) {
  DCHECK(size <= remaining_, "past the end of an IoBuf");
  remaining_ -= size;
  done_ += size;
  while (size > 0) {
    uint64_t left = segment(index_).size - offset_;
    uint64_t step = std::min<uint64_t>(size, left);
    offset_ += step;
    size -= step;
    if (step == left) {
      ++index_;
      offset_ = 0;
    }
  }
}

void IoBuf::rewind(size_t size) {
  DCHECK(size <= done_, "before the start of an IoBuf");
  remaining_ += size;
  done_ -= size;
  while (size > 0) {
    if (offset_ == 0) {
      --index_;
      offset_ = segment(index_).size;
    }
    uint64_t step = std::min<uint64_t>(size, offset_);
    offset_ -= step;
    size -= step;
  }
}

}  // namespace runsc::mm
