// What has been sent and is not acknowledged: one record for each segment, what selective acknowledgements
// say of it (RFC 6675), and which of them time has shown to be lost (RACK, RFC 8985).
#pragma once

#include <boost/intrusive/list.hpp>

#include "kernel/base/alloc.h"
#include "net/tcp/segment.h"

namespace runsc::net::tcp {

struct Sent final : HeapObject, boost::intrusive::list_base_hook<> {
  Seq start = 0, end = 0;
  uint64_t sent_us = 0, first_us = 0;  // last time, first time
  bool sacked = false, lost = false;
  bool resent = false;       // and that copy is on its way
  bool ever_resent = false;  // its round trip time tells nothing (Karn)
  bool syn = false, fin = false;

  uint32_t size() const { return end - start; }
};

// What an acknowledgement did.
struct AckOutcome {
  uint64_t acked = 0, sacked = 0;  // bytes that are known to have arrived now
  uint64_t newly_lost = 0;
  bool has_rtt = false;
  uint64_t rtt_us = 0;
  bool resent_acked = false;  // something that had been sent again
  uint64_t delivered() const { return acked + sacked; }
};

class Scoreboard {
 public:
  Scoreboard() = default;
  ~Scoreboard() { clear(); }
  Scoreboard(const Scoreboard&) = delete;
  Scoreboard& operator=(const Scoreboard&) = delete;

  // As many segments on their way as Linux's send buffers have room for, and no more: acknowledgements are
  // looked at one segment after the other.
  static constexpr uint32_t kMost = 8192;
  // A record for bytes sent for the first time. Null: no memory, or kMost.
  Sent* add(Seq start, Seq end, uint64_t now_us);
  void clear();
  bool empty() const { return list_.empty(); }
  Sent& front() { return list_.front(); }
  Sent& back() { return list_.back(); }
  uint32_t count() const { return count_; }

  // Everything before `ack` has arrived.
  void acknowledge(Seq ack, uint64_t now_us, AckOutcome& out);
  // A block that the peer holds, within what is on its way.
  void sack(SackBlock block, uint64_t now_us, AckOutcome& out);
  // The peer dropped what it had said it held (an RTO forgets it: RFC 2018, section 8).
  void forget_sacks();

  // Marks as lost what was sent enough earlier than what has arrived since. The time after which to look
  // again; 0: no need.
  uint64_t detect_lost(uint64_t now_us, uint64_t window_us, AckOutcome& out);
  // All that is not known to have arrived (a retransmission timeout).
  void mark_all_lost();
  void mark_lost(Sent& segment);
  // It was not lost after all (an undo).
  void clear_lost();
  // The first that is lost and has not been sent again since, or null.
  Sent* next_lost();
  void resend(Sent& segment, uint64_t now_us);
  // What is left of `segment` after its first `size` bytes becomes a segment of its own. False: no memory, or
  // kMost and it is not the first.
  bool split(Sent& segment, uint32_t size);

  uint64_t sacked_bytes() const { return sacked_; }
  uint64_t lost_bytes() const { return lost_; }
  uint64_t resent_bytes() const { return resent_; }
  // RFC 6675's pipe.
  uint64_t in_flight() const { return total_ - sacked_ - lost_ + resent_; }
  // Bytes arrived out of order without having been sent again (reordering on the path).
  bool reordering_seen() const { return reordered_; }
  uint64_t newest_rtt_us() const { return rack_rtt_us_; }

 private:
  using List = boost::intrusive::list<Sent, boost::intrusive::constant_time_size<false>>;
  void delivered(const Sent& segment, uint64_t now_us, AckOutcome& out);
  void drop_marks(Sent& segment);
  void forget_blocks() { known_count_ = known_next_ = 0; }
  static bool sent_after(uint64_t us1, Seq end1, uint64_t us2, Seq end2) {
    return us1 > us2 || (us1 == us2 && before(end2, end1));
  }

  List list_;
  uint32_t count_ = 0;
  uint64_t total_ = 0, sacked_ = 0, lost_ = 0, resent_ = 0;
  // The segment sent last of those that have arrived.
  uint64_t rack_sent_us_ = 0, rack_rtt_us_ = 0;
  Seq rack_end_ = 0;
  Seq highest_arrived_ = 0;
  bool any_arrived_ = false, reordered_ = false;
  // No segment before it is lost and not sent again; null: anywhere.
  Sent* lost_from_ = nullptr;
  // Blocks that have been seen and of which nothing is to be learnt any more.
  static constexpr uint32_t kKnown = 4;
  SackBlock known_[kKnown] = {};
  uint32_t known_count_ = 0, known_next_ = 0;
};

}  // namespace runsc::net::tcp
