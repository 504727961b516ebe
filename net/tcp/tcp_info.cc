// What a connection tells of itself: TCP_INFO, /proc/net/tcp.
#include "net/tcp/tcp_info.h"

#include <algorithm>

#include "net/tcp/tcp_endpoint.h"
#include "net/tcp/tcp_table.h"

namespace runsc::net {

namespace {

enum InfoOption : uint8_t { kTimestamps = 1, kSack = 2, kWindowScale = 4 };

uint32_t ms_since(uint64_t then, uint64_t now) { return static_cast<uint32_t>((now - then) / tcp::kMs); }

// Four bytes of an address as /proc/net/tcp shows them: in memory order, read as a native word.
void put_hex(TextSink& out, const SocketAddress& a, bool v6) {
  uint32_t words[4];
  if (v6)
    a.address.put_v6(words);
  else
    a.address.put_v4(words);
  const char* const kDigits = "0123456789ABCDEF";
  auto hex = [&](uint32_t value, int digits) {
    char text[8];
    for (int i = 0; i < digits; ++i) text[i] = kDigits[value >> (4 * (digits - 1 - i)) & 0xf];
    out.write({text, static_cast<size_t>(digits)});
  };
  for (int i = 0; i < (v6 ? 4 : 1); ++i) hex(words[i], 8);
  out.write(":");
  hex(a.port, 4);
}

}  // namespace

std::string_view TcpEndpoint::tcp_facts(TcpInfo& info) {
  LockGuard guard(lock_);
  if (connection_.view().state == tcp::State::time_wait) return {};
  fill_info(info);
  return tcp_algorithm_name(chosen_.algorithm);
}

void TcpEndpoint::fill_info(TcpInfo& info) {
  const tcp::Tcb& c = connection_.view();
  const uint64_t now = now_us();
  info.state = static_cast<uint8_t>(shown_state());
  info.pacing_rate = info.max_pacing_rate = ~uint64_t{0};
  if (stage_ == Stage::listening) {
    LockGuard accept(accept_lock_);
    info.unacked = ready_count_;
    info.sacked = backlog_;
    return;
  }
  const uint32_t mss = std::max(c.mss, 1u);
  info.ca_state = static_cast<uint8_t>(c.phase);
  info.retransmits = static_cast<uint8_t>(std::min(c.retries, 255u));
  info.probes = static_cast<uint8_t>(std::min(c.probes + c.keep_probes_out, 255u));
  info.backoff = static_cast<uint8_t>(std::min(c.backoff, 255u));
  if (c.timestamps) info.options |= kTimestamps;
  if (c.sack) info.options |= kSack;
  if (c.scaling) info.options |= kWindowScale;
  info.shifts = static_cast<uint8_t>((c.snd_shift & 0xf) | c.rcv_shift << 4);
  info.rto = static_cast<uint32_t>(std::min(c.rtt.timeout() << std::min(c.backoff, 10u), tcp::kRtoMax));
  info.ato = 40 * tcp::kMs;
  info.send_mss = c.mss;
  info.receive_mss = c.rcv_mss;
  info.unacked = c.sent.count();
  info.sacked = static_cast<uint32_t>((c.sent.sacked_bytes() + mss - 1) / mss);
  info.lost = static_cast<uint32_t>((c.sent.lost_bytes() + mss - 1) / mss);
  info.resent = static_cast<uint32_t>((c.sent.resent_bytes() + mss - 1) / mss);
  info.last_data_sent = ms_since(c.last_sent_us, now);
  info.last_data_received = ms_since(c.last_data_us, now);
  info.last_ack_received = ms_since(c.last_ack_us, now);
  info.path_mtu = route_.mtu;
  info.receive_threshold = c.settings.receive_buffer / 2;
  info.rtt = static_cast<uint32_t>(c.rtt.smoothed());
  info.rtt_variation = static_cast<uint32_t>(c.rtt.variation());
  info.send_threshold = static_cast<uint32_t>(c.congestion.threshold() >= tcp::Congestion::kNoThreshold
                                                  ? tcp::Congestion::kNoThreshold
                                                  : c.congestion.threshold() / mss);
  info.send_window = static_cast<uint32_t>(std::max<uint64_t>(c.congestion.window() / mss, 1));
  info.advertised_mss = c.announced_mss;
  info.reordering = 3;
  info.receive_space = c.settings.receive_buffer / 2;
  info.total_resent = c.total_resent;
  info.bytes_acked = c.bytes_acked;
  info.bytes_received = c.bytes_received;
  info.segments_out = c.segments_out;
  info.segments_in = c.segments_in;
  info.not_sent = c.unsent();
  info.least_rtt = static_cast<uint32_t>(std::min<uint64_t>(c.rtt.least(), ~0u));
  info.data_segments_in = c.data_in;
  info.data_segments_out = c.data_out;
  info.bytes_sent = c.bytes_sent;
  info.bytes_resent = c.bytes_resent;
  info.peer_window = c.snd_wnd;
}

InetEndpoint::Facts TcpEndpoint::facts() {
  constexpr uint8_t kNoTimer = 0, kResend = 1, kKeepalive = 2, kTimeWait = 3, kProbe = 4;
  Facts out;
  LockGuard guard(lock_);
  const tcp::Tcb& c = connection_.view();
  const tcp::State state = stage_ == Stage::listening ? tcp::State::listen : c.state;
  // A name alone is nothing to show.
  out.state = state == tcp::State::closed ? uint8_t{0} : static_cast<uint8_t>(state);
  out.shut = static_cast<uint8_t>(shut_);
  if (state == tcp::State::listen) {
    LockGuard accept(accept_lock_);
    out.receive_queue = ready_count_;
    out.send_queue = backlog_;
    return out;
  }
  if (state == tcp::State::closed) return out;
  out.orphan = c.orphan;
  out.receive_queue = c.readable();
  out.send_queue = c.unacknowledged();
  const tcp::Connection::Pending next = connection_.pending_timer();
  const uint64_t now = now_us();
  switch (next.wait) {
    case tcp::Wait::nothing:
      out.timer = next.at == tcp::kNever ? kNoTimer : state == tcp::State::time_wait ? kTimeWait : kKeepalive;
      out.retransmits = static_cast<uint8_t>(std::min(c.keep_probes_out, 255u));
      break;
    case tcp::Wait::window_probe:
      out.timer = kProbe;
      out.retransmits = static_cast<uint8_t>(std::min(c.probes, 255u));
      break;
    default:
      out.timer = kResend;
      out.retransmits = static_cast<uint8_t>(std::min(c.retries, 255u));
  }
  if (next.at != tcp::kNever && next.at > now)
    out.expires_ms = static_cast<uint32_t>((next.at - now + tcp::kMs - 1) / tcp::kMs);
  return out;
}

namespace {

void put_hex_upper(TextSink& out, uint64_t value, int width) {
  constexpr const char* kHex = "0123456789ABCDEF";
  char digits[16];
  for (int at = width; at-- > 0; value >>= 4) digits[at] = kHex[value & 0xf];
  out.write({digits, static_cast<size_t>(width)});
}

constexpr uint64_t kTick = 10 * tcp::kMs;  // of clock_t

}  // namespace

// proc_net_tcp(5); the columns of Linux.
void TcpEndpoint::describe(TextSink& out, uint32_t row) {
  const Names who = names();
  const Facts seen = facts();
  // A name alone is nothing to show.
  if (seen.state == 0) return;
  const auto state = static_cast<tcp::State>(seen.state);
  const bool listens = state == tcp::State::listen, waits = state == tcp::State::time_wait;
  uint64_t resend_ticks = 0, window = 0, threshold = 0;
  uint32_t ack_mode = 0, probes = 0, resends = 0;
  bool unbounded = false;
  {
    LockGuard guard(lock_);
    const tcp::Tcb& c = connection_.view();
    resend_ticks = std::min(c.rtt.timeout() << std::min(c.backoff, 10u), tcp::kRtoMax) / kTick;
    ack_mode = connection_.ack_mode();
    window = c.congestion.window() / std::max(c.mss, 1u);
    threshold = c.congestion.threshold() / std::max(c.mss, 1u);
    unbounded = c.congestion.threshold() > 0x7fffffff;
    resends = c.retries;
    probes = c.probes;
  }
  const SocketAddress nobody{any_address(v6()), 0, 0, 0};
  format(out, "{:4}: ", row);
  put_hex(out, who.local, v6());
  out.write(" ");
  put_hex(out, listens ? nobody : who.peer, v6());
  out.write(" ");
  put_hex_upper(out, seen.state, 2);
  out.write(" ");
  put_hex_upper(out, listens || waits ? 0 : seen.send_queue, 8);
  out.write(":");
  put_hex_upper(out, waits ? 0 : seen.receive_queue, 8);
  out.write(" ");
  put_hex_upper(out, seen.timer, 2);
  out.write(":");
  put_hex_upper(out, (seen.expires_ms + 9) / 10, 8);
  out.write(" ");
  put_hex_upper(out, waits ? 0 : resends, 8);
  const bool owned = !seen.orphan && !waits;
  format(out, " {:5} {:8} {} {} {:016x}", owned ? uid() : 0u, waits ? 0 : probes, owned ? ino() : uint64_t{0},
         ref_count(), uint64_t{0});
  if (!waits) {
    constexpr uint64_t kAckTicks = 4;  // 40 ms
    format(out, " {} {} {} {} ", resend_ticks, listens ? 0 : kAckTicks, ack_mode, window);
    format(out, "{}", unbounded ? int64_t{-1} : static_cast<int64_t>(listens ? 0 : threshold));
  }
  out.write("\n");
}

Result<void> tcp_describe(Stack& stack, bool v6, TextSink& out) {
  out.write(
      v6 ? "  sl  local_address                         remote_address                        st tx_queue "
           "rx_queue tr "
           "tm->when retrnsmt   uid  timeout inode\n"
         : "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
           "                                                     \n");
  Vec<PortRef> all;
  TRY(stack.tcp.list(all));
  uint32_t row = 0;
  for (PortRef& ref : all) {
    auto* endpoint = static_cast<TcpEndpoint*>(ref.endpoint());
    if (endpoint && endpoint->v6() == v6) endpoint->describe(out, row++);
  }
  return {};
}

}  // namespace runsc::net
