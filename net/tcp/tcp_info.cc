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

// proc_net_tcp(5); the columns of Linux.
void TcpEndpoint::describe(TextSink& out, uint32_t row) {
  const Names who = names();
  uint32_t waiting = 0, unread = 0, resends = 0, probes = 0;
  tcp::State state;
  bool orphan;
  {
    LockGuard guard(lock_);
    const tcp::Tcb& c = connection_.view();
    state = stage_ == Stage::listening ? tcp::State::listen : c.state;
    orphan = c.orphan;
    if (state == tcp::State::listen) {
      LockGuard accept(accept_lock_);
      unread = ready_count_;
      waiting = backlog_;
    } else if (state != tcp::State::closed) {
      waiting = c.unacknowledged();
      unread = c.readable();
      resends = c.retries;
      probes = c.probes;
    }
  }
  // A name alone is nothing to show.
  if (state == tcp::State::closed) return;
  format(out, "{:4}: ", row);
  put_hex(out, who.local, v6());
  out.write(" ");
  SocketAddress peer = who.peer;
  if (state == tcp::State::listen) peer = {any_address(v6()), 0, 0, 0};
  put_hex(out, peer, v6());
  if (state == tcp::State::listen) waiting = 0;
  constexpr const char* kHex = "0123456789ABCDEF";
  const char digits[2] = {'0', kHex[static_cast<uint8_t>(state) & 0xf]};
  out.write(" ");
  out.write({digits, 2});
  format(out, " {:08x}:{:08x} 00:00000000 {:08x} {:5} {:8} {} {} {:016x} 20 4 30 10 -1\n", waiting, unread,
         resends, orphan ? 0u : uid(), probes, orphan ? uint64_t{0} : ino(), ref_count(), uint64_t{0});
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
