// A segment arrives (RFC 9293, section 3.10.7).
#include <algorithm>

#include "net/tcp/connection.h"

namespace runsc::net::tcp {

namespace {
constexpr uint64_t kTimestampAgeMax = 24 * 24 * 3600 * kSecond;  // RFC 7323, section 5.5
constexpr uint32_t kQuickMax = 16;
}  // namespace

bool Connection::input(const Segment& s, Unique<Piece> data, uint64_t now) {
  ++segments_in;
  if (state == State::closed || state == State::listen) return false;
  if (state == State::syn_sent) return input_syn_sent(s, data, now);
  if (state == State::time_wait) return input_time_wait(s, now);
  bool reset = false;
  if (!check_segment(s, now, reset) || !check_ack(s, now, reset)) return !reset;
  last_received_us = now;
  keep_probes_out = 0;
  if (state == State::closed || state == State::time_wait) return true;  // the last acknowledgement
  note_urgent(s);
  urgent_data(data.get());
  input_data(s, std::move(data), now);
  if (state == State::closed) return true;
  if (early_fin_ && early_fin_seq_ == rcv_nxt) input_fin(now);
  if (state != State::time_wait) push(now);
  ack_if_due(now);
  return true;
}

// ---- the checks, in the order of the RFC ----

bool Connection::paws_rejects(const Segment& s, uint64_t now) const {
  if (!timestamps || !s.options.has_timestamp || ts_recent_us == 0) return false;
  return distance(ts_recent, s.options.ts_value) < 0 && now - ts_recent_us < kTimestampAgeMax;
}

void Connection::note_timestamp(const Segment& s, uint64_t now) {
  if (!timestamps || !s.options.has_timestamp) return;
  // RFC 7323, section 4.3: of the segment that the next acknowledgement is for.
  if (ts_recent_us != 0 && (before(rcv_wup, s.seq) || distance(ts_recent, s.options.ts_value) < 0)) return;
  ts_recent = s.options.ts_value;
  ts_recent_us = now;
}

bool Connection::acceptable(const Segment& s) const {
  const Seq edge = later_of(rcv_wup + rcv_wnd, rcv_nxt);
  return at_or_before(rcv_wup, s.end()) && at_or_before(s.seq, edge);
}

void Connection::reset_by_peer() {
  reset_received = true;
  switch (state) {
    case State::syn_received:
      return finish(Errno::connrefused);
    case State::close_wait:
      return finish(Errno::pipe);
    case State::last_ack:
    case State::closing:
    case State::time_wait:
      return finish(Errno{});
    default:
      return finish(Errno::connreset);
  }
}

// False: dealt with.
bool Connection::check_segment(const Segment& s, uint64_t now, bool& reset) {
  if (state == State::syn_received && s.has(flag::syn) && !s.has(flag::ack) && s.seq == irs) {
    if (!sent.empty()) send_syn(now, &sent.front());
    return false;
  }
  if (!s.has(flag::rst) && paws_rejects(s, now)) {
    duplicate_ack(now);
    return false;
  }
  if (!acceptable(s)) {
    if (s.has(flag::rst)) return false;
    if (s.has(flag::syn)) {
      challenge(now);
    } else {
      if (s.size > 0 && before(s.seq, rcv_nxt)) duplicate_ = {s.seq, earlier_of(s.end(), rcv_nxt)};
      duplicate_ack(now);
    }
    return false;
  }
  if (s.has(flag::rst)) {
    // RFC 5961, section 3.2: only the one that is exactly next.
    if (s.seq == rcv_nxt)
      reset_by_peer();
    else
      challenge(now);
    return false;
  }
  if (s.has(flag::syn) && !(state == State::syn_received && s.seq == irs)) {
    challenge(now);
    return false;
  }
  (void)reset;
  return s.has(flag::ack);
}

bool Connection::input_syn_received(const Segment& s, uint64_t now, bool& reset) {
  if (!before(snd_una, s.ack) || before(snd_nxt, s.ack)) {
    reset = true;
    return false;
  }
  // TCP_DEFER_ACCEPT: it is the data that count.
  if (settings.defer_accept > retries && s.size == 0 && !s.has(flag::fin)) return false;
  if (!driver_.may_establish()) return false;
  const uint32_t window = uint32_t{s.window} << (s.has(flag::syn) ? 0 : snd_shift);
  snd_wnd = window;
  max_window = std::max(max_window, window);
  snd_wl1 = s.seq;
  const bool closing_already = fin_wanted;
  established(now);
  if (closing_already) state = State::fin_wait1;
  return true;
}

bool Connection::check_ack(const Segment& s, uint64_t now, bool& reset) {
  if (state == State::syn_received) {
    if (!input_syn_received(s, now, reset)) return false;
  } else if (before(snd_nxt, s.ack) || before(s.ack, snd_una - std::max<uint32_t>(max_window, 1))) {
    // RFC 5961, section 5: neither of the future nor too old.
    challenge(now);
    return false;
  }
  note_timestamp(s, now);
  input_ack(s, now);
  return true;
}

// ---- states with rules of their own ----

bool Connection::input_syn_sent(const Segment& s, Unique<Piece>& data, uint64_t now) {
  (void)data;
  const bool acks = s.has(flag::ack);
  if (acks && (!before(iss, s.ack) || before(snd_nxt, s.ack))) return s.has(flag::rst);
  if (s.has(flag::rst)) {
    if (acks) finish(Errno::connrefused);
    return true;
  }
  if (!s.has(flag::syn)) return true;
  irs = s.seq;
  rcv_nxt = rcv_wup = copied_seq = s.seq + 1;
  snd_wl1 = s.seq;
  snd_wnd = max_window = s.window;
  take_syn_options(s.options);
  note_timestamp(s, now);
  last_received_us = now;
  if (!acks) {  // both at once
    state = State::syn_received;
    if (!sent.empty()) send_syn(now, &sent.front());
    arm_resend(now);
    return true;
  }
  AckOutcome out;
  sent.acknowledge(s.ack, now, out);
  snd_una = s.ack;
  driver_.release(earlier_of(s.ack, write_seq));
  stop_sending_timer();
  note_rtt(s, out, true, now);
  established(now);
  if (fin_wanted) state = State::fin_wait1;
  // Data of the application carry the acknowledgement, if there are any.
  ack_now_ = ack_wanted_ = true;
  push(now);
  ack_if_due(now);
  return true;
}

// RFC 9293, 3.10.7.4, and RFC 1337. A SYN that may begin a new connection never comes here (TcpEndpoint looks
// first).
bool Connection::input_time_wait(const Segment& s, uint64_t now) {
  if (s.has(flag::rst)) {
    if (s.seq == rcv_nxt && !settings.rfc1337) finish(Errno{});
    return true;
  }
  if (paws_rejects(s, now) || !acceptable(s) || s.has(flag::syn) || s.size > 0) {
    duplicate_ack(now);
    return true;
  }
  if (s.has(flag::fin)) {
    keep_at_ = now + settings.time_wait;
    send_ack(now);
  }
  return true;
}

// ---- urgent data (RFC 6093: it marks a place in the stream; one byte in front of where the pointer points)
// ----

void Connection::note_urgent(const Segment& s) {
  if (!s.has(flag::urg) || fin_received) return;
  const Seq at = s.seq + s.urgent - (s.urgent ? 1 : 0);
  if (before(at, copied_seq) || before(at, rcv_nxt)) return;
  if (urgent != Urgent::none && at_or_before(at, urgent_seq)) return;
  // The old urgent byte at which the reader stands is passed by.
  if (urgent != Urgent::none && urgent_seq == copied_seq && !settings.oob_inline && copied_seq != rcv_nxt) {
    skip = true;
    skip_seq = urgent_seq;
  }
  urgent = Urgent::announced;
  urgent_seq = at;
  driver_.happened(event::announced);
}

void Connection::urgent_data(const Piece* piece) {
  if (urgent != Urgent::announced || !piece || piece->size == 0) return;
  if (before(urgent_seq, piece->start) || !before(urgent_seq, piece->end())) return;
  urgent = Urgent::here;
  urgent_byte = piece->at(urgent_seq);
  driver_.happened(event::urgent | event::readable);
}

// ---- data ----

// Memory is what bounds the queues: what is ahead of a gap goes first.
bool Connection::has_room(uint32_t charge) {
  if (received.memory() <= settings.receive_buffer) return true;
  received.prune_early(charge);
  return received.memory() <= settings.receive_buffer;
}

void Connection::input_data(const Segment& s, Unique<Piece> data, uint64_t now) {
  const Seq start = s.seq + s.has(flag::syn), end = start + s.size;
  if (fin_received) {
    // What has come before comes again: our acknowledgement was lost.
    if (s.length() > 0 && before(s.seq, rcv_nxt)) ack_now_ = true;
    return;
  }
  if (!(state == State::established || state == State::fin_wait1 || state == State::fin_wait2)) return;
  const bool fresh = before(rcv_nxt, end);
  if (fresh && state != State::established && (orphan || receive_shut)) {
    // Nobody will ever read it (RFC 1122, 4.2.2.13).
    send_reset(snd_nxt, now);
    return finish(Errno::connreset);
  }
  if (s.has(flag::fin) && (!early_fin_ || before(early_fin_seq_, end))) {
    early_fin_ = true;
    early_fin_seq_ = end;
  }
  if (s.size == 0 || !data) return;
  ack_wanted_ = true;
  if (before(start, rcv_nxt)) {
    duplicate_ = {start, earlier_of(end, rcv_nxt)};
    ack_now_ = true;
    if (!fresh) return;
    data->cut_front(rcv_nxt - start);
  }
  const Seq edge = later_of(rcv_wup + rcv_wnd, rcv_nxt);
  if (before(edge, data->end())) data->size = edge - data->start;
  if (data->size == 0 || !has_room(data->charge)) {
    ack_now_ = true;
    return;
  }
  ++data_in;
  last_data_us = now;
  if (data->size >= rcv_mss) rcv_mss = std::min(data->size, announced_mss);
  if (data->start != rcv_nxt) return input_early(std::move(data));
  const Seq old = rcv_nxt;
  if (quick_ == 0 && bytes_received == 0) quick_ = kQuickMax;
  rcv_nxt = data->end();
  received.append(std::move(data));
  if (!received.early_empty()) {
    rcv_nxt = received.advance(rcv_nxt);
    ack_now_ = true;  // a gap was filled, wholly or in part (RFC 5681, 4.2)
  }
  bytes_received += rcv_nxt - old;
  driver_.happened(event::readable);
}

void Connection::input_early(Unique<Piece> data) {
  latest_early_ = data->start;
  SackBlock again{0, 0};
  received.insert_early(std::move(data), again);
  if (again.start != again.end) duplicate_ = again;
  ack_now_ = true;
}

void Connection::input_fin(uint64_t now) {
  if (fin_received) return;
  early_fin_ = false;
  fin_received = true;
  ++rcv_nxt;
  ack_now_ = ack_wanted_ = true;
  driver_.happened(event::readable | event::changed);
  switch (state) {
    case State::established:
      return become(State::close_wait);
    case State::fin_wait1:
      return become(State::closing);
    case State::fin_wait2:
      send_ack(now);
      return enter_time_wait(now);
    default:
      return;
  }
}

void Connection::fin_was_acked(uint64_t now) {
  fin_acked = true;
  switch (state) {
    case State::fin_wait1:
      become(State::fin_wait2);
      if (orphan) keep_at_ = now + settings.fin_timeout;
      return;
    case State::closing:
      return enter_time_wait(now);
    case State::last_ack:
      return finish(Errno{});
    default:
      return;
  }
}

}  // namespace runsc::net::tcp
