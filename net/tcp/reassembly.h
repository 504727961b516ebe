// What has been received and not read: in order for the application, and ahead of a gap.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include "kernel/base/alloc.h"
#include "net/tcp/segment.h"

namespace runsc::net::tcp {

// The data of one segment. What holds the bytes is a matter of who makes it.
class Piece : public HeapObject {
 public:
  virtual ~Piece() = default;
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;

  Seq start = 0;
  uint32_t offset = 0, size = 0;  // of what counts, in the segment's data
  uint32_t charge = 0;            // the memory that it keeps

  Seq end() const { return start + size; }
  void cut_front(uint32_t n) { start += n, offset += n, size -= n; }
  // The byte with this number, which is within.
  virtual std::byte at(Seq number) const = 0;
  // Takes over all of `next`, which follows it, if that costs little: many small segments are one piece then.
  virtual bool absorb(const Piece& next) {
    (void)next;
    return false;
  }

 protected:
  Piece() = default;

 private:
  friend class Reassembly;
  boost::intrusive::list_member_hook<> list_hook_;
  boost::intrusive::set_member_hook<> set_hook_;
};

class Reassembly {
 public:
  Reassembly() = default;
  ~Reassembly() { clear(); }
  Reassembly(const Reassembly&) = delete;
  Reassembly& operator=(const Reassembly&) = delete;

  // In order: the application may read it.
  void append(Unique<Piece> piece);
  // Somebody copies out of this one without the lock: it must stay as it is until consume().
  void pin(const Piece* piece) { pinned_ = piece; }
  // Beyond a gap. What others hold already is cut off; `duplicate` tells the first such range (D-SACK).
  void insert_early(Unique<Piece> piece, SackBlock& duplicate);
  // Moves what has become readable. The new end of what is in order.
  Seq advance(Seq next);
  // Lets go of early pieces, the last first, until `bytes` of memory are free of them.
  void prune_early(uint32_t bytes);

  // The piece that has the byte at `at`, or null.
  Piece* find(Seq at);
  Piece* first() { return ready_.empty() ? nullptr : &ready_.front(); }
  Piece* after(Piece& piece);
  // The application has taken `n` bytes from the front.
  void consume(uint32_t n);
  void clear();

  bool early_empty() const { return early_.empty(); }
  // Up to `room` ranges that are held beyond the gap, the one of `latest` first (RFC 2018, section 4).
  uint32_t early_ranges(Seq latest, std::span<SackBlock> room) const;
  uint64_t memory() const { return memory_; }
  uint64_t early_memory() const { return early_memory_; }

 private:
  struct Before {
    bool operator()(const Piece& a, const Piece& b) const { return before(a.start, b.start); }
  };
  using List = boost::intrusive::list<
      Piece, boost::intrusive::member_hook<Piece, boost::intrusive::list_member_hook<>, &Piece::list_hook_>,
      boost::intrusive::constant_time_size<false>>;
  using Set = boost::intrusive::set<
      Piece, boost::intrusive::member_hook<Piece, boost::intrusive::set_member_hook<>, &Piece::set_hook_>,
      boost::intrusive::compare<Before>, boost::intrusive::constant_time_size<false>>;
  void drop_early(Set::iterator at);

  List ready_;
  Set early_;  // disjoint
  const Piece* pinned_ = nullptr;
  uint64_t memory_ = 0, early_memory_ = 0;
};

}  // namespace runsc::net::tcp
