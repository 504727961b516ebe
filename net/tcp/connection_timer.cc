// What happens when nothing happens: retransmission (RFC 6298), tail loss probes (RFC 8985), probes of closed
// windows, delayed acknowledgements, keepalive, and the ends of connections.
#include <algorithm>

#include "net/tcp/connection.h"

namespace runsc::net::tcp {

namespace {
constexpr uint64_t kDelayedAck = 40 * kMs, kDelayedAckMax = 200 * kMs;

// How long Linux goes on with `count` timeouts in a row that start at the shortest one.
uint64_t patience(uint32_t count) {
  constexpr uint32_t kDoublings = 9;  // of the shortest timeout until it is the longest
  if (count <= kDoublings) return ((uint64_t{2} << count) - 1) * kRtoMin;
  return ((uint64_t{2} << kDoublings) - 1) * kRtoMin + (count - kDoublings) * kRtoMax;
}
}  // namespace

uint64_t Connection::deadline() const { return std::min({send_at_, ack_at_, keep_at_}); }

uint64_t Connection::resend_timeout() const {
  return std::min(rtt.timeout() << std::min(backoff, 20u), kRtoMax);
}

void Connection::arm_resend(uint64_t now) {
  // A SYN for which there was no memory is tried again too.
  if (sent.empty() && state != State::syn_sent && state != State::syn_received) return stop_sending_timer();
  wait_ = Wait::resend;
  send_at_ = now + resend_timeout();
}

// After new data, or an acknowledgement of some: a probe for the tail comes before the timeout.
void Connection::arm_after_send(uint64_t now) {
  arm_resend(now);
  if (sent.empty() || !sack || phase != Phase::open || probe_out_ || backoff != 0) return;
  if (!(state == State::established || state == State::close_wait || state == State::fin_wait1 ||
        state == State::last_ack || state == State::closing))
    return;
  uint64_t wait = kSecond;
  if (rtt.known()) {
    wait = 2 * rtt.smoothed();
    wait += sent.count() == 1 ? kDelayedAckMax : 2 * kMs;
  }
  if (now + wait >= send_at_) return;
  wait_ = Wait::loss_probe;
  send_at_ = now + wait;
}

void Connection::delay_ack(uint64_t now) {
  const uint64_t at = now + kDelayedAck;
  ack_at_ = std::min(ack_at_, at);
}

void Connection::timer(uint64_t now) {
  if (ack_at_ <= now) {
    ack_at_ = kNever;
    pingpong_ = false;
    send_ack(now);
  }
  if (send_at_ <= now) {
    const Wait what = wait_;
    stop_sending_timer();
    switch (what) {
      case Wait::resend:
        resend_timer(now);
        break;
      case Wait::loss_probe:
        loss_probe_timer(now);
        break;
      case Wait::window_probe:
        window_probe_timer(now);
        break;
      case Wait::reorder: {
        AckOutcome out;
        detect(out, false, false, now);
        if (out.newly_lost > 0) {
          if (phase == Phase::open || phase == Phase::disorder) start_recovery(now);
          if (phase == Phase::recovery) congestion.recover(0, sent.in_flight(), false, true);
          resend_lost(now);
        }
        if (wait_ == Wait::nothing) arm_resend(now);
        break;
      }
      case Wait::nothing:
        break;
    }
  }
  if (keep_at_ <= now) keep_timer(now);
}

bool Connection::timed_out(uint64_t now) {
  if (stuck_since_us_ == 0) stuck_since_us_ = sent.empty() ? now : sent.front().first_us;
  const uint64_t elapsed = now - stuck_since_us_;
  if (state == State::syn_sent) {
    if (settings.user_timeout && elapsed >= settings.user_timeout) return true;
    return retries >= settings.syn_retries;
  }
  if (state == State::syn_received) return retries >= settings.synack_retries + settings.defer_accept;
  if (orphan && retries >= settings.orphan_retries) return true;
  if (settings.user_timeout) return retries > 0 && elapsed >= settings.user_timeout;
  return retries > 0 && elapsed >= patience(settings.retries2);
}

void Connection::resend_timer(uint64_t now) {
  const bool syn = state == State::syn_sent || state == State::syn_received;
  if (sent.empty() && !syn) return stop_sending_timer();
  if (timed_out(now)) return abort(state == State::syn_received ? Errno{} : Errno::timedout, now);
  ++retries;
  if (sent.empty()) {
    ++backoff;
    send_syn(now, nullptr);
    return arm_resend(now);
  }
  if (synchronized() && state != State::syn_received) {
    if (sent.front().sacked) sent.forget_sacks();  // the peer went back on its word
    congestion.enter_loss(0, now, phase != Phase::loss && phase != Phase::recovery);
    if (phase != Phase::loss) {
      undo_possible_ = true;
      resent_first_us_ = 0;
    }
    phase = Phase::loss;
    high_seq_ = snd_nxt;
    duplicate_acks_ = 0;
    probe_out_ = false;
    sent.mark_all_lost();
  }
  resend(sent.front(), now);
  ++backoff;
  arm_resend(now);
}

// RFC 8985, section 7.3.
void Connection::loss_probe_timer(uint64_t now) {
  if (sent.empty()) return push(now);
  probe_high_ = snd_nxt;
  probe_out_ = true;
  probe_resent_ = false;
  dsack_seen_ = false;
  const int32_t room = distance(snd_nxt, snd_una + snd_wnd);
  const uint32_t size = std::min(unsent(), mss);
  if (size > 0 && room >= static_cast<int32_t>(size)) {
    if (send_new(size, now)) probe_high_ = snd_nxt;
  } else {
    probe_resent_ = true;
    // The last one; should it be lost, its loss shows what was lost before it.
    Sent& last = sent.back();
    if (!last.sacked) resend(last, now);
  }
  arm_resend(now);
}

void Connection::window_probe_timer(uint64_t now) {
  if (!sent.empty()) {
    probing_since_us_ = 0;
    return arm_resend(now);
  }
  if (!pending()) return;
  // Each answer sets `probes` back. Who has the connection open may wait for ever, or as long as
  // TCP_USER_TIMEOUT says since the first probe; nobody waits for what nobody has open.
  const uint32_t limit = orphan ? settings.orphan_retries : settings.retries2;
  const bool given_up = orphan && resend_timeout() >= kRtoMax && backoff >= limit;
  if (probing_since_us_ == 0) probing_since_us_ = now;
  const uint64_t since = now - probing_since_us_;
  const bool too_long = settings.user_timeout && since > 0 && since >= settings.user_timeout;
  if (probes >= limit || too_long || given_up) return abort(Errno::timedout, now);
  push(now, true);  // what was held back, or the window has opened
  if (!sent.empty() || state == State::closed) return;
  send_probe(now);
  ++probes;
  ++backoff;
  wait_ = Wait::window_probe;
  send_at_ = now + resend_timeout();
  if (settings.user_timeout)
    send_at_ = std::min(send_at_, std::max(probing_since_us_ + settings.user_timeout, now + 2 * kMs));
}

void Connection::arm_keep(uint64_t now) {
  if (state == State::time_wait || (state == State::fin_wait2 && orphan)) return;
  keep_at_ = kNever;
  if (!settings.keepalive || state == State::closed || state == State::syn_sent) return;
  const uint64_t since = std::max(last_received_us, keep_probes_out ? now : 0);
  keep_at_ = std::max(since + (keep_probes_out ? settings.keep_interval : settings.keep_idle), now + kMs);
}

void Connection::keep_timer(uint64_t now) {
  keep_at_ = kNever;
  if (state == State::time_wait) return finish(Errno{});
  if (state == State::fin_wait2 && orphan) return finish(Errno{});
  if (!settings.keepalive) return;
  const uint64_t idle = now - last_received_us;
  if (!sent.empty() || pending() || idle < settings.keep_idle) return arm_keep(now);
  const bool over = settings.user_timeout ? keep_probes_out > 0 && idle >= settings.user_timeout
                                          : keep_probes_out >= settings.keep_probes;
  if (over) return abort(Errno::timedout, now);
  send_probe(now);
  ++keep_probes_out;
  keep_at_ = now + settings.keep_interval;
}

}  // namespace runsc::net::tcp
