#include "net/tcp/reassembly.h"

namespace runsc::net::tcp {

void Reassembly::append(Unique<Piece> piece) {
  if (!piece || piece->size == 0) return;
  if (!ready_.empty() && &ready_.back() != pinned_) {
    Piece& last = ready_.back();
    const uint32_t before_it = last.charge;
    if (last.absorb(*piece)) {
      memory_ += last.charge - before_it;
      return;
    }
  }
  memory_ += piece->charge;
  ready_.push_back(*piece.release());
}

void Reassembly::drop_early(Set::iterator at) {
  Piece& piece = *at;
  early_.erase(at);
  memory_ -= piece.charge;
  early_memory_ -= piece.charge;
  Unique<Piece> gone(&piece);
}

void Reassembly::insert_early(Unique<Piece> piece, SackBlock& duplicate) {
  if (!piece || piece->size == 0) return;
  auto overlap = [&](Seq from, Seq to) {
    if (duplicate.start == duplicate.end) duplicate = {from, to};
  };
  auto at = early_.upper_bound(*piece);
  if (at != early_.begin()) {
    const Piece& left = *std::prev(at);
    if (!before(left.end(), piece->end())) {
      overlap(piece->start, piece->end());
      return;
    }
    if (before(piece->start, left.end())) {
      overlap(piece->start, left.end());
      piece->cut_front(left.end() - piece->start);
    }
  }
  while (at != early_.end() && at_or_before(at->end(), piece->end())) {
    overlap(at->start, at->end());
    auto gone = at++;
    drop_early(gone);
  }
  if (at != early_.end() && before(at->start, piece->end())) {
    overlap(at->start, piece->end());
    piece->size = at->start - piece->start;
  }
  if (piece->size == 0) return;
  memory_ += piece->charge;
  early_memory_ += piece->charge;
  early_.insert(at, *piece.release());
}

Seq Reassembly::advance(Seq next) {
  while (!early_.empty()) {
    Piece& piece = *early_.begin();
    if (before(next, piece.start)) break;
    if (at_or_before(piece.end(), next)) {
      drop_early(early_.begin());
      continue;
    }
    early_.erase(early_.begin());
    early_memory_ -= piece.charge;
    piece.cut_front(next - piece.start);
    next = piece.end();
    ready_.push_back(piece);
  }
  return next;
}

void Reassembly::prune_early(uint32_t bytes) {
  const uint64_t wanted = memory_ > bytes ? memory_ - bytes : 0;
  while (!early_.empty() && memory_ > wanted) drop_early(std::prev(early_.end()));
}

Piece* Reassembly::find(Seq at) {
  for (Piece& piece : ready_)
    if (before(at, piece.end())) return at_or_before(piece.start, at) ? &piece : nullptr;
  return nullptr;
}

Piece* Reassembly::after(Piece& piece) {
  auto next = std::next(ready_.iterator_to(piece));
  return next == ready_.end() ? nullptr : &*next;
}

void Reassembly::consume(uint32_t n) {
  pinned_ = nullptr;
  while (n > 0 && !ready_.empty()) {
    Piece& piece = ready_.front();
    if (n < piece.size) {
      piece.cut_front(n);
      return;
    }
    n -= piece.size;
    memory_ -= piece.charge;
    ready_.pop_front();
    Unique<Piece> gone(&piece);
  }
}

void Reassembly::clear() {
  while (!early_.empty()) drop_early(early_.begin());
  ready_.clear_and_dispose([](Piece* piece) { Unique<Piece> gone(piece); });
  memory_ = early_memory_ = 0;
}

uint32_t Reassembly::early_ranges(Seq latest, std::span<SackBlock> room) const {
  uint32_t n = 0;
  if (room.empty()) return 0;
  SackBlock current{0, 0};
  auto put = [&](const SackBlock& block) {
    const bool first = at_or_before(block.start, latest) && before(latest, block.end);
    if (first && n > 0) {
      // To the front; the last one gives way.
      if (n == room.size()) --n;
      for (uint32_t i = n; i > 0; --i) room[i] = room[i - 1];
      room[0] = block;
      ++n;
    } else if (n < room.size()) {
      room[n++] = block;
    }
  };
  bool have = false;
  for (const Piece& piece : early_) {
    if (have && current.end == piece.start) {
      current.end = piece.end();
      continue;
    }
    if (have) put(current);
    current = {piece.start, piece.end()};
    have = true;
  }
  if (have) put(current);
  return n;
}

}  // namespace runsc::net::tcp
