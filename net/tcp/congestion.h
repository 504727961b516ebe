// How much may be on its way: Reno (RFC 5681) and CUBIC (RFC 9438), and what a recovery may send (PRR, RFC
// 6937). Everything counts in bytes; there is no floating point in the sentry.
#pragma once

#include <cstdint>

namespace runsc::net::tcp {

enum class Algorithm : uint8_t { cubic, reno };

class Congestion {
 public:
  static constexpr uint32_t kInitialSegments = 10;  // RFC 6928
  static constexpr uint64_t kNoThreshold = 0x7fffffff;

  void start(uint32_t mss);
  void set_mss(uint32_t mss) { mss_ = mss; }
  void set_algorithm(Algorithm algorithm);
  Algorithm algorithm() const { return algorithm_; }

  uint64_t window() const { return window_; }
  uint64_t threshold() const { return threshold_; }
  bool slow_start() const { return window_ < threshold_; }

  // `acked` bytes were delivered while the window was what held the sender back.
  void acked(uint64_t acked, uint64_t now_us, uint64_t rtt_us);

  // A loss was seen: halves (or so), once for a window of data. `in_flight` is what is on its way.
  void enter_recovery(uint64_t in_flight, uint64_t now_us);
  // During a recovery: after `delivered` bytes more have arrived, so much may be in flight. `fresh` bytes of
  // them in order (the recovery gets on).
  void recover(uint64_t delivered, uint64_t in_flight, bool progress, bool more_lost);
  void sent_in_recovery(uint64_t bytes) { prr_out_ += bytes; }
  void leave_recovery();
  // A retransmission timeout.
  void enter_loss(uint64_t in_flight, uint64_t now_us, bool first);
  // None of the losses was one: back to what was before.
  void undo();
  // Nothing was sent for a long time (RFC 9293, 3.8.1; RFC 2861).
  void restart_after_idle(uint64_t idle_us, uint64_t timeout_us);
  // A tail loss was repaired by its probe.
  void reduce(uint64_t now_us);

 private:
  uint64_t reduced_window(uint64_t now_us);
  void grow_reno(uint64_t acked);
  void grow_cubic(uint64_t acked, uint64_t now_us, uint64_t rtt_us);
  void remember();

  Algorithm algorithm_ = Algorithm::cubic;
  uint32_t mss_ = 536;
  uint64_t window_ = 0, threshold_ = kNoThreshold;
  uint64_t counted_ = 0;  // bytes towards the next growth by a segment

  uint64_t undo_window_ = 0, undo_threshold_ = 0;
  uint64_t recovery_flight_ = 0, prr_delivered_ = 0, prr_out_ = 0;

  // CUBIC, in segments and milliseconds.
  uint64_t cubic_max_ = 0, cubic_origin_ = 0, cubic_k_ms_ = 0, cubic_epoch_us_ = 0;
  uint64_t cubic_friendly_ = 0;  // bytes
};

// The cube root, rounded down.
uint32_t cube_root(uint64_t value);

}  // namespace runsc::net::tcp
