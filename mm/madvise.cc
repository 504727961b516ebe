// madvise(2).
#include <algorithm>

#include "mm/address_space.h"
#include "mm/flags.h"

namespace runsc::mm {
namespace {

bool known(Advice a) {
  switch (a) {
    case Advice::normal:
    case Advice::random:
    case Advice::sequential:
    case Advice::willneed:
    case Advice::dontneed:
    case Advice::free:
    case Advice::remove:
    case Advice::dontfork:
    case Advice::dofork:
    case Advice::hugepage:
    case Advice::nohugepage:
    case Advice::dontdump:
    case Advice::dodump:
    case Advice::wipeonfork:
    case Advice::keeponfork:
    case Advice::cold:
    case Advice::pageout:
    case Advice::populate_read:
    case Advice::populate_write:
    case Advice::dontneed_locked:
      return true;
  }
  return false;
}

Result<void> set_mark(Vma& v, Advice advice) {
  switch (advice) {
    case Advice::dontfork:
      v.no_fork = true;
      break;
    case Advice::dofork:
      v.no_fork = false;
      break;
    case Advice::dontdump:
      v.no_dump = true;
      break;
    case Advice::dodump:
      v.no_dump = false;
      break;
    case Advice::wipeonfork:
      if (v.file || v.shared) return Errno::inval;
      v.wipe_on_fork = true;
      break;
    default:
      v.wipe_on_fork = false;
      break;
  }
  return {};
}

}  // namespace

Result<void> AddressSpace::madvise(uint64_t address, uint64_t size, int number) {
  auto advice = static_cast<Advice>(number);
  if (!known(advice)) return Errno::inval;
  if (address & kPageMask) return Errno::inval;
  uint64_t length = page_up(size), end = address + length;
  if ((size && !length) || end < address) return Errno::inval;
  if (end == address) return {};
  VmaGrave grave;
  switch (advice) {
    case Advice::dontneed:
    case Advice::dontneed_locked:
    case Advice::free:
    case Advice::cold:
    case Advice::pageout:
      return discard(address, end, advice);
    case Advice::remove:
      return remove_pages(address, end);
    case Advice::populate_read:
    case Advice::populate_write: {
      bool write = advice == Advice::populate_write;
      {
        SharedGuard guard(lock_);
        for (uint64_t at = address; at < end;) {
          const Vma* v = vmas_.find(at);
          if (!v) break;
          if (!has(v->prot, Prot::write) && (write || v->prot == Prot::none)) return Errno::inval;
          at = v->end;
        }
      }
      return populate(address, end, write, true);
    }
    case Advice::dontfork:
    case Advice::dofork:
    case Advice::dontdump:
    case Advice::dodump:
    case Advice::wipeonfork:
    case Advice::keeponfork:
      return set_marks(address, end, advice, grave);
    default: {  // hints that change nothing here
      SharedGuard guard(lock_);
      if (mapped_pages(address, end) != length / kPageSize) return Errno::nomem;
      return {};
    }
  }
}

// Holes do not stop it, but are told in the end.
Result<void> AddressSpace::discard(uint64_t start, uint64_t end, Advice advice) {
  uint64_t pages = resident_.total.load(std::memory_order_relaxed);
  {
    LockGuard guard(lock_);
    Zap zap(user_space_, resident_, Zap::Space::live);
    for (const Vma* v = vmas_.first_ending_after(start); v && v->start < end; v = vmas_.next(*v)) {
      if (v->locked && advice != Advice::dontneed_locked) return Errno::inval;
      if (advice == Advice::free && (v->file || v->shared)) return Errno::inval;
      if (advice == Advice::cold || advice == Advice::pageout) continue;
      zap.range(std::max(start, v->start), std::min(end, v->end));
    }
    zap.flush();
    pages -= std::min(pages, resident_.total.load(std::memory_order_relaxed));
    if (mapped_pages(start, end) != (end - start) / kPageSize) return Errno::nomem;
  }
  if (pages >= 1024) phys_after_large_free();
  return {};
}

Result<void> AddressSpace::set_marks(uint64_t start, uint64_t end, Advice advice, VmaGrave& grave) {
  LockGuard guard(lock_);
  uint64_t at = start;
  while (Vma* v = vmas_.first_ending_after(at)) {
    if (v->start >= end) break;
    uint64_t from = std::max(at, v->start), to = std::min(end, v->end);
    TRY(isolate(from, to));
    TRY(set_mark(*vmas_.find(from), advice));
    at = to;
  }
  bool holes = mapped_pages(start, end) != (end - start) / kPageSize;
  merge(start, end, grave);
  if (holes) return Errno::nomem;
  return {};
}

// MADV_REMOVE: punches the file, which takes its pages out of all mappings.
Result<void> AddressSpace::remove_pages(uint64_t start, uint64_t end) {
  uint64_t at = start;
  bool holes = false;
  while (at < end) {
    MappableRef file;
    uint64_t offset, size;
    {
      SharedGuard guard(lock_);
      const Vma* v = vmas_.first_ending_after(at);
      if (!v || v->start >= end) {
        holes = true;
        break;
      }
      if (v->start > at) {
        holes = true;
        at = v->start;
      }
      if (v->locked || !v->file) return Errno::inval;
      if (!v->shared || !has(v->prot, Prot::write)) return Errno::acces;
      file = v->file;
      offset = v->file_offset(at);
      size = std::min(end, v->end) - at;
    }
    TRY(file->punch_hole(offset, size));
    at += size;
  }
  if (holes) return Errno::nomem;
  return {};
}

}  // namespace runsc::mm
