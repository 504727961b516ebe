#include "fs/eventfd/eventfd.h"

namespace runsc::fs {

namespace {
constexpr uint64_t kMax = ~uint64_t{0} - 1;
}

Result<size_t> EventFd::read(mm::IoBuf& buf, uint64_t) {
  if (buf.remaining() < sizeof(uint64_t)) return Errno::inval;
  uint64_t value;
  {
    LockGuard guard(lock_);
    if (count_ == 0) return Errno::again;
    value = semaphore_ ? 1 : count_;
    count_ -= value;
  }
  queue_.wake(poll_bit::out | poll_bit::wrnorm);
  return buf.put(&value, sizeof value);
}

Result<size_t> EventFd::write(mm::IoBuf& buf, uint64_t) {
  if (buf.remaining() < sizeof(uint64_t)) return Errno::inval;
  uint64_t value;
  if (TRY(buf.peek(&value, sizeof value)) != sizeof value) return Errno::fault;
  if (value == ~uint64_t{0}) return Errno::inval;
  {
    LockGuard guard(lock_);
    if (value > kMax - count_) return Errno::again;
    count_ += value;
  }
  buf.advance(sizeof value);
  if (value) queue_.wake(poll_bit::in | poll_bit::rdnorm);
  return sizeof value;
}

uint32_t EventFd::poll() {
  LockGuard guard(lock_);
  uint32_t bits = 0;
  if (count_ > 0) bits |= poll_bit::in | poll_bit::rdnorm;
  if (count_ < kMax) bits |= poll_bit::out | poll_bit::wrnorm;
  return bits;
}

void EventFd::fdinfo(TextSink& out) const {
  uint64_t n;
  {
    LockGuard guard(lock_);
    n = count_;
  }
  format(out, "eventfd-count: {:16x}\n", n);
}

}  // namespace runsc::fs
