// Round trip times and the retransmission timeout (RFC 6298), in microseconds.
#pragma once

#include <algorithm>
#include <cstdint>

namespace runsc::net::tcp {

inline constexpr uint64_t kMs = 1000, kSecond = 1000 * kMs;
inline constexpr uint64_t kRtoMin = 200 * kMs, kRtoMax = 120 * kSecond, kRtoInitial = kSecond;

class RttEstimator {
 public:
  bool known() const { return srtt8_ != 0; }
  uint64_t smoothed() const { return srtt8_ >> 3; }
  uint64_t variation() const { return rttvar4_ >> 2; }
  // The least of the last ten seconds or so; ~0: none yet.
  uint64_t least() const { return std::min(least_[0], least_[1]); }
  // Without backoff.
  uint64_t timeout() const {
    if (!known()) return kRtoInitial;
    return std::min(smoothed() + std::max(rttvar4_, kRtoMin), kRtoMax);
  }

  void sample(uint64_t rtt_us, uint64_t now_us) {
    rtt_us = std::clamp<uint64_t>(rtt_us, 1, kRtoMax);
    if (!known()) {
      srtt8_ = rtt_us << 3;
      rttvar4_ = rtt_us << 1;
    } else {
      const uint64_t old = smoothed();
      const uint64_t error = rtt_us > old ? rtt_us - old : old - rtt_us;
      rttvar4_ = rttvar4_ - (rttvar4_ >> 2) + error;
      srtt8_ = srtt8_ - old + rtt_us;
    }
    constexpr uint64_t kHalf = 5 * kSecond;
    if (now_us - turned_us_ > kHalf) {
      least_[1] = now_us - turned_us_ > 2 * kHalf ? ~uint64_t{0} : least_[0];
      least_[0] = rtt_us;
      turned_us_ = now_us;
    }
    least_[0] = std::min(least_[0], rtt_us);
  }

 private:
  uint64_t srtt8_ = 0, rttvar4_ = 0;  // eight times, four times
  uint64_t least_[2] = {~uint64_t{0}, ~uint64_t{0}};
  uint64_t turned_us_ = 0;
};

}  // namespace runsc::net::tcp
