// What an acknowledgement says: what arrived, what was lost, how much may be sent (RFC 5681, 6675, 8985).
#include <algorithm>

#include "net/tcp/connection.h"

namespace runsc::net::tcp {

namespace {
constexpr uint32_t kDuplicateLimit = 3;
}

void Connection::input_ack(const Segment& s, uint64_t now) {
  const Seq before_ack = snd_una;
  const bool progress = before(snd_una, s.ack);
  const bool had_flight = !sent.empty(), recovering = phase == Phase::recovery;
  AckOutcome out;
  if (at_or_before(snd_una, s.ack)) probes = 0;
  if (progress) {
    sent.acknowledge(s.ack, now, out);
    snd_una = s.ack;
    bytes_acked += out.acked;
    retries = backoff = 0;
    stuck_since_us_ = probing_since_us_ = 0;
    if (urgent_mode && at_or_before(snd_up, snd_una)) urgent_mode = false;
    driver_.release(earlier_of(s.ack, write_seq));
  }
  const bool window_moved = update_window(s);
  last_ack_us = now;
  if (sack && s.options.sack_count > 0 && at_or_before(before_ack, s.ack))
    input_sack(s, before_ack, now, out);
  note_rtt(s, out, progress, now);
  if (progress && sent.empty()) stop_sending_timer();
  const bool duplicate = had_flight && !progress && s.ack == snd_una && s.size == 0 && !window_moved &&
                         !s.has(flag::syn) && !s.has(flag::fin);
  settle_probe(s, progress, now);
  if (!sent.empty() || phase != Phase::open) {
    detect(out, duplicate, progress, now);
    move_phase(s, out, progress, now);
  }
  const bool growing = !recovering && phase != Phase::recovery;
  if (progress && growing && (window_limited_ || phase == Phase::loss))
    congestion.acked(out.acked, now, rtt.known() ? rtt.smoothed() : 0);
  if (progress && !sent.empty() && wait_ != Wait::reorder) arm_after_send(now);
  if (sent.lost_bytes() > sent.resent_bytes()) resend_lost(now);
  if (fin_sent && !fin_acked && snd_una == write_seq + 1) fin_was_acked(now);
  if (wait_ == Wait::window_probe && window_moved && snd_wnd > 0) {
    stop_sending_timer();
    backoff = 0;
    probing_since_us_ = 0;
  }
}

// RFC 9293, 3.10.7.4. True: it is another one now.
bool Connection::update_window(const Segment& s) {
  if (before(s.ack, snd_una)) return false;
  const uint32_t window = uint32_t{s.window} << (s.has(flag::syn) ? 0 : snd_shift);
  const bool newer = before(snd_wl1, s.seq) || (snd_wl1 == s.seq && s.ack == snd_una);
  if (!newer) return false;
  snd_wl1 = s.seq;
  const bool moved = window != snd_wnd;
  snd_wnd = window;
  max_window = std::max(max_window, window);
  return moved;
}

void Connection::input_sack(const Segment& s, Seq before_ack, uint64_t now, AckOutcome& out) {
  for (uint32_t i = 0; i < s.options.sack_count; ++i) {
    const SackBlock& b = s.options.sack[i];
    if (!before(b.start, b.end) || before(snd_nxt, b.end)) continue;
    // RFC 2883: the first block may tell of what came twice.
    const bool old = at_or_before(b.end, s.ack);
    const bool inside = i == 0 && s.options.sack_count > 1 &&
                        at_or_before(s.options.sack[1].start, b.start) &&
                        at_or_before(b.end, s.options.sack[1].end);
    if (i == 0 && (old || inside)) {
      if (distance(b.start, before_ack) < static_cast<int32_t>(std::max<uint32_t>(max_window, 1))) {
        dsack_seen_ = true;
        if (phase == Phase::open) reorder_steps_ = std::min(reorder_steps_ + 1, 20u);
      }
      continue;
    }
    if (before(b.start, snd_una)) continue;
    sent.sack(b, now, out);
  }
}

void Connection::note_rtt(const Segment& s, const AckOutcome& out, bool progress, uint64_t now) {
  if (out.has_rtt) {
    rtt.sample(out.rtt_us, now);
  } else if (progress && timestamps && s.options.has_timestamp && s.options.ts_echo != 0) {
    const int32_t ms = distance(s.options.ts_echo, timestamp_now(now));
    if (ms >= 0) rtt.sample(std::max<uint64_t>(static_cast<uint64_t>(ms) * kMs, kMs), now);
  }
}

// RFC 8985, section 6.2, step 4.
uint64_t Connection::reorder_window() const {
  const bool hurry = phase == Phase::recovery || phase == Phase::loss ||
                     sent.sacked_bytes() >= kDuplicateLimit * uint64_t{mss};
  if (!sent.reordering_seen() && hurry) return 0;
  if (!rtt.known()) return kMs;
  const uint64_t least = rtt.least() == ~uint64_t{0} ? rtt.smoothed() : rtt.least();
  return std::min(std::max<uint64_t>(least / 4 * reorder_steps_, 1), rtt.smoothed());
}

void Connection::detect(AckOutcome& out, bool duplicate, bool progress, uint64_t now) {
  if (sent.empty()) return;
  if (sack) {
    if (sent.sacked_bytes() == 0 && phase == Phase::open && !out.resent_acked) return;
    const uint64_t again = sent.detect_lost(now, reorder_window(), out);
    if (again != 0) {
      wait_ = Wait::reorder;
      send_at_ = now + again + 1;
    } else if (wait_ == Wait::reorder) {
      arm_resend(now);
    }
    return;
  }
  // NewReno (RFC 6582).
  if (duplicate) {
    ++duplicate_acks_;
    out.sacked += mss;
  }
  if (duplicate_acks_ >= kDuplicateLimit && (phase == Phase::open || phase == Phase::disorder) &&
      before(high_seq_, snd_una + 1)) {
    Sent& head = sent.front();
    if (!head.lost) out.newly_lost += head.size();
    sent.mark_lost(head);
  } else if (progress && phase == Phase::recovery && before(snd_una, high_seq_) && !sent.front().resent) {
    out.newly_lost += sent.front().size();
    sent.mark_lost(sent.front());
  }
}

// RFC 3522: the answer is to the first copy, by its timestamp.
bool Connection::was_spurious(const Segment& s) const {
  if (!undo_possible_ || resent_first_us_ == 0 || !timestamps || !s.options.has_timestamp) return false;
  if (s.options.ts_echo == 0) return false;
  return distance(timestamp_now(resent_first_us_), s.options.ts_echo) < 0;
}

void Connection::start_recovery(uint64_t now) {
  phase = Phase::recovery;
  high_seq_ = snd_nxt;
  undo_possible_ = true;
  resent_first_us_ = 0;
  probe_out_ = false;
  congestion.enter_recovery(sent.in_flight() + sent.lost_bytes(), now);
}

void Connection::leave_phase() {
  if (phase == Phase::recovery) congestion.leave_recovery();
  phase = sent.sacked_bytes() ? Phase::disorder : Phase::open;
  undo_possible_ = false;
  resent_first_us_ = 0;
  duplicate_acks_ = 0;
}

void Connection::move_phase(const Segment& s, const AckOutcome& out, bool progress, uint64_t now) {
  if (phase == Phase::recovery || phase == Phase::loss) {
    if (progress && out.delivered() > 0 && was_spurious(s)) {
      congestion.undo();
      sent.clear_lost();
      undo_possible_ = false;
      phase = Phase::open;
      return leave_phase();
    }
    if (at_or_before(high_seq_, snd_una)) return leave_phase();
    if (phase == Phase::recovery)
      congestion.recover(out.delivered(), sent.in_flight(), progress, out.newly_lost > 0);
    return;
  }
  if (progress) duplicate_acks_ = 0;
  if (out.newly_lost > 0) {
    start_recovery(now);
    congestion.recover(out.delivered(), sent.in_flight(), progress, true);
    return;
  }
  phase = sent.sacked_bytes() || duplicate_acks_ ? Phase::disorder : Phase::open;
}

// What became of a tail loss probe (RFC 8985, section 7.4).
void Connection::settle_probe(const Segment& s, bool progress, uint64_t now) {
  if (!probe_out_ || !at_or_before(probe_high_, s.ack)) return;
  if (!probe_resent_) {
    probe_out_ = false;
  } else if (dsack_seen_) {
    probe_out_ = false;  // both copies arrived
  } else if (progress && before(probe_high_, s.ack)) {
    probe_out_ = false;
    congestion.reduce(now);  // the probe repaired a loss that nobody saw
  } else if (progress) {
    probe_out_ = false;
    // All is acknowledged: whether by the probe the timestamp tells.
    if (timestamps && s.options.has_timestamp &&
        distance(timestamp_now(last_sent_us), s.options.ts_echo) >= 0)
      congestion.reduce(now);
  }
  dsack_seen_ = false;
}

}  // namespace runsc::net::tcp
