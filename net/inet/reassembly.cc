#include "net/inet/reassembly.h"

#include <algorithm>

namespace runsc::net {

namespace {
constexpr uint32_t kUnit = 8;            // all fragments but the last have a multiple of it
constexpr size_t kDatagramMemory = 256;  // what one costs besides its packets
}  // namespace

Reassembly::~Reassembly() {
  LockGuard guard(lock_);
  while (!datagrams_.empty()) drop_locked(datagrams_.front());
}

Reassembly::Datagram* Reassembly::find_locked(const FragmentKey& key) {
  for (Datagram& d : datagrams_)
    if (d.key == key) return &d;
  return nullptr;
}

void Reassembly::drop_locked(Datagram& datagram) {
  memory_ -= datagram.memory;
  datagrams_.erase(datagrams_.iterator_to(datagram));
  Datagram::destroy(&datagram);
}

// False: it contradicts what is there.
bool Reassembly::insert_locked(Datagram& d, Fragment&& fragment, bool& duplicate) {
  const uint32_t begin = fragment.place.offset, end = begin + fragment.size;
  if (!fragment.place.more) {
    if (d.total != 0 && d.total != end) return false;
    if (!d.fragments.empty()) {
      const Fragment& last = d.fragments.back();
      if (last.place.offset + last.size > end) return false;
    }
    d.total = end;
  } else if (d.total != 0 && end > d.total) {
    return false;
  }
  size_t at = d.fragments.size();
  while (at > 0 && d.fragments[at - 1].place.offset > begin) --at;
  // The same fragment twice is nothing new; anything else that overlaps is an attack.
  if (at > 0) {
    const Fragment& left = d.fragments[at - 1];
    const uint32_t left_end = left.place.offset + left.size;
    if (left.place.offset <= begin && end <= left_end) {
      duplicate = true;
      return left.place.offset == begin && left.size == fragment.size;
    }
    if (left_end > begin) return false;
  }
  if (at < d.fragments.size() && d.fragments[at].place.offset < end) return false;
  if (d.fragments.size() >= kFragmentsMax) return false;
  const size_t cost = fragment.packet->memory();
  d.have += fragment.size;
  if (!d.fragments.insert(at, std::move(fragment))) return false;
  d.memory += cost;
  memory_ += cost;
  return true;
}

// For more fragments than a packet has slices: their bytes in as few blocks as there can be.
bool Reassembly::append_copied(Packet& to, const Datagram& d) {
  Slice block;
  uint32_t used = 0, left = d.total;
  for (const Fragment& f : d.fragments) {
    for (uint32_t done = 0; done < f.size;) {
      if (used == block.size()) {
        if (!to.add_slice(std::move(block))) return false;
        Result<Slice> fresh = Slice::allocate_atomic(left);
        if (!fresh) return false;
        block = std::move(*fresh);
        used = 0;
      }
      const uint32_t n = std::min(f.size - done, block.size() - used);
      f.packet->read(f.place.header + done, {block.data() + used, n});
      used += n;
      done += n;
      left -= n;
    }
  }
  block.cut(used);
  return to.add_slice(std::move(block));
}

PacketPtr Reassembly::assemble(Datagram& d) {
  const Fragment& first = d.fragments[0];
  PacketPtr whole = Packet::create(first.place.header + Packet::kHeaderRoom);
  if (!whole) return {};
  whole->info = first.packet->info;
  whole->info.checksum = ChecksumState::unknown;
  std::byte* headers = whole->put(first.place.header);
  if (!headers) return {};
  first.packet->read(0, {headers, first.place.header});
  const bool share =
      std::all_of(d.fragments.begin(), d.fragments.end(), [pieces = size_t{0}](const Fragment& f) mutable {
        pieces += f.packet->slices().size() + 1;
        return pieces <= Packet::kMaxSlices;
      });
  if (!share) return append_copied(*whole, d) ? std::move(whole) : PacketPtr();
  for (const Fragment& f : d.fragments)
    if (!whole->append(*f.packet, f.place.header, f.size)) return {};
  return whole;
}

Reassembly::Outcome Reassembly::add(const FragmentKey& key, const FragmentPlace& place, PacketPtr packet,
                                    uint64_t now_ns) {
  if (packet->size() < place.header || place.header > Packet::kHeaderRoom) return {Verdict::dropped, {}, 0};
  const size_t size = packet->size() - place.header;
  if (size == 0 || place.offset + size > kPayloadMax) return {Verdict::dropped, {}, 0};
  if (place.more && size % kUnit != 0) return {Verdict::dropped, {}, 0};
  PacketPtr whole;
  LockGuard guard(lock_);
  Datagram* d = find_locked(key);
  if (!d) {
    if (datagrams_.size() >= kDatagramsMax) drop_locked(datagrams_.front());
    Unique<Datagram> fresh = make<Datagram>();
    if (!fresh) return {Verdict::dropped, {}, 0};
    fresh->key = key;
    fresh->memory = kDatagramMemory;
    fresh->deadline = now_ns + (key.source.is_v4() ? kLife4 : kLife6);
    d = fresh.release();
    datagrams_.push_back(*d);
    memory_ += d->memory;
  }
  bool duplicate = false;
  Fragment fragment{std::move(packet), place, static_cast<uint32_t>(size)};
  if (!insert_locked(*d, std::move(fragment), duplicate)) {
    drop_locked(*d);
    return {Verdict::dropped, {}, 0};
  }
  if (d->total != 0 && d->have == d->total) {
    const uint32_t header = d->fragments[0].place.header;
    whole = assemble(*d);
    drop_locked(*d);
    return {whole ? Verdict::complete : Verdict::dropped, std::move(whole), header};
  }
  while (memory_ > kMemoryMax && !datagrams_.empty()) drop_locked(datagrams_.front());
  return {Verdict::waits, {}, 0};
}

void Reassembly::expire(uint64_t now_ns, PacketQueue& out, uint32_t& count) {
  LockGuard guard(lock_);
  for (auto it = datagrams_.begin(); it != datagrams_.end();) {
    Datagram& d = *it++;
    if (d.deadline > now_ns) continue;
    ++count;
    if (!d.fragments.empty() && d.fragments[0].place.offset == 0)
      out.push_back(std::move(d.fragments[0].packet));
    drop_locked(d);
  }
}

uint64_t Reassembly::next_deadline() const {
  LockGuard guard(lock_);
  uint64_t next = ~uint64_t{0};
  for (const Datagram& d : datagrams_) next = std::min(next, d.deadline);
  return next;
}

size_t Reassembly::memory() const {
  LockGuard guard(lock_);
  return memory_;
}

uint32_t Reassembly::count() const {
  LockGuard guard(lock_);
  return static_cast<uint32_t>(datagrams_.size());
}

}  // namespace runsc::net
