#include "net/tcp/scoreboard.h"

#include <algorithm>

namespace runsc::net::tcp {

Sent* Scoreboard::add(Seq start, Seq end, uint64_t now_us) {
  Sent* s = count_ < kMost ? new (std::nothrow) Sent : nullptr;
  if (!s) return nullptr;
  s->start = start;
  s->end = end;
  s->sent_us = s->first_us = now_us;
  list_.push_back(*s);
  ++count_;
  total_ += s->size();
  return s;
}

void Scoreboard::clear() {
  list_.clear_and_dispose([](Sent* s) { HeapObject::destroy(s); });
  count_ = 0;
  lost_from_ = nullptr;
  forget_blocks();
  total_ = sacked_ = lost_ = resent_ = 0;
}

void Scoreboard::drop_marks(Sent& s) {
  if (s.sacked) sacked_ -= s.size();
  if (s.lost) lost_ -= s.size();
  if (s.resent) resent_ -= s.size();
  s.sacked = s.lost = s.resent = false;
}

// RFC 8985, section 6.2, step 2: what arrived, by the time it was sent.
void Scoreboard::delivered(const Sent& s, uint64_t now_us, AckOutcome& out) {
  const uint64_t rtt = now_us - s.sent_us;
  if (s.ever_resent) {
    out.resent_acked = true;
    // More likely the answer to the first copy.
    if (rtt < rack_rtt_us_ / 2) return;
  } else {
    if (any_arrived_ && before(s.end, highest_arrived_)) reordered_ = true;
    if (!out.has_rtt || rtt < out.rtt_us) out.rtt_us = rtt;
    out.has_rtt = true;
  }
  if (!any_arrived_ || before(highest_arrived_, s.end)) highest_arrived_ = s.end;
  if (!any_arrived_ || sent_after(s.sent_us, s.end, rack_sent_us_, rack_end_)) {
    rack_sent_us_ = s.sent_us;
    rack_end_ = s.end;
    rack_rtt_us_ = rtt;
  }
  any_arrived_ = true;
}

void Scoreboard::acknowledge(Seq ack, uint64_t now_us, AckOutcome& out) {
  while (!list_.empty()) {
    Sent& s = list_.front();
    if (at_or_before(s.end, ack)) {
      if (!s.sacked) {
        delivered(s, now_us, out);
        out.acked += s.size();
      }
      drop_marks(s);
      total_ -= s.size();
      --count_;
      if (lost_from_ == &s) lost_from_ = nullptr;
      list_.pop_front_and_dispose([](Sent* gone) { HeapObject::destroy(gone); });
      continue;
    }
    if (!before(s.start, ack)) return;
    // A part of it.
    const uint32_t n = ack - s.start;
    if (s.sacked) sacked_ -= n;
    if (s.lost) lost_ -= n;
    if (s.resent) resent_ -= n;
    total_ -= n;
    if (!s.sacked) out.acked += n;
    s.start = ack;
    s.syn = false;
    return;
  }
}

// A segment that a block covers in part only counts as not arrived.
void Scoreboard::sack(SackBlock block, uint64_t now_us, AckOutcome& out) {
  // Most blocks of an acknowledgement repeat what the ones before it said.
  for (uint32_t i = 0; i < known_count_; ++i)
    if (known_[i] == block) return;
  known_[known_next_] = block;
  known_next_ = (known_next_ + 1) % kKnown;
  known_count_ = std::min(known_count_ + 1, kKnown);
  for (Sent& s : list_) {
    if (!before(s.start, block.end)) return;
    if (s.sacked || before(s.start, block.start) || before(block.end, s.end)) continue;
    delivered(s, now_us, out);
    drop_marks(s);
    s.sacked = true;
    sacked_ += s.size();
    out.sacked += s.size();
  }
}

void Scoreboard::forget_sacks() {
  for (Sent& s : list_) s.sacked = false;
  sacked_ = 0;
  forget_blocks();
}

void Scoreboard::mark_lost(Sent& s) {
  if (s.sacked) return;
  if (s.resent) resent_ -= s.size();
  s.resent = false;
  if (!s.lost) lost_ += s.size();
  s.lost = true;
  if (lost_from_ && before(s.start, lost_from_->start)) lost_from_ = &s;
}

uint64_t Scoreboard::detect_lost(uint64_t now_us, uint64_t window_us, AckOutcome& out) {
  uint64_t again = 0;
  if (!any_arrived_) return 0;
  for (Sent& s : list_) {
    if (s.sacked || (s.lost && !s.resent)) continue;
    if (!sent_after(rack_sent_us_, rack_end_, s.sent_us, s.end)) {
      // Later segments were sent later, unless something was sent again meanwhile.
      if (!s.ever_resent && resent_ == 0) break;
      continue;
    }
    const uint64_t limit = s.sent_us + rack_rtt_us_ + window_us;
    if (limit <= now_us) {
      mark_lost(s);
      out.newly_lost += s.size();
    } else {
      again = std::max(again, limit - now_us);
    }
  }
  return again;
}

void Scoreboard::mark_all_lost() {
  for (Sent& s : list_) mark_lost(s);
}

void Scoreboard::clear_lost() {
  for (Sent& s : list_) s.lost = s.resent = false;
  lost_ = resent_ = 0;
  lost_from_ = nullptr;
}

Sent* Scoreboard::next_lost() {
  if (lost_ == resent_) return nullptr;
  for (auto at = lost_from_ ? list_.iterator_to(*lost_from_) : list_.begin(); at != list_.end(); ++at)
    if (at->lost && !at->resent) return lost_from_ = &*at;
  return nullptr;
}

void Scoreboard::resend(Sent& s, uint64_t now_us) {
  if (!s.resent) resent_ += s.size();
  // What was not lost is on its way twice now; it counts once.
  if (!s.lost) lost_ += s.size();
  s.lost = s.resent = s.ever_resent = true;
  s.sent_us = now_us;
}

bool Scoreboard::split(Sent& s, uint32_t size) {
  Sent* rest = count_ < kMost || &s == &list_.front() ? new (std::nothrow) Sent : nullptr;
  if (!rest) return false;
  rest->start = s.start + size;
  rest->end = s.end;
  rest->sent_us = s.sent_us;
  rest->first_us = s.first_us;
  rest->sacked = s.sacked;
  rest->lost = s.lost;
  rest->resent = s.resent;
  rest->ever_resent = s.ever_resent;
  rest->fin = s.fin;
  s.end = rest->start;
  s.fin = false;
  forget_blocks();  // one may cover one part that did not cover both
  list_.insert(std::next(list_.iterator_to(s)), *rest);
  ++count_;
  return true;
}

}  // namespace runsc::net::tcp
