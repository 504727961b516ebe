#include "fs/page_cache.h"

namespace runsc::fs {

using mm::kPageSize;
using mm::Page;

Result<void> PageAccount::charge(uint64_t pages) {
  uint64_t now = used.load(std::memory_order_relaxed);
  do {
    uint64_t top = limit.load(std::memory_order_relaxed);
    if (now > top || pages > top - now) return Errno::nospc;
  } while (!used.compare_exchange_weak(now, now + pages, std::memory_order_relaxed));
  return {};
}

PageCache::~PageCache() { drop_pages(0, ~uint64_t{0}); }

void PageCache::set_backing(Ref<Inode> keep, PageSource& source, uint64_t size) {
  source_owner_ = std::move(keep);
  source_ = &source;
  source_size_.store(size, std::memory_order_relaxed);
  size_.store(size, std::memory_order_release);
}

Page* PageCache::find(uint64_t index) {
  LockGuard guard(lock_);
  Page* page = index_.find(index);
  if (page) mm::get_page(*page);
  return page;
}

// Puts a fresh, charged page into its place; if another came first, that one is the answer.
Result<Page*> PageCache::install(uint64_t index, Page* fresh) {
  Page* winner = nullptr;
  bool stored = false;
  {
    LockGuard guard(lock_);
    winner = index_.find(index);
    if (!winner && index_.insert(index, *fresh)) {
      winner = fresh;
      stored = true;
    }
    if (winner) mm::get_page(*winner);
  }
  if (stored) {
    page_count_.fetch_add(1, std::memory_order_relaxed);
    return winner;
  }
  account_.uncharge(1);
  mm::put_page(*fresh);
  if (!winner) return Errno::nomem;
  return winner;
}

Result<Page*> PageCache::ram_page(uint64_t index) {
  if (Page* page = find(index)) return page;
  TRY(account_.charge(1));
  Result<Page*> fresh = mm::alloc_page(mm::Zero::yes);
  if (!fresh) {
    account_.uncharge(1);
    return fresh.error();
  }
  uint64_t offset = index * kPageSize, limit = source_size_.load(std::memory_order_acquire);
  if (offset < limit) {
    size_t n = limit - offset < kPageSize ? limit - offset : kPageSize;
    Result<void> filled = source_->read_bytes(mm::page_data(**fresh), offset, n);
    if (!filled) {
      account_.uncharge(1);
      mm::put_page(**fresh);
      return filled.error();
    }
  }
  return install(index, *fresh);
}

// ---- read ----

Result<size_t> PageCache::read(mm::IoBuf& buf, uint64_t offset) {
  size_t done = 0;
  for (;;) {
    uint64_t end = size();
    if (offset >= end || buf.remaining() == 0) return done;
    uint64_t n = kBatch * kPageSize - offset % kPageSize;
    if (n > end - offset) n = end - offset;
    if (n > buf.remaining()) n = buf.remaining();
    Result<size_t> moved = read_batch(buf, offset, n);
    if (!moved) return done > 0 ? Result<size_t>(done) : moved;
    done += *moved;
    offset += *moved;
    if (*moved < n) return done;
  }
}

// At most kBatch pages: takes counts of those that are there, then copies without locks.
Result<size_t> PageCache::read_batch(mm::IoBuf& buf, uint64_t offset, size_t size) {
  Page* pages[kBatch];
  uint64_t first = offset / kPageSize;
  size_t count = (offset + size - 1) / kPageSize - first + 1;
  {
    LockGuard guard(lock_);
    for (size_t i = 0; i < count; ++i) {
      pages[i] = index_.find(first + i);
      if (pages[i]) mm::get_page(*pages[i]);
    }
  }
  size_t done = 0;
  Result<size_t> result = size_t{0};
  for (size_t i = 0; i < count && done < size;) {
    size_t in_page = (offset + done) % kPageSize, want = kPageSize - in_page;
    size_t run = 1;
    if (!pages[i])
      for (; i + run < count && !pages[i + run]; ++run) want += kPageSize;
    if (want > size - done) want = size - done;
    result = pages[i] ? buf.put(static_cast<std::byte*>(mm::page_data(*pages[i])) + in_page, want)
                      : read_missing(buf, offset + done, want);
    if (!result) break;
    done += *result;
    if (*result < want) break;
    i += run;
  }
  for (size_t i = 0; i < count; ++i)
    if (pages[i]) mm::put_page(*pages[i]);
  if (done == 0 && !result) return result;
  return done;
}

Result<size_t> PageCache::read_missing(mm::IoBuf& buf, uint64_t offset, size_t size) {
  uint64_t limit = source_size_.load(std::memory_order_acquire);
  if (offset >= limit) return buf.put_zeros(size);
  size_t n = limit - offset < size ? limit - offset : size;
  size_t moved = TRY(source_->read_range(buf, offset, n));
  if (moved < n || n == size) return moved;
  Result<size_t> rest = buf.put_zeros(size - n);
  return moved + (rest ? *rest : 0);
}

// ---- write ----

Result<size_t> PageCache::write(mm::IoBuf& buf, uint64_t offset) {
  if (offset > size() && size() % kPageSize != 0) {
    // Bytes after the old end may have been written through a mapping.
    size_t tail = kPageSize - size() % kPageSize;
    if (find_present(size() / kPageSize)) TRY(zero_part(size(), tail));
  }
  size_t done = 0;
  while (buf.remaining() > 0) {
    size_t n = kPageSize - offset % kPageSize;
    if (n > buf.remaining()) n = buf.remaining();
    Result<size_t> moved = write_page(buf, offset, n);
    if (!moved) return done > 0 ? Result<size_t>(done) : moved;
    done += *moved;
    offset += *moved;
    if (offset > size()) size_.store(offset, std::memory_order_release);
    if (*moved < n) break;
  }
  return done;
}

Result<size_t> PageCache::write_page(mm::IoBuf& buf, uint64_t offset, size_t size) {
  uint64_t index = offset / kPageSize;
  Page* page = find(index);
  bool fresh = !page;
  if (fresh && size == kPageSize) {
    size_t moved = TRY(write_fresh_page(buf, index));
    if (moved > 0) return moved;
  }
  if (fresh) page = TRY(ram_page(index));
  Result<size_t> moved = buf.get(static_cast<std::byte*>(mm::page_data(*page)) + offset % kPageSize, size);
  mm::put_page(*page);
  if (fresh && source_) mm::unmap_from_all(*this, index * kPageSize, kPageSize, false);
  return moved;
}

// A whole page that is not there yet: filled before anybody can see it. 0: the slow way must do.
Result<size_t> PageCache::write_fresh_page(mm::IoBuf& buf, uint64_t index) {
  TRY(account_.charge(1));
  Result<Page*> fresh = mm::alloc_page(mm::Zero::no);
  if (!fresh) {
    account_.uncharge(1);
    return fresh.error();
  }
  Result<size_t> moved = buf.get(mm::page_data(**fresh), kPageSize);
  if (!moved || *moved < kPageSize) {
    account_.uncharge(1);
    mm::put_page(**fresh);
    if (!moved) return moved;
    buf.rewind(*moved);
    return size_t{0};
  }
  Page* winner = TRY(install(index, *fresh));
  bool lost = winner != *fresh;
  mm::put_page(*winner);
  if (lost) {
    buf.rewind(kPageSize);
    return size_t{0};
  }
  if (source_) mm::unmap_from_all(*this, index * kPageSize, kPageSize, false);
  return kPageSize;
}

bool PageCache::find_present(uint64_t index) {
  LockGuard guard(lock_);
  return index_.find(index) != nullptr;
}

// Zeros bytes inside one page.
Result<void> PageCache::zero_part(uint64_t offset, size_t size) {
  uint64_t index = offset / kPageSize;
  bool fresh = false;
  Page* page = find(index);
  if (!page) {
    if (!from_source(index * kPageSize)) return {};
    page = TRY(ram_page(index));
    fresh = true;
  }
  __builtin_memset(static_cast<std::byte*>(mm::page_data(*page)) + offset % kPageSize, 0, size);
  mm::put_page(*page);
  if (fresh) mm::unmap_from_all(*this, index * kPageSize, kPageSize, false);
  return {};
}

// ---- size and holes ----

void PageCache::drop_pages(uint64_t first, uint64_t end) {
  for (;;) {
    Page* gone[kBatch];
    size_t n = 0;
    {
      LockGuard guard(lock_);
      while (n < kBatch) {
        PageIndex::Found f = index_.next(first);
        if (!f.page || f.index >= end) break;
        gone[n++] = index_.remove(f.index);
        first = f.index + 1;
      }
    }
    if (n == 0) return;
    account_.uncharge(n);
    page_count_.fetch_sub(n, std::memory_order_relaxed);
    for (size_t i = 0; i < n; ++i) mm::put_page(*gone[i]);
  }
}

Result<void> PageCache::resize(uint64_t size) {
  uint64_t old = this->size();
  uint64_t edge = size < old ? size : old;
  // What stands in the last page after the end reads as zeros when the file grows over it.
  if (edge % kPageSize != 0 && (find_present(edge / kPageSize) || from_source(edge)))
    TRY(zero_part(edge, kPageSize - edge % kPageSize));
  size_.store(size, std::memory_order_release);
  if (size >= old) return {};
  uint64_t first = mm::page_up(size);
  if (source_size_.load(std::memory_order_relaxed) > size)
    source_size_.store(mm::page_down(size), std::memory_order_release);
  drop_pages(first / kPageSize, ~uint64_t{0});
  mm::unmap_from_all(*this, first, mm::page_up(old) - first, true);
  return {};
}

Result<void> PageCache::punch(uint64_t offset, uint64_t size) {
  uint64_t end = offset + size;
  if (end > mm::page_up(this->size())) end = mm::page_up(this->size());
  if (offset >= end) return {};
  uint64_t first = mm::page_up(offset), last = mm::page_down(end);
  if (first > last) return zero_part(offset, end - offset);  // inside one page
  if (offset < first) TRY(zero_part(offset, first - offset));
  if (last < end) TRY(zero_part(last, end - last));
  // Where the source shows through, zeros must stand before it.
  for (uint64_t at = first; at < last && from_source(at); at += kPageSize) TRY(zero_part(at, kPageSize));
  uint64_t hole = first;
  if (from_source(hole)) hole = mm::page_up(source_size_.load(std::memory_order_relaxed));
  if (hole >= last) return {};
  drop_pages(hole / kPageSize, last / kPageSize);
  mm::unmap_from_all(*this, hole, last - hole, false);
  return {};
}

Result<void> PageCache::allocate(uint64_t offset, uint64_t size) {
  for (uint64_t i = offset / kPageSize; i <= (offset + size - 1) / kPageSize; ++i) {
    if (from_source(i * kPageSize)) continue;
    mm::put_page(*TRY(ram_page(i)));
  }
  return {};
}

Result<uint64_t> PageCache::next_data(uint64_t offset) {
  if (offset >= size()) return Errno::nxio;
  if (from_source(offset)) return offset;
  LockGuard guard(lock_);
  PageIndex::Found f = index_.next(offset / kPageSize);
  if (!f.page || f.index * kPageSize >= size()) return Errno::nxio;
  return f.index * kPageSize > offset ? f.index * kPageSize : offset;
}

Result<uint64_t> PageCache::next_hole(uint64_t offset) {
  if (offset >= size()) return Errno::nxio;
  uint64_t at = offset;
  if (from_source(at)) at = mm::page_up(source_size_.load(std::memory_order_relaxed));
  LockGuard guard(lock_);
  while (at < size() && index_.find(at / kPageSize)) at = mm::page_down(at) + kPageSize;
  return at < size() ? at : size();
}

// ---- mappings ----

void PageCache::prepare_shared_writes() {
  if (!source_ || ram_only_.exchange(true, std::memory_order_acq_rel)) return;
  // A fault that got a window page meanwhile holds its AddressSpace until the PTE stands: unmap() waits for
  // it.
  mm::unmap_from_all(*this, 0, ~uint64_t{0} & ~mm::kPageMask, false);
}

Result<mm::MappedPage> PageCache::get_page(uint64_t offset, bool write) {
  if (offset >= size()) return Errno::io;
  uint64_t index = offset / kPageSize;
  if (Page* page = find(index)) return mm::MappedPage{mm::page_phys(*page), page};
  if (from_source(offset) && !write && !ram_only_.load(std::memory_order_acquire)) {
    uint64_t phys = TRY(source_->window_page(offset));
    return mm::MappedPage{phys, nullptr};
  }
  Result<Page*> page = ram_page(index);
  if (!page)
    return page.error() == Errno::nospc ? Errno::io : page.error();  // SIGBUS when the limit is reached
  return mm::MappedPage{mm::page_phys(**page), *page};
}

size_t PageCache::get_pages_around(uint64_t offset, size_t count, mm::MappedPage* out) {
  uint64_t first = offset / kPageSize + 1, end = mm::page_up(size()) / kPageSize;
  if (first >= end) return 0;
  if (count > end - first) count = end - first;
  size_t n = 0;
  {
    LockGuard guard(lock_);
    for (; n < count; ++n) {
      Page* page = index_.find(first + n);
      if (!page) break;
      mm::get_page(*page);
      out[n] = {mm::page_phys(*page), page};
    }
    if (n > 0 || !source_ || ram_only_.load(std::memory_order_acquire)) return n;
    PageIndex::Found next = index_.next(first);
    if (next.page && next.index - first < count) count = next.index - first;
  }
  uint64_t limit = mm::page_up(source_size_.load(std::memory_order_acquire)) / kPageSize;
  if (first >= limit) return 0;
  if (count > limit - first) count = limit - first;
  return source_->window_pages_at_hand(offset, count, out);
}

void PageCache::mapped(mm::AddressSpace&, uint64_t, uint64_t, uint64_t size) {
  if (source_) source_->pin_window(size);
  mappings_.mapped(size);
}

void PageCache::unmapped(mm::AddressSpace&, uint64_t, uint64_t, uint64_t size) {
  mappings_.unmapped(size);
  if (source_) source_->unpin_window(size);
}

}  // namespace runsc::fs
