// What is sent, and when.
#include <algorithm>

#include "net/tcp/connection.h"

namespace runsc::net::tcp {

namespace {
constexpr uint32_t kChallengesPerSecond = 100;
constexpr uint64_t kDuplicateGap = 500 * kMs;  // of answers to segments without data that are out of place
constexpr uint32_t kOptionSpace = 40;

constexpr uint32_t align_up(uint32_t n, uint8_t shift) {
  const uint32_t unit = uint32_t{1} << shift;
  return (n + unit - 1) & ~(unit - 1);
}
}  // namespace

// ---- windows ----

// Half of the free memory: the other half is what segments cost beside their data.
uint32_t Connection::receive_room() const {
  const uint64_t used = received.memory();
  uint32_t room =
      settings.receive_buffer > used ? static_cast<uint32_t>((settings.receive_buffer - used) / 2) : 0;
  if (settings.window_clamp) {
    const uint32_t queued = readable();
    room = std::min(room, settings.window_clamp > queued ? settings.window_clamp - queued : 0);
  }
  return room;
}

// What to announce now; the right edge never goes back (RFC 9293, 3.8.6.2.2: nor does it creep).
uint32_t Connection::select_window() {
  const Seq edge = rcv_wup + rcv_wnd;
  const uint32_t current = before(rcv_nxt, edge) ? edge - rcv_nxt : 0;
  uint32_t window = receive_room();
  const uint32_t full = settings.receive_buffer / 2;
  if (window < std::min(rcv_mss, full) || window < full / 16) window = 0;
  const uint32_t limit = uint32_t{65535} << rcv_shift;
  window = std::min(window, limit);
  window = rcv_shift ? align_up(window, rcv_shift) : window;
  window = std::min(std::max(window, rcv_shift ? align_up(current, rcv_shift) : current), limit);
  rcv_wnd = window;
  rcv_wup = rcv_nxt;
  return window;
}

// ---- segments ----

void Connection::fill(Segment& s, uint64_t now) {
  s.flags |= flag::ack;
  s.ack = rcv_nxt;
  s.window = static_cast<uint16_t>(std::min<uint32_t>(select_window() >> rcv_shift, 65535));
  if (timestamps) {
    s.options.has_timestamp = true;
    s.options.ts_value = timestamp_now(now);
    s.options.ts_echo = ts_recent;
  }
  if (!sack) return;
  const uint32_t room = std::min<uint32_t>(
      (kOptionSpace - (timestamps ? kTimestampSpace : 0) - kSackBaseSpace) / kSackBlockSpace,
      Options::kMaxSack);
  uint32_t n = 0;
  if (duplicate_.start != duplicate_.end) s.options.sack[n++] = duplicate_;
  duplicate_ = {0, 0};
  if (!received.early_empty())
    n += received.early_ranges(latest_early_, std::span(s.options.sack).subspan(n, room - n));
  s.options.sack_count = static_cast<uint8_t>(n);
}

void Connection::emit(Segment& s, uint64_t now) {
  ++segments_out;
  if (s.has(flag::ack)) {
    ack_at_ = kNever;
    ack_now_ = ack_wanted_ = false;
    if (quick_ > 0) --quick_;
  }
  if (s.size > 0) {
    ++data_out;
    if (last_data_us != 0 && now - last_data_us < 40 * kMs) pingpong_ = true;
    last_sent_us = now;
  }
  driver_.emit(s);
}

void Connection::send_syn(uint64_t now, Sent* again) {
  if (again) {
    sent.resend(*again, now);
    ++total_resent;
  } else {
    Sent* record = sent.add(iss, iss + 1, now);
    if (!record) return;  // tried again by the timer, which finds nothing sent
    record->syn = true;
    snd_nxt = iss + 1;
  }
  Segment s;
  s.seq = iss;
  s.flags = flag::syn;
  if (state == State::syn_received) {
    s.flags |= flag::ack;
    s.ack = rcv_nxt;
    rcv_wup = rcv_nxt;
  }
  rcv_wnd = std::min<uint32_t>(receive_room(), 65535);
  s.window = static_cast<uint16_t>(rcv_wnd);
  s.options.has_mss = true;
  s.options.mss = static_cast<uint16_t>(announced_mss);
  s.options.sack_permitted = sack;
  s.options.has_shift = scaling;
  s.options.shift = rcv_shift;
  s.options.has_timestamp = timestamps;
  s.options.ts_value = timestamp_now(now);
  s.options.ts_echo = ts_recent;
  emit(s, now);
}

void Connection::send_ack(uint64_t now) {
  Segment s;
  s.seq = snd_nxt;
  fill(s, now);
  emit(s, now);
}

// Something that the peer must answer: a number that it has acknowledged already.
void Connection::send_probe(uint64_t now) {
  Segment s;
  s.seq = snd_una - 1;
  fill(s, now);
  emit(s, now);
}

void Connection::send_reset(Seq seq, uint64_t now) {
  Segment s;
  s.seq = seq;
  s.flags = flag::rst | flag::ack;
  s.ack = rcv_nxt;
  (void)now;
  ++segments_out;
  driver_.emit(s);
}

// RFC 5961: who sent it, if it was the peer, knows from the answer what would be right.
void Connection::challenge(uint64_t now) {
  const uint64_t second = now / kSecond;
  if (second != challenge_second_) {
    challenge_second_ = second;
    challenges_ = 0;
  }
  if (challenges_++ < kChallengesPerSecond) send_ack(now);
}

// For a segment out of place. Two that go on like this could talk for ever.
void Connection::duplicate_ack(uint64_t now) {
  const bool has_duplicate = duplicate_.start != duplicate_.end;
  if (!has_duplicate && duplicates_ != 0 && now - duplicate_second_ < kDuplicateGap) return;
  duplicates_ = 1;
  duplicate_second_ = now;
  send_ack(now);
}

// RFC 9293, 3.8.6.3: at least every second full segment at once, others after a while.
void Connection::ack_if_due(uint64_t now) {
  if (!ack_wanted_ && !ack_now_) return;
  if (state == State::closed) return;
  const bool full = rcv_nxt - rcv_wup > rcv_mss && 2 * uint64_t{receive_room()} >= rcv_wnd;
  if (ack_now_ || full || (quick_ > 0 && !pingpong_) || !received.early_empty()) return send_ack(now);
  delay_ack(now);
}

// ---- data ----

bool Connection::may_send_small(uint32_t size) const {
  const bool last = size == unsent();
  if (last && fin_wanted) return true;
  if (urgent_mode && before(snd_nxt, snd_up)) return true;
  if (settings.cork || (more && last)) return false;
  if (settings.nodelay) return true;
  // Nagle's rule in the form of Minshall: one small segment on its way at a time.
  return !(before(snd_una, min_sent) && at_or_before(min_sent, snd_nxt));
}

// The next `size` bytes, and the FIN if it comes after them.
bool Connection::send_new(uint32_t size, uint64_t now) {
  const bool last = size == unsent();
  const bool fin = last && fin_wanted && !fin_sent;
  Sent* record = sent.add(snd_nxt, snd_nxt + size + fin, now);
  if (!record) return false;
  record->fin = fin;
  Segment s;
  s.seq = snd_nxt;
  s.size = size;
  if (fin) s.flags |= flag::fin;
  if (size > 0 && (last || (before(snd_nxt, pushed_seq) && at_or_before(pushed_seq, snd_nxt + size))))
    s.flags |= flag::psh;
  if (urgent_mode && before(s.seq, snd_up)) {
    s.flags |= flag::urg;
    s.urgent = static_cast<uint16_t>(std::min<uint32_t>(snd_up - s.seq, 0xffff));
  }
  fill(s, now);
  snd_nxt += size + fin;
  if (size < mss) min_sent = snd_nxt;
  if (fin) fin_sent = true;
  bytes_sent += size;
  if (phase == Phase::recovery) congestion.sent_in_recovery(size);
  emit(s, now);
  return true;
}

void Connection::push(uint64_t now, bool force) {
  if (state == State::closed || state == State::time_wait || state == State::listen || !synchronized())
    return;
  if (state == State::syn_received) return;
  if (sent.lost_bytes() > sent.resent_bytes()) resend_lost(now);
  bool any = false;
  window_limited_ = window_limited_ && !sent.empty();
  while (pending()) {
    const int32_t window_room = distance(snd_nxt, snd_una + snd_wnd);
    if (unsent() == 0) {  // a FIN alone
      if (window_room < 1 && !sent.empty()) break;
      if (window_room < 1 && !force) break;
      if (!send_new(0, now)) break;
      any = true;
      break;
    }
    if (window_room <= 0) break;
    uint32_t size = std::min(unsent(), mss);
    const bool cut = static_cast<uint32_t>(window_room) < size;
    if (cut) size = static_cast<uint32_t>(window_room);
    const uint64_t flight = sent.in_flight();
    if (flight != 0 && flight + size > congestion.window()) {
      window_limited_ = true;
      break;
    }
    if (size < mss && !force) {
      // Silly window avoidance (RFC 9293, 3.8.6.2.1), or Nagle's rule.
      if (cut ? (flight != 0 && size < max_window / 2) : !may_send_small(size)) break;
    }
    if (!send_new(size, now)) break;
    any = true;
    force = false;
  }
  // In slow start whoever uses half of the window may have more.
  if (congestion.slow_start() && sent.in_flight() * 2 >= congestion.window()) window_limited_ = true;
  if (any) arm_after_send(now);
  if (sent.empty() && pending() && wait_ == Wait::nothing) {
    wait_ = Wait::window_probe;
    send_at_ = now + resend_timeout();
  }
}

// ---- again ----

bool Connection::resend(Sent& s, uint64_t now) {
  if (s.syn) {
    send_syn(now, &s);
    return true;
  }
  if (s.size() - s.fin > mss && !sent.split(s, mss)) return false;
  if (resent_first_us_ == 0) resent_first_us_ = now;
  Segment out;
  out.seq = s.start;
  out.size = s.size() - s.fin;
  if (s.fin) out.flags |= flag::fin;
  if (out.size > 0) out.flags |= flag::psh;
  if (urgent_mode && before(out.seq, snd_up)) {
    out.flags |= flag::urg;
    out.urgent = static_cast<uint16_t>(std::min<uint32_t>(snd_up - out.seq, 0xffff));
  }
  fill(out, now);
  ++total_resent;
  bytes_resent += out.size;
  if (phase == Phase::recovery) congestion.sent_in_recovery(s.size());
  sent.resend(s, now);
  emit(out, now);
  return true;
}

void Connection::resend_lost(uint64_t now) {
  bool any = false;
  while (Sent* s = sent.next_lost()) {
    const uint64_t flight = sent.in_flight();
    const uint32_t size = std::min(s->size(), mss);
    if (flight != 0 && flight + size > congestion.window()) break;
    // Nothing beyond a window that has shrunk, but for the first.
    if (s->start != snd_una && before(snd_una + snd_wnd, s->start + size)) break;
    if (!resend(*s, now)) break;
    any = true;
  }
  if (any) arm_resend(now);
}

}  // namespace runsc::net::tcp
