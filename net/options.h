// What socket(7) lets be set on every socket.
#pragma once

#include <atomic>
#include <cstdint>

namespace runsc::net {

inline constexpr uint64_t kForever = ~uint64_t{0};

// Bounds of SO_SNDBUF and SO_RCVBUF as the kernel counts them: twice what was asked for.
inline constexpr uint32_t kBufferMax = 212992, kBufferDefault = 212992, kSendBufferMin = 4608,
                          kReceiveBufferMin = 2304;

// One bit each for the options that are on or off.
namespace option_bit {
inline constexpr uint32_t debug = 1, reuseaddr = 2, dontroute = 4, broadcast = 8, keepalive = 0x10,
                          oobinline = 0x20, no_check = 0x40, reuseport = 0x80, passcred = 0x100,
                          passsec = 0x200, timestamp = 0x400, timestampns = 0x800, rxq_ovfl = 0x1000,
                          wifi_status = 0x2000, nofcs = 0x4000, lock_filter = 0x8000,
                          select_err_queue = 0x10000, zerocopy = 0x20000, timestamp_new = 0x40000,
                          linger = 0x80000, prefer_busy_poll = 0x100000, rcvmark = 0x200000,
                          passpidfd = 0x400000;
}

// Read without a lock by those who send and receive: each value stands for itself.
struct Options {
  std::atomic<uint32_t> bits{0};
  std::atomic<uint32_t> send_buffer{kBufferDefault}, receive_buffer{kBufferDefault};
  std::atomic<int32_t> receive_low{1};
  std::atomic<uint64_t> receive_timeout_ns{kForever}, send_timeout_ns{kForever};
  std::atomic<int32_t> linger_seconds{0}, peek_offset{-1}, priority{0}, incoming_cpu{-1};
  std::atomic<uint32_t> mark{0};
  std::atomic<uint64_t> max_pacing_rate{~uint64_t{0}};

  bool has(uint32_t bit) const { return bits.load(std::memory_order_relaxed) & bit; }
  void set(uint32_t bit, bool on) {
    if (on)
      bits.fetch_or(bit, std::memory_order_relaxed);
    else
      bits.fetch_and(~bit, std::memory_order_relaxed);
  }
};

}  // namespace runsc::net
