// setsockopt(2) and getsockopt(2) of SOL_TCP (tcp(7)), and what SOL_SOCKET changes here.
#include <algorithm>

#include "net/tcp/tcp_endpoint.h"
#include "net/tcp/tcp_info.h"

namespace runsc::net {

namespace {

enum TcpOption : int {
  kNoDelay = 1,
  kMaxSeg = 2,
  kCork = 3,
  kKeepIdle = 4,
  kKeepInterval = 5,
  kKeepCount = 6,
  kSynCount = 7,
  kLinger2 = 8,
  kDeferAccept = 9,
  kWindowClamp = 10,
  kInfo = 11,
  kQuickAck = 12,
  kCongestion = 13,
  kThinLinear = 16,
  kThinDupack = 17,
  kUserTimeout = 18,
  kFastOpenQueue = 23,
  kTimestamp = 24,
  kNotSentLowat = 25,
  kSaveSyn = 27,
  kFastOpenConnect = 30,
  kInq = 36,
};
enum SocketOption : int {
  kSndBuf = 7,
  kRcvBuf = 8,
  kKeepAlive = 9,
  kOobInline = 10,
  kSndBufForce = 32,
  kRcvBufForce = 33
};

constexpr int32_t kLeastMss = 88, kMostMss = 32767, kMostSeconds = 32767, kMostCount = 127, kMostLinger = 120;
constexpr size_t kNameMax = 16;  // TCP_CA_NAME_MAX
constexpr uint32_t kLeastClamp = 1152, kLongestStep = 120;

struct NamedAlgorithm {
  std::string_view name;
  tcp::Algorithm algorithm;
};
constexpr NamedAlgorithm kAlgorithms[] = {{"cubic", tcp::Algorithm::cubic}, {"reno", tcp::Algorithm::reno}};

// TCP_DEFER_ACCEPT counts in SYN-ACKs that are sent again after 1, 2, 4... seconds.
uint32_t resends_of_seconds(int32_t seconds) {
  if (seconds <= 0) return 0;
  uint32_t n = 1, step = 1;
  for (int64_t period = 1; seconds > period && n < 255; period += step) {
    ++n;
    step = std::min(step * 2, kLongestStep);
  }
  return n;
}

int32_t seconds_of_resends(uint32_t n) {
  int32_t period = 0;
  uint32_t step = 1;
  for (; n > 0; --n) {
    period += static_cast<int32_t>(step);
    step = std::min(step * 2, kLongestStep);
  }
  return period;
}

bool between(int32_t value, int32_t least, int32_t most) { return value >= least && value <= most; }

}  // namespace

std::string_view tcp_algorithm_name(tcp::Algorithm algorithm) {
  for (const NamedAlgorithm& a : kAlgorithms)
    if (a.algorithm == algorithm) return a.name;
  return {};
}

Result<tcp::Algorithm> tcp_algorithm(std::string_view name) {
  for (const NamedAlgorithm& a : kAlgorithms)
    if (a.name == name) return a.algorithm;
  return Errno::noent;
}

Result<void> TcpEndpoint::set_congestion(const Caller& caller, uint64_t address, uint32_t size) {
  if (size < 1) return Errno::inval;
  char text[kNameMax] = {};
  TRY(mm::copy_in_bytes(caller.space, text, address, std::min<size_t>(size, kNameMax - 1)));
  const tcp::Algorithm algorithm = TRY(tcp_algorithm(std::string_view(text)));
  Section section(*this);
  chosen_.algorithm = connection_.change().algorithm = algorithm;
  connection_.settings_changed(now_us());
  return {};
}

Result<void> TcpEndpoint::set_option(const Caller& caller, int level, int name, uint64_t address,
                                     uint32_t size) {
  if (level != kSolTcp) return InetEndpoint::set_option(caller, level, name, address, size);
  if (name == kCongestion) return set_congestion(caller, address, size);
  if (size < sizeof(int32_t)) return Errno::inval;
  const int32_t value = TRY(mm::copy_in(caller.space, mm::UserPtr<int32_t>(address)));
  DrainAtEnd drain(stack());
  return set_tcp_option(name, value);
}

// Those that are kept in chosen_ and act at once.
Result<bool> TcpEndpoint::set_kept_option(int name, int32_t value) {
  tcp::Settings& kept = chosen_;
  const uint64_t seconds = static_cast<uint32_t>(std::max(value, 0)) * tcp::kSecond;
  switch (name) {
    case kNoDelay:
      kept.nodelay = value != 0;
      return true;
    case kCork:
      kept.cork = value != 0;
      return true;
    case kKeepIdle:
      if (!between(value, 1, kMostSeconds)) return Errno::inval;
      kept.keep_idle = seconds;
      return true;
    case kKeepInterval:
      if (!between(value, 1, kMostSeconds)) return Errno::inval;
      kept.keep_interval = seconds;
      return true;
    case kKeepCount:
      if (!between(value, 1, kMostCount)) return Errno::inval;
      kept.keep_probes = static_cast<uint32_t>(value);
      return true;
    case kSynCount:
      if (!between(value, 1, kMostCount)) return Errno::inval;
      kept.syn_retries = static_cast<uint8_t>(value);
      return true;
    case kUserTimeout:
      if (value < 0) return Errno::inval;
      kept.user_timeout = static_cast<uint32_t>(value) * tcp::kMs;
      return true;
    case kDeferAccept:
      kept.defer_accept = resends_of_seconds(value);
      return true;
    case kWindowClamp:
      if (value == 0 && shown_state() != tcp::State::closed) return Errno::inval;
      kept.window_clamp = value == 0 ? 0 : std::max(static_cast<uint32_t>(value), kLeastClamp);
      return true;
    default:
      return false;
  }
}

Result<void> TcpEndpoint::set_tcp_option(int name, int32_t value) {
  Section section(*this);
  if (TRY(set_kept_option(name, value))) {
    tcp::Settings& now = connection_.change();
    now.nodelay = chosen_.nodelay;
    now.cork = chosen_.cork;
    now.keep_idle = chosen_.keep_idle;
    now.keep_interval = chosen_.keep_interval;
    now.keep_probes = chosen_.keep_probes;
    now.syn_retries = chosen_.syn_retries;
    now.user_timeout = chosen_.user_timeout;
    now.window_clamp = chosen_.window_clamp;
    connection_.settings_changed(now_us());
    return {};
  }
  switch (name) {
    case kMaxSeg:
      if (value != 0 && !between(value, kLeastMss, kMostMss)) return Errno::inval;
      user_mss_ = static_cast<uint32_t>(value);
      return {};
    case kLinger2:
      linger2_ = value < 0 || value > kMostLinger ? -1 : value;
      return {};
    case kQuickAck:
      connection_.quick_ack(value & 1, now_us());
      return {};
    case kNotSentLowat:
      not_sent_low_ = value == 0 ? ~0u : static_cast<uint32_t>(value);
      return {};
    case kInq:
      if (!between(value, 0, 1)) return Errno::inval;
      report_inq_ = value;
      return {};
    case kThinLinear:
    case kThinDupack:
      return between(value, 0, 1) ? Result<void>() : Errno::inval;
    case kFastOpenQueue: {
      // net.ipv4.tcp_fastopen lets no listener use it; Linux takes the length all the same.
      const tcp::State state = shown_state();
      const bool can = state == tcp::State::closed || state == tcp::State::listen;
      return value >= 0 && can ? Result<void>() : Errno::inval;
    }
    case kFastOpenConnect:
      return between(value, 0, 1) ? Errno::opnotsupp : Errno::inval;
    case kTimestamp:
      return Errno::perm;
    default:
      return Errno::noprotoopt;
  }
}

Result<int32_t> TcpEndpoint::tcp_number(int name) {
  LockGuard guard(lock_);
  const tcp::Tcb& c = connection_.view();
  const tcp::State state = shown_state();
  const bool idle = state == tcp::State::closed || state == tcp::State::listen;
  auto seconds = [](uint64_t us) { return static_cast<int32_t>(us / tcp::kSecond); };
  switch (name) {
    case kNoDelay:
      return int32_t{chosen_.nodelay};
    case kMaxSeg:
      if (idle) return static_cast<int32_t>(user_mss_ ? user_mss_ : 536);
      return static_cast<int32_t>(c.mss);
    case kCork:
      return int32_t{chosen_.cork};
    case kKeepIdle:
      return seconds(chosen_.keep_idle);
    case kKeepInterval:
      return seconds(chosen_.keep_interval);
    case kKeepCount:
      return static_cast<int32_t>(chosen_.keep_probes);
    case kSynCount:
      return int32_t{chosen_.syn_retries};
    case kLinger2:
      if (linger2_ != 0) return linger2_;
      return static_cast<int32_t>(sysctls().fin_timeout.load(std::memory_order_relaxed));
    case kDeferAccept:
      return seconds_of_resends(chosen_.defer_accept);
    case kWindowClamp:
      return static_cast<int32_t>(chosen_.window_clamp ? chosen_.window_clamp
                                  : idle               ? 0
                                                       : c.settings.receive_buffer_max / 2);
    case kQuickAck:
      return int32_t{connection_.quick_ack()};
    case kThinLinear:
    case kThinDupack:
    case kFastOpenConnect:
    case kFastOpenQueue:
    case kSaveSyn:
      return 0;
    case kUserTimeout:
      return static_cast<int32_t>(chosen_.user_timeout / tcp::kMs);
    case kTimestamp:
      return static_cast<int32_t>(static_cast<uint32_t>(now_us() / tcp::kMs) + c.ts_offset);
    case kNotSentLowat:
      return not_sent_low_ == ~0u ? 0 : static_cast<int32_t>(not_sent_low_);
    case kInq:
      return int32_t{report_inq_};
    default:
      return Errno::noprotoopt;
  }
}

Result<uint32_t> TcpEndpoint::get_option(const Caller& caller, int level, int name, uint64_t address,
                                         uint32_t size) {
  if (level != kSolTcp) return InetEndpoint::get_option(caller, level, name, address, size);
  if (name == kInfo) {
    TcpInfo info{};
    {
      LockGuard guard(lock_);
      fill_info(info);
    }
    const uint32_t n = std::min<uint32_t>(size, sizeof info);
    TRY(mm::copy_out_bytes(caller.space, address, &info, n));
    return n;
  }
  if (name == kCongestion) {
    char text[kNameMax] = {};
    {
      LockGuard guard(lock_);
      const std::string_view algorithm = tcp_algorithm_name(chosen_.algorithm);
      __builtin_memcpy(text, algorithm.data(), algorithm.size());
    }
    const uint32_t n = std::min<uint32_t>(size, kNameMax);
    TRY(mm::copy_out_bytes(caller.space, address, text, n));
    return n;
  }
  const int32_t value = TRY(tcp_number(name));
  const uint32_t n = std::min<uint32_t>(size, sizeof value);
  TRY(mm::copy_out_bytes(caller.space, address, &value, n));
  return n;
}

Result<void> TcpEndpoint::set_socket_option(const Caller& caller, int name, uint64_t address, uint32_t size) {
  TRY(InetEndpoint::set_socket_option(caller, name, address, size));
  DrainAtEnd drain(stack());
  Section section(*this);
  switch (name) {
    case kSndBuf:
    case kSndBufForce:
      send_buffer_fixed_ = true;
      break;
    case kRcvBuf:
    case kRcvBufForce:
      receive_buffer_fixed_ = true;
      connection_.set_receive_buffer(options.receive_buffer.load(std::memory_order_relaxed));
      break;
    case kKeepAlive:
      connection_.change().keepalive = options.has(option_bit::keepalive);
      connection_.settings_changed(now_us());
      break;
    case kOobInline:
      connection_.change().oob_inline = options.has(option_bit::oobinline);
      break;
    default:
      break;
  }
  return {};
}

}  // namespace runsc::net
