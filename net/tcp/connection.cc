// The beginnings and ends of a connection, and what its application does.
#include "net/tcp/connection.h"

#include <algorithm>

namespace runsc::net::tcp {

namespace {
constexpr uint32_t kLeastMss = 48, kDefaultMss = 536;
}

uint8_t window_shift(const Settings& s) {
  uint8_t shift = 0;
  if (!s.window_scaling) return shift;
  uint32_t space = s.buffers_grow ? s.receive_buffer_max : s.receive_buffer;
  for (; space > 65535 && shift < kMaxWindowShift; space >>= 1) ++shift;
  return shift;
}

uint32_t announced_mss(const Settings& s) {
  const uint32_t mss = s.user_mss ? std::min(s.route_mss, s.user_mss) : s.route_mss;
  return std::min<uint32_t>(mss, 65535);
}

uint16_t first_window(const Settings& s) {
  uint32_t room = s.receive_buffer / 2;
  if (s.window_clamp) room = std::min(room, s.window_clamp);
  return static_cast<uint16_t>(std::min<uint32_t>(room, 65535));
}

void Connection::begin(const Settings& s, Seq first, uint32_t ts_off) {
  settings = s;
  iss = snd_una = snd_nxt = pushed_seq = min_sent = first;
  write_seq = snd_up = high_seq_ = first + 1;
  ts_offset = ts_off;
  announced_mss = tcp::announced_mss(settings);
  rcv_shift = window_shift(settings);
  timestamps = settings.timestamps;
  sack = settings.sack;
  scaling = settings.window_scaling;
  mss = std::max(announced_mss, kLeastMss);
  rcv_mss = std::min(mss, kDefaultMss);
}

// What both sides can do (RFC 7323, RFC 2018).
void Connection::take_syn_options(const Options& o) {
  peer_mss = std::max<uint32_t>(o.has_mss ? o.mss : kDefaultMss, kLeastMss);
  timestamps = timestamps && o.has_timestamp;
  sack = sack && o.sack_permitted;
  scaling = scaling && o.has_shift;
  snd_shift = scaling ? o.shift : 0;
  if (!scaling) rcv_shift = 0;
  set_mss();
}

void Connection::set_mss() {
  uint32_t n = std::min(settings.route_mss, peer_mss);
  if (settings.user_mss) n = std::min(n, settings.user_mss);
  n = std::max(n, kLeastMss);
  mss = timestamps ? n - kTimestampSpace : n;
  congestion.set_mss(mss);
}

void Connection::become(State next) {
  state = next;
  driver_.happened(event::changed);
}

void Connection::established(uint64_t now) {
  congestion.set_algorithm(settings.algorithm);
  congestion.start(mss);
  measure_seq_ = copied_seq;
  measure_us_ = now;
  measured_space_ = settings.receive_buffer / 2;
  rcv_mss = std::min(mss, kDefaultMss);
  phase = Phase::open;
  retries = backoff = 0;
  last_received_us = now;
  state = State::established;
  arm_keep(now);
  driver_.happened(event::changed | event::writable);
}

void Connection::finish(Errno e) {
  if (state == State::closed) return;
  state = State::closed;
  if (e != Errno{}) error = e;
  stop_sending_timer();
  ack_at_ = keep_at_ = kNever;
  sent.clear();
  driver_.release(write_seq);
  driver_.happened(event::changed | event::readable | event::writable);
  driver_.ended();
}

void Connection::enter_time_wait(uint64_t now) {
  stop_sending_timer();
  ack_at_ = kNever;
  keep_at_ = now + settings.time_wait;
  become(State::time_wait);
}

void Connection::connect(const Settings& s, Seq first, uint32_t ts_off, uint64_t now) {
  begin(s, first, ts_off);
  state = State::syn_sent;
  send_syn(now, nullptr);
  arm_resend(now);
}

void Connection::accept(const Settings& s, const Segment& syn, Seq first, uint32_t ts_off, uint64_t now) {
  begin(s, first, ts_off);
  irs = syn.seq;
  rcv_nxt = rcv_wup = copied_seq = syn.seq + 1;
  snd_wl1 = syn.seq;
  snd_wnd = max_window = syn.window;
  take_syn_options(syn.options);
  note_timestamp(syn, now);
  state = State::syn_received;
  send_syn(now, nullptr);
  arm_resend(now);
}

void Connection::accept_cookie(const Settings& s, const Segment& syn, Seq first, uint32_t ts_off,
                               uint64_t now) {
  begin(s, first, ts_off);
  irs = syn.seq;
  rcv_nxt = rcv_wup = copied_seq = syn.seq + 1;
  snd_wl1 = syn.seq;
  snd_wnd = max_window = syn.window;
  rcv_wnd = std::min<uint32_t>(receive_room(), 65535);
  take_syn_options(syn.options);
  note_timestamp(syn, now);
  state = State::syn_received;
  if (Sent* record = sent.add(iss, iss + 1, now)) record->syn = record->ever_resent = true;
  snd_nxt = iss + 1;
  arm_resend(now);
}

void Connection::unreachable(Errno e, bool hard) {
  if (state == State::syn_sent || state == State::syn_received) {
    if (hard) finish(e);
  }
}

void Connection::path_mtu(uint32_t route_mss, uint64_t now) {
  if (route_mss >= settings.route_mss || state == State::closed || state == State::listen) return;
  settings.route_mss = route_mss;
  if (!synchronized()) return;
  const uint32_t old = mss;
  set_mss();
  if (mss >= old || sent.empty()) return;
  // What was too large never arrived.
  sent.mark_all_lost();
  resend_lost(now);
  arm_resend(now);
}

// ---- the application ----

void Connection::wrote(uint32_t n, bool push_flag, bool with_more, bool urgent_end, uint64_t now) {
  if (sent.empty() && rtt.known() && last_sent_us != 0 && n > 0 && now - last_sent_us > rtt.timeout())
    congestion.restart_after_idle(now - last_sent_us, rtt.timeout());
  write_seq += n;
  if (push_flag) pushed_seq = write_seq;
  more = with_more;
  if (urgent_end) {
    snd_up = write_seq;
    urgent_mode = true;
  }
  push(now);
}

// A reader that takes as fast as the peer sends is given a larger buffer (as much again as one round trip
// brings).
void Connection::measure_receive(uint32_t n, uint64_t now) {
  (void)n;
  const uint64_t round = std::max<uint64_t>(rtt.known() ? rtt.smoothed() : kMs, kMs / 2);
  if (now - measure_us_ < round) return;
  const uint32_t copied = copied_seq - measure_seq_;
  if (copied > measured_space_ && settings.buffers_grow) {
    const uint64_t wanted = 2 * (2 * uint64_t{copied} + 16 * uint64_t{mss});
    const uint64_t grown = std::min<uint64_t>(wanted, settings.receive_buffer_max);
    settings.receive_buffer = static_cast<uint32_t>(std::max<uint64_t>(grown, settings.receive_buffer));
    measured_space_ = copied;
  }
  measure_seq_ = copied_seq;
  measure_us_ = now;
}

void Connection::did_read(uint32_t n, uint64_t now) {
  received.consume(n);
  copied_seq += n;
  if (urgent != Urgent::none && before(urgent_seq, copied_seq)) urgent = Urgent::none;
  if (skip && before(skip_seq, copied_seq)) skip = false;
  measure_receive(n, now);
  if (!synchronized() || state == State::time_wait || state == State::syn_received) return;
  if (fin_received) return;
  // A window update: the window doubles by what was read, or all is read and an acknowledgement waits anyway.
  const Seq edge = rcv_wup + rcv_wnd;
  const uint32_t left = before(rcv_nxt, edge) ? edge - rcv_nxt : 0;
  bool tell = ack_at_ != kNever && (rcv_nxt - rcv_wup > rcv_mss || (!pingpong_ && readable() == 0));
  if (!tell && 2 * uint64_t{left} <= receive_room()) {
    const uint32_t fresh = receive_room();
    tell = fresh >= rcv_mss && fresh >= 2 * uint64_t{left};
  }
  if (tell) send_ack(now);
}

void Connection::take_urgent() {
  if (urgent == Urgent::here) urgent = Urgent::taken;
}

void Connection::shutdown_send(uint64_t now) {
  if (fin_wanted) return;
  switch (state) {
    case State::syn_received:
    case State::established:
      fin_wanted = true;
      become(State::fin_wait1);
      break;
    case State::close_wait:
      fin_wanted = true;
      become(State::last_ack);
      break;
    default:
      return;
  }
  push(now);
}

void Connection::close(bool abort_it, uint64_t now) {
  orphan = true;
  receive_shut = true;
  if (abort_it || state == State::syn_sent || state == State::listen) return abort(Errno{}, now);
  if (state == State::closed || state == State::time_wait) return;
  shutdown_send(now);
  if (state == State::fin_wait2) keep_at_ = now + settings.fin_timeout;
}

void Connection::abort(Errno e, uint64_t now) {
  switch (state) {
    case State::established:
    case State::fin_wait1:
    case State::fin_wait2:
    case State::close_wait:
    case State::syn_received:
      send_reset(snd_nxt, now);
      break;
    default:
      break;
  }
  finish(e);
}

void Connection::settings_changed(uint64_t now) {
  if (!synchronized()) return;
  if (settings.algorithm != congestion.algorithm()) congestion.set_algorithm(settings.algorithm);
  arm_keep(now);
  if (state != State::syn_received) push(now);
}

void Connection::quick_ack(bool on, uint64_t now) {
  pingpong_ = !on;
  if (on && ack_at_ != kNever) send_ack(now);
}

}  // namespace runsc::net::tcp
