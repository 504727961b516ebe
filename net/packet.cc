#include "net/packet.h"

#include <algorithm>
#include <bit>

namespace runsc::net {

namespace {
constexpr unsigned kSliceOrder = 3;

unsigned order_for(size_t wanted) {
  unsigned order = 0;
  while (order < kSliceOrder && (mm::kPageSize << order) < wanted) ++order;
  return order;
}
}  // namespace

// ---- Slice ----

Result<Slice> Slice::allocate(size_t wanted) {
  for (unsigned order = order_for(wanted);; order = 0) {
    Result<mm::Page*> page = mm::alloc_pages(order, mm::Zero::no);
    if (!page && order > 0) continue;
    if (!page) return Errno::nobufs;
    Slice s;
    s.page_ = *page;
    s.size_ = static_cast<uint32_t>(mm::kPageSize << order);
    return s;
  }
}

Result<Slice> Slice::allocate_atomic(size_t wanted) {
  for (unsigned order = order_for(wanted);; order = 0) {
    mm::Page* page = mm::alloc_pages_atomic(order);
    if (!page && order > 0) continue;
    if (!page) return Errno::nobufs;
    Slice s;
    s.page_ = page;
    s.size_ = static_cast<uint32_t>(mm::kPageSize << order);
    return s;
  }
}

Slice Slice::part(uint32_t offset, uint32_t size) const {
  DCHECK(offset <= size_ && size <= size_ - offset, "a part outside of its slice");
  Slice s;
  if (!page_) return s;
  mm::get_page(*page_);
  s.page_ = page_;
  s.offset_ = offset_ + offset;
  s.size_ = size;
  return s;
}

bool Slice::join(const Slice& next) {
  if (!page_ || page_ != next.page_ || offset_ + size_ != next.offset_) return false;
  size_ += next.size_;
  return true;
}

// ---- Packet ----

PacketPtr Packet::create(uint32_t room, uint32_t headroom) {
  const uint32_t total = headroom + room;
  void* memory = kalloc(sizeof(Packet) + total);
  if (!memory) return {};
  auto* packet = ::new (memory) Packet(total);
  packet->head_ = packet->tail_ = headroom;
  return PacketPtr(packet);
}

bool has_room_for_received(AccountId id, size_t bytes, bool first) {
  const Account& account = g_accounts[id];
  const int64_t limit = account.limit.load(std::memory_order_relaxed);
  if (limit == Account::kUnlimited) return true;
  constexpr int64_t kPart = 16;
  const AccountStock& stock = arch::cpu_local().stock;
  const int64_t untold = stock.id == id ? stock.bytes : 0;
  const int64_t used = account.bytes.load(std::memory_order_relaxed) + untold + static_cast<int64_t>(bytes);
  return used <= (first ? limit : limit - limit / kPart);
}

size_t Packet::kept() const {
  size_t all = sizeof(Packet) + room_;
  for (const Slice& s : slices()) all += s.block_size();
  return all;
}

bool Packet::bill(AccountId account, bool first) {
  if (payer_ != kNoAccount || billed_ != kNoAccount || account == kNoAccount) return true;
  if (!has_room_for_received(account, kept(), first)) return false;
  billed_ = account;
  bill_anew();
  return true;
}

void Packet::bill_anew() {
  if (billed_ == kNoAccount) return;
  const auto now = static_cast<uint32_t>(kept());
  account_add(arch::cpu_local().stock, billed_, int64_t{now} - int64_t{bill_});
  bill_ = now;
}

void Packet::destroy(Packet* packet) {
  account_add(arch::cpu_local().stock, packet->billed_, -int64_t{packet->bill_});
  const size_t size = sizeof(Packet) + packet->room_;
  packet->~Packet();
  kfree(packet, size);
}

PacketPtr Packet::clone() const {
  PacketPtr copy = create(room_, 0);
  if (!copy) return {};
  copy->head_ = head_;
  copy->tail_ = tail_;
  copy->info = info;
  // In front of data() too: headers that have been pulled are still looked at.
  __builtin_memcpy(copy->buffer(), buffer(), tail_);
  for (uint32_t i = 0; i < slice_count_; ++i) copy->slices_[i] = slices_[i].part(0, slices_[i].size());
  copy->slice_count_ = slice_count_;
  copy->slice_bytes_ = slice_bytes_;
  return copy;
}

bool Packet::pull(size_t n) {
  if (n > size()) return false;
  const auto from_linear = static_cast<uint32_t>(std::min(n, linear_size()));
  head_ += from_linear;
  n -= from_linear;
  uint32_t gone = 0;
  while (n > 0) {
    Slice& s = slices_[gone];
    const auto part = static_cast<uint32_t>(std::min<size_t>(n, s.size()));
    s.drop_front(part);
    slice_bytes_ -= part;
    n -= part;
    if (s.size() > 0) break;
    s = Slice();
    ++gone;
  }
  if (gone > 0) {
    std::move(slices_ + gone, slices_ + slice_count_, slices_);
    slice_count_ -= gone;
  }
  return true;
}

std::span<std::byte> Packet::header(size_t n) {
  if (n > size()) return {};
  if (const size_t have = linear_size(); n > have) {
    const auto missing = static_cast<uint32_t>(n - have);
    if (missing > tailroom()) return {};
    read(have, {buffer() + tail_, missing});
    // The slices lose what is linear now: as if the linear part were empty.
    const uint32_t head = head_;
    head_ = tail_;
    (void)pull(missing);
    head_ = head;
    tail_ += missing;
  }
  return {data(), n};
}

std::byte* Packet::put(uint32_t n) {
  if (slice_count_ > 0 || n > tailroom()) return nullptr;
  std::byte* at = buffer() + tail_;
  tail_ += n;
  return at;
}

void Packet::trim(size_t size) {
  if (size <= linear_size()) {
    tail_ = head_ + static_cast<uint32_t>(size);
    size = 0;
  } else {
    size -= linear_size();
  }
  uint32_t kept = 0;
  for (uint32_t i = 0; i < slice_count_; ++i) {
    Slice& s = slices_[i];
    if (size < s.size()) s.cut(static_cast<uint32_t>(size));
    size -= s.size();
    if (s.size() > 0)
      kept = i + 1;
    else
      s = Slice();
  }
  slice_count_ = kept;
  slice_bytes_ = 0;
  for (const Slice& s : slices()) slice_bytes_ += s.size();
}

bool Packet::add_slice(Slice&& slice) {
  const uint32_t n = slice.size();
  if (n == 0) return true;
  if (slice_count_ > 0 && slices_[slice_count_ - 1].join(slice)) {
    slice_bytes_ += n;
    slice = Slice();
    return true;
  }
  if (slice_count_ == kMaxSlices) return false;
  slices_[slice_count_++] = std::move(slice);
  slice_bytes_ += n;
  return true;
}

bool Packet::append(const Packet& from, size_t offset, size_t size) {
  while (size > 0 && offset < from.linear_size()) {
    const auto n = static_cast<uint32_t>(std::min(size, from.linear_size() - offset));
    const std::byte* bytes = from.data() + offset;
    if (std::byte* room = put(n)) {
      __builtin_memcpy(room, bytes, n);
      offset += n;
      size -= n;
      continue;
    }
    Result<Slice> fresh = Slice::allocate_atomic(n);
    if (!fresh) return false;
    const uint32_t part = std::min(n, fresh->size());
    __builtin_memcpy(fresh->data(), bytes, part);
    fresh->cut(part);
    if (!add_slice(std::move(*fresh))) return false;
    offset += part;
    size -= part;
  }
  offset -= std::min(offset, from.linear_size());
  for (const Slice& s : from.slices()) {
    if (size == 0) break;
    if (offset >= s.size()) {
      offset -= s.size();
      continue;
    }
    const auto n = static_cast<uint32_t>(std::min<size_t>(size, s.size() - offset));
    if (!add_slice(s.part(static_cast<uint32_t>(offset), n))) return false;
    offset = 0;
    size -= n;
  }
  return size == 0;
}

Result<void> Packet::fill(mm::IoBuf& from, size_t size) {
  if (std::byte* room = size <= tailroom() ? put(static_cast<uint32_t>(size)) : nullptr) {
    if (size > 0 && TRY(from.get(room, size)) != size) return Errno::fault;
    return {};
  }
  if (slice_count_ > 0) {
    Slice& last = slices_[slice_count_ - 1];
    const auto n = static_cast<uint32_t>(std::min<size_t>(size, last.room()));
    if (n > 0 && TRY(from.get(last.data() + last.size(), n)) != n) return Errno::fault;
    last.grow(n);
    slice_bytes_ += n;
    size -= n;
  }
  while (size > 0) {
    Slice fresh = TRY(Slice::allocate(size));
    const auto n = static_cast<uint32_t>(std::min<size_t>(size, fresh.size()));
    if (TRY(from.get(fresh.data(), n)) != n) return Errno::fault;
    fresh.cut(n);
    if (!add_slice(std::move(fresh))) return Errno::nobufs;
    size -= n;
  }
  return {};
}

Result<void> Packet::drain(mm::IoBuf& to, size_t offset, size_t size) const {
  size_t moved = 0;
  auto put_piece = [&](std::span<const std::byte> piece) {
    if (offset >= piece.size()) {
      offset -= piece.size();
      return true;
    }
    const size_t n = std::min(piece.size() - offset, size - moved);
    Result<size_t> got = n > 0 ? to.put(piece.data() + offset, n) : Result<size_t>(size_t{0});
    offset = 0;
    if (got) moved += *got;
    return got && *got == n;
  };
  bool whole = put_piece(linear());
  for (const Slice& s : slices()) {
    if (!whole || moved == size) break;
    whole = put_piece(s.bytes());
  }
  if (whole) return {};
  to.rewind(moved);
  return Errno::fault;
}

void Packet::read(size_t offset, std::span<std::byte> out) const {
  auto take = [&](std::span<const std::byte> piece) {
    if (offset >= piece.size()) {
      offset -= piece.size();
      return;
    }
    const size_t n = std::min(piece.size() - offset, out.size());
    __builtin_memcpy(out.data(), piece.data() + offset, n);
    out = out.subspan(n);
    offset = 0;
  };
  take(linear());
  for (const Slice& s : slices()) {
    if (out.empty()) break;
    take(s.bytes());
  }
}

void Packet::add_to(ChecksumSum& sum, size_t offset, size_t size) const {
  auto add = [&](std::span<const std::byte> piece) {
    if (offset >= piece.size()) {
      offset -= piece.size();
      return;
    }
    const size_t n = std::min(piece.size() - offset, size);
    sum.add(piece.subspan(offset, n));
    size -= n;
    offset = 0;
  };
  add(linear());
  for (const Slice& s : slices()) add(s.bytes());
}

uint32_t Packet::memory() const {
  constexpr size_t kDescriptor = 256, kShared = 320, kLine = 64, kHeaders = 60, kLinearMax = 16000;
  const size_t bytes = size();
  const size_t linear = bytes <= kLinearMax ? bytes + kHeaders : kHeaders + 128;
  const size_t head = std::max<size_t>((linear + kLine - 1) / kLine * kLine + kShared, 512);
  const size_t pages = bytes <= kLinearMax ? 0 : mm::page_up(bytes);
  return static_cast<uint32_t>(kDescriptor + std::bit_ceil(head) + pages);
}

uint32_t Packet::idle_memory() const {
  constexpr uint32_t kSmall = 4;  // a part of the block that is less than one in so many
  uint32_t idle = 0;
  for (const Slice& s : slices())
    if (s.block_size() / kSmall > s.size() && s.alone()) idle += s.block_size() - s.size();
  return idle;
}

// ---- PacketQueue ----

void PacketQueue::push_back(PacketPtr packet) {
  Packet* p = packet.release();
  p->next_ = nullptr;
  if (last_)
    last_->next_ = p;
  else
    first_ = p;
  last_ = p;
  ++count_;
}

void PacketQueue::push_front(PacketPtr packet) {
  Packet* p = packet.release();
  p->next_ = first_;
  first_ = p;
  if (!last_) last_ = p;
  ++count_;
}

PacketPtr PacketQueue::pop_front() { return first_ ? take(nullptr, *first_) : PacketPtr(); }

PacketPtr PacketQueue::take(Packet* before, Packet& packet) {
  (before ? before->next_ : first_) = packet.next_;
  if (last_ == &packet) last_ = before;
  packet.next_ = nullptr;
  --count_;
  return PacketPtr(&packet);
}

void PacketQueue::clear() {
  while (pop_front()) {
  }
}

}  // namespace runsc::net
