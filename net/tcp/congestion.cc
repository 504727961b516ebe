#include "net/tcp/congestion.h"

#include <algorithm>

namespace runsc::net::tcp {

namespace {
constexpr uint64_t kWindowMax = uint64_t{1} << 30;
constexpr uint64_t kLongestMs = 1'000'000;  // of a CUBIC epoch; its cube still fits
}  // namespace

uint32_t cube_root(uint64_t value) {
  uint64_t root = 0;
  for (int bit = 21; bit >= 0; --bit) {
    const uint64_t more = root | uint64_t{1} << bit;
    if (more * more * more <= value) root = more;
  }
  return static_cast<uint32_t>(root);
}

void Congestion::start(uint32_t mss) {
  mss_ = mss;
  window_ = uint64_t{kInitialSegments} * mss;
}

void Congestion::set_algorithm(Algorithm algorithm) {
  algorithm_ = algorithm;
  cubic_epoch_us_ = cubic_max_ = 0;
}

void Congestion::acked(uint64_t acked, uint64_t now_us, uint64_t rtt_us) {
  if (slow_start()) {
    const uint64_t grown = std::min(window_ + acked, std::max(threshold_, window_));
    acked -= grown - window_;
    window_ = std::min(grown, kWindowMax);
    if (acked == 0) return;
  }
  if (algorithm_ == Algorithm::reno)
    grow_reno(acked);
  else
    grow_cubic(acked, now_us, rtt_us);
}

void Congestion::grow_reno(uint64_t acked) {
  counted_ += acked;
  if (counted_ < window_) return;
  counted_ -= window_;
  counted_ = std::min(counted_, window_);
  window_ = std::min(window_ + mss_, kWindowMax);
}

// W(t) = C (t - K)^3 + W_max with C = 0.4 segments per second cubed.
void Congestion::grow_cubic(uint64_t acked, uint64_t now_us, uint64_t rtt_us) {
  const uint64_t segments = std::max<uint64_t>(window_ / mss_, 1);
  if (cubic_epoch_us_ == 0) {
    cubic_epoch_us_ = now_us;
    cubic_friendly_ = window_;
    counted_ = 0;
    cubic_origin_ = std::max(cubic_max_, segments);
    // K = cbrt((W_max - W) / C) seconds.
    cubic_k_ms_ = cube_root(std::min<uint64_t>(cubic_origin_ - segments, 1 << 30) * 2'500'000'000);
  }
  const uint64_t t = std::min((now_us - cubic_epoch_us_ + rtt_us) / 1000, kLongestMs);
  const uint64_t off = t > cubic_k_ms_ ? t - cubic_k_ms_ : cubic_k_ms_ - t;
  const uint64_t change =
      std::min(off, kLongestMs) * std::min(off, kLongestMs) * std::min(off, kLongestMs) / 2'500'000'000;
  uint64_t target = cubic_origin_;
  if (t > cubic_k_ms_)
    target += change;
  else
    target -= std::min(change, target);
  // At most half as much again in a round trip.
  target = std::clamp(target, segments, segments + segments / 2 + 1);
  counted_ += acked;
  // Each window's worth of acknowledgements brings (target - segments) segments; very little at the plateau.
  const uint64_t per_segment = target > segments ? window_ / (target - segments) : window_ * 100;
  if (counted_ >= per_segment && per_segment > 0) {
    const uint64_t n = counted_ / per_segment;
    window_ += n * mss_;
    counted_ -= n * per_segment;
  }
  // No slower than Reno would be with the same factor (section 4.3): 0.53 segments a window.
  cubic_friendly_ += acked * mss_ / std::max<uint64_t>(window_, 1) * 529 / 1000;
  window_ = std::min(std::max(window_, cubic_friendly_), kWindowMax);
}

uint64_t Congestion::reduced_window(uint64_t now_us) {
  (void)now_us;
  if (algorithm_ == Algorithm::reno) return std::max<uint64_t>(window_ / 2, 2 * uint64_t{mss_});
  const uint64_t segments = window_ / mss_;
  // Fast convergence: who was cut again below the last maximum leaves more to others.
  cubic_max_ = segments < cubic_max_ ? segments * 17 / 20 : segments;
  cubic_epoch_us_ = 0;
  return std::max<uint64_t>(window_ * 7 / 10, 2 * uint64_t{mss_});
}

void Congestion::remember() {
  undo_window_ = std::max(undo_window_, window_);
  undo_threshold_ = threshold_;
}

void Congestion::enter_recovery(uint64_t in_flight, uint64_t now_us) {
  undo_window_ = 0;
  remember();
  threshold_ = reduced_window(now_us);
  recovery_flight_ = std::max<uint64_t>(in_flight, 1);
  prr_delivered_ = prr_out_ = 0;
}

void Congestion::recover(uint64_t delivered, uint64_t in_flight, bool progress, bool more_lost) {
  prr_delivered_ += delivered;
  int64_t may;
  if (in_flight > threshold_) {
    may = static_cast<int64_t>((prr_delivered_ * threshold_ + recovery_flight_ - 1) / recovery_flight_) -
          static_cast<int64_t>(prr_out_);
  } else {
    may = std::max(static_cast<int64_t>(prr_delivered_) - static_cast<int64_t>(prr_out_),
                   static_cast<int64_t>(delivered));
    if (progress && !more_lost) may += mss_;
    may = std::min(may, static_cast<int64_t>(threshold_ - in_flight));
  }
  // The first retransmission always goes.
  may = std::max<int64_t>(may, prr_out_ ? 0 : mss_);
  window_ = in_flight + static_cast<uint64_t>(may);
}

void Congestion::leave_recovery() {
  if (threshold_ < kNoThreshold) window_ = threshold_;
  counted_ = 0;
}

void Congestion::enter_loss(uint64_t in_flight, uint64_t now_us, bool first) {
  if (first) {
    undo_window_ = 0;
    remember();
    threshold_ = reduced_window(now_us);
  }
  window_ = in_flight + mss_;
  counted_ = 0;
}

void Congestion::undo() {
  if (undo_window_ == 0) return;
  window_ = std::max(window_, undo_window_);
  threshold_ = std::max(threshold_, undo_threshold_);
  undo_window_ = 0;
}

void Congestion::restart_after_idle(uint64_t idle_us, uint64_t timeout_us) {
  const uint64_t floor = std::min(window_, uint64_t{kInitialSegments} * mss_);
  threshold_ = std::max(threshold_, window_ / 2 + window_ / 4);
  for (; idle_us > timeout_us && window_ > floor; idle_us -= timeout_us) window_ /= 2;
  window_ = std::max(window_, floor);
  cubic_epoch_us_ = 0;
}

void Congestion::reduce(uint64_t now_us) {
  threshold_ = reduced_window(now_us);
  window_ = threshold_;
  counted_ = 0;
}

}  // namespace runsc::net::tcp
