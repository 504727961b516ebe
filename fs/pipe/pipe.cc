#include "fs/pipe/pipe.h"

#include <algorithm>

namespace runsc::fs {

namespace {

std::atomic<uint64_t> g_next_pipe_id{1};

constexpr uint32_t kReadBits = poll_bit::in | poll_bit::rdnorm;
constexpr uint32_t kWriteBits = poll_bit::out | poll_bit::wrnorm;

std::byte* bytes_of(mm::Page& page) { return static_cast<std::byte*>(mm::page_data(page)); }

}  // namespace

Pipe::Pipe() : id_(g_next_pipe_id.fetch_add(1, std::memory_order_relaxed)) {}

Result<Ref<Pipe>> Pipe::create() {
  Ref<Pipe> pipe = make_ref<Pipe>();
  if (!pipe) return Errno::nomem;
  LockGuard guard(pipe->lock_);
  TRY(pipe->slots_.resize(kDefaultSlots));
  return pipe;
}

Pipe::~Pipe() {
  LockGuard guard(lock_);
  while (used_ > 0) pop_front();
  if (spare_) mm::put_page(*spare_);
}

void Pipe::pop_front() {
  Slot& s = slot(0);
  if (spare_)
    mm::put_page(*s.page);
  else
    spare_ = s.page;
  s = Slot{};
  head_ = (head_ + 1) % slots_.size();
  --used_;
}

Result<mm::Page*> Pipe::take_page() {
  if (spare_) return std::exchange(spare_, nullptr);
  return mm::alloc_page(mm::Zero::no);
}

Result<size_t> Pipe::read(mm::IoBuf& buf) {
  if (buf.remaining() == 0) return size_t{0};
  size_t moved = 0;
  bool was_full;
  {
    LockGuard guard(lock_);
    if (taking_) return Errno::again;
    if (used_ == 0) {
      if (has_writers()) return Errno::again;
      return size_t{0};
    }
    was_full = used_ == slots_.size();
    while (used_ > 0 && buf.remaining() > 0) {
      Slot& s = slot(0);
      size_t want = std::min<size_t>(s.end - s.start, buf.remaining());
      auto got = buf.put(bytes_of(*s.page) + s.start, want);
      if (!got) {
        if (moved) break;
        return got.error();
      }
      moved += *got;
      bytes_ -= *got;
      s.start += static_cast<uint16_t>(*got);
      bool packet = s.packet;
      if (packet) {  // what the reader has no room for is lost (pipe(2), O_DIRECT)
        bytes_ -= s.end - s.start;
        s.start = s.end;
      }
      if (s.start == s.end) pop_front();
      if (packet || *got < want) break;
    }
  }
  if (moved) queue_.wake(was_full ? kWriteBits : kPipeTaken);
  return moved;
}

Result<size_t> Pipe::append_to_last(mm::IoBuf& buf, size_t size) {
  Slot& s = slot(used_ - 1);
  size_t got = TRY(buf.get(bytes_of(*s.page) + s.end, size));
  s.end += static_cast<uint16_t>(got);
  bytes_ += got;
  return got;
}

Result<size_t> Pipe::write(mm::IoBuf& buf, bool packets) {
  if (!has_readers()) return Errno::pipe;
  if (buf.remaining() == 0) return size_t{0};
  size_t moved = 0;
  bool was_empty;
  Result<size_t> failure = size_t{0};
  {
    LockGuard guard(lock_);
    was_empty = used_ == 0;
    size_t last_room = 0;
    if (used_ > 0 && !packets && !slot(used_ - 1).packet) last_room = mm::kPageSize - slot(used_ - 1).end;
    const size_t total = buf.remaining();
    const bool atomic = total <= kAtomic;
    // A small write goes into the last page only if it fits there whole, so that it can never be torn.
    if (last_room > 0 && (!atomic || total <= last_room)) {
      failure = append_to_last(buf, std::min(total, last_room));
      if (failure) moved += *failure;
    }
    while (failure && buf.remaining() > 0 && used_ < slots_.size()) {
      auto page = take_page();
      if (!page) {
        failure = page.error();
        break;
      }
      size_t want = std::min<size_t>(buf.remaining(), mm::kPageSize);
      auto got = buf.get(bytes_of(**page), want);
      if (!got) {
        mm::put_page(**page);
        failure = got.error();
        break;
      }
      slots_[(head_ + used_) % slots_.size()] = Slot{*page, 0, static_cast<uint16_t>(*got), packets};
      ++used_;
      bytes_ += *got;
      moved += *got;
      if (*got < want) break;
    }
  }
  if (moved == 0) {
    if (!failure) return failure;
    return Errno::again;
  }
  if (was_empty || moved) queue_.wake(kReadBits);
  return moved;
}

size_t Pipe::copy_front(std::span<std::byte> out) {
  size_t copied = 0;
  for (unsigned i = 0; i < used_ && copied < out.size(); ++i) {
    Slot& s = slot(i);
    size_t n = std::min<size_t>(s.end - s.start, out.size() - copied);
    __builtin_memcpy(out.data() + copied, bytes_of(*s.page) + s.start, n);
    copied += n;
  }
  return copied;
}

Result<size_t> Pipe::peek(std::span<std::byte> out) {
  LockGuard guard(lock_);
  if (used_ > 0) return copy_front(out);
  return has_writers() ? Result<size_t>(Errno::again) : size_t{0};
}

Result<size_t> Pipe::begin_take(std::span<std::byte> out) {
  LockGuard guard(lock_);
  if (taking_) return Errno::again;
  if (used_ == 0) return has_writers() ? Result<size_t>(Errno::again) : size_t{0};
  if (out.empty()) return size_t{0};
  taking_ = true;
  return copy_front(out);
}

void Pipe::end_take(size_t size) {
  bool was_full;
  {
    LockGuard guard(lock_);
    taking_ = false;
    was_full = used_ == slots_.size();
    bytes_ -= size;
    while (size > 0) {
      Slot& s = slot(0);
      size_t n = std::min<size_t>(s.end - s.start, size);
      s.start += static_cast<uint16_t>(n);
      size -= n;
      if (s.start == s.end) pop_front();
    }
    was_full = was_full && used_ < slots_.size();
  }
  // Readers who were told to wait look again, be it for the end of the file.
  queue_.wake_all((was_full ? kWriteBits : kPipeTaken) | kReadBits);
}

size_t Pipe::room() {
  LockGuard guard(lock_);
  return (slots_.size() - used_) * mm::kPageSize;
}

uint32_t Pipe::poll_reader() {
  LockGuard guard(lock_);
  return used_ > 0 ? kReadBits : 0;
}

uint32_t Pipe::poll_writer() {
  LockGuard guard(lock_);
  uint32_t bits = used_ < slots_.size() ? kWriteBits : 0;
  if (!has_readers()) bits |= poll_bit::err;
  return bits;
}

size_t Pipe::bytes() {
  LockGuard guard(lock_);
  return bytes_;
}

size_t Pipe::capacity() {
  LockGuard guard(lock_);
  return slots_.size() * mm::kPageSize;
}

Result<size_t> Pipe::set_capacity(size_t size) {
  if (size > (size_t{1} << 31)) return Errno::inval;
  size_t pages = 1;
  while (pages * mm::kPageSize < size) pages *= 2;
  if (pages > kMaxSlots) return Errno::perm;
  Vec<Slot> fresh;
  TRY(fresh.resize(pages));
  {
    LockGuard guard(lock_);
    if (pages < used_) return Errno::busy;
    for (unsigned i = 0; i < used_; ++i) fresh[i] = slot(i);
    slots_.swap(fresh);
    head_ = 0;
  }
  queue_.wake(kWriteBits);
  return pages * mm::kPageSize;
}

void Pipe::add_end(bool reader, bool writer) {
  if (reader) {
    readers_.fetch_add(1, std::memory_order_acq_rel);
    reader_generation_.fetch_add(1, std::memory_order_acq_rel);
  }
  if (writer) {
    writers_.fetch_add(1, std::memory_order_acq_rel);
    writer_generation_.fetch_add(1, std::memory_order_acq_rel);
  }
  queue_.wake_all(kWriteBits);  // openers of the other end wait for this bit
}

void Pipe::drop_end(bool reader, bool writer) {
  uint32_t events = 0;
  if (reader && readers_.fetch_sub(1, std::memory_order_acq_rel) == 1) events |= poll_bit::err | kWriteBits;
  if (writer && writers_.fetch_sub(1, std::memory_order_acq_rel) == 1) events |= poll_bit::hup | kReadBits;
  // What nobody has open any more is empty: a FIFO begins anew (fifo(7)).
  if (events && !has_readers() && !has_writers()) {
    LockGuard guard(lock_);
    if (!has_readers() && !has_writers() && !taking_) {
      while (used_ > 0) pop_front();
      bytes_ = 0;
    }
  }
  if (events) queue_.wake_all(events);
}

}  // namespace runsc::fs
