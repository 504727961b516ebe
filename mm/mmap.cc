// mmap(2), and the two mappings that are not made by it: the heap and the stack.
#include <algorithm>

#include "kernel/base/check.h"
#include "mm/address_space.h"
#include "mm/flags.h"
#include "mm/shared_anon.h"

namespace runsc::mm {
namespace {

constexpr uint64_t kLargeFree = 1024;  // pages

// What the flags alone decide. EINVAL, EOPNOTSUPP, ENOMEM, EACCES.
Result<void> check_flags(const MmapRequest& r) {
  uint32_t type = r.flags & kMapType;
  bool anonymous = !r.file;
  if (anonymous && type != kMapShared && type != kMapPrivate) return Errno::inval;
  if (type == kMapSharedValidate && (r.flags & ~kMapKnown)) return Errno::opnotsupp;
  if (type < kMapShared || type > kMapSharedValidate) return Errno::inval;
  if ((r.flags & kMapGrowsDown) && (!anonymous || type != kMapPrivate)) return Errno::inval;
  if (r.flags & kMapHugeTlb) {
    if (!anonymous) return Errno::inval;
    return Errno::nomem;  // a kernel with an empty pool of huge pages
  }
  if (!anonymous && (r.prot & r.max_prot) != r.prot) return Errno::acces;
  return {};
}

// vm.overcommit_memory = 0: only what cannot possibly fit is refused.
Result<void> check_commit(const Vma& v, uint64_t size, uint32_t flags) {
  bool counted = has(v.prot, Prot::write) && !v.shared && !(flags & kMapNoReserve);
  if (counted && size / kPageSize > phys_stats().total_pages) return Errno::nomem;
  return {};
}

Result<Unique<Vma>> vma_of(MmapRequest& r, uint64_t size) {
  auto v = make<Vma>();
  if (!v) return Errno::nomem;
  v->prot = r.prot;
  v->max_prot = r.file ? r.max_prot : Prot::all;
  v->shared = (r.flags & kMapType) != kMapPrivate;
  v->grows_down = r.flags & kMapGrowsDown;
  v->offset = r.file ? r.offset : 0;
  v->file = std::move(r.file);
  if (v->shared && !v->file) {
    v->file = TRY(SharedAnon::create(size));
    v->offset = 0;
  }
  return v;
}

}  // namespace

// Puts the mapping there, over whatever was there. Takes `v` if it succeeds; else it dies outside the lock.
Result<uint64_t> AddressSpace::map_at(uint64_t address, uint64_t size, Unique<Vma>& v, VmaGrave& grave) {
  TRY(unmap(address, address + size, grave));
  v->start = address;
  v->end = address + size;
  link(std::move(v));
  merge(address, address + size, grave);
  return address;
}

Result<uint64_t> AddressSpace::insert(const MmapRequest& r, uint64_t size, Unique<Vma>& v,
                                      const AddressSpaceLimits& limits, VmaGrave& grave) {
  if (vmas_.size() > kMaxVmas) return Errno::nomem;
  uint64_t at = TRY(place(r.address, size, r.flags));
  if (v->locked) {
    if (limits.locked == 0) return Errno::perm;
    if (locked_pages_ + size / kPageSize > limits.locked / kPageSize) return Errno::again;
  }
  TRY(check_room(size, *v, limits, r.flags & kMapFixed ? mapped_pages(at, at + size) : 0));
  TRY(check_commit(*v, size, r.flags));
  return map_at(at, size, v, grave);
}

Result<uint64_t> AddressSpace::mmap(MmapRequest r, const AddressSpaceLimits& limits) {
  if (r.size == 0) return Errno::inval;
  TRY(check_flags(r));
  uint64_t size = page_up(r.size);
  if (size == 0) return Errno::nomem;
  if (r.offset & kPageMask) return Errno::inval;
  if (r.file && r.offset + size < r.offset) return Errno::overflow;
  auto v = TRY(vma_of(r, size));

  VmaGrave grave;
  uint64_t at;
  bool populate;
  {
    LockGuard guard(lock_);
    v->locked = lock_future_ || (r.flags & kMapLocked);
    populate = v->locked || (r.flags & kMapPopulate);
    auto placed = insert(r, size, v, limits, grave);
    if (!placed) {  // the search may have passed the hole that stays
      gap_hint_ = mmap_top_;
      gap_size_ = 0;
      return placed.error();
    }
    at = *placed;
  }
  if (populate && r.prot != Prot::none && !(r.flags & kMapNonBlock))
    (void)this->populate(at, at + size, has(r.prot, Prot::write), true);  // its failure is not mmap(2)'s
  return at;
}

Result<void> AddressSpace::munmap(uint64_t address, uint64_t size) {
  if ((address & kPageMask) || address > arch::kUserEnd || size > arch::kUserEnd - address)
    return Errno::inval;
  size = page_up(size);
  if (size == 0) return Errno::inval;
  uint64_t pages;
  {
    VmaGrave grave;
    LockGuard guard(lock_);
    pages = TRY(unmap(address, address + size, grave));
  }
  if (pages >= kLargeFree) phys_after_large_free();
  return {};
}

void AddressSpace::set_brk_start(uint64_t start) {
  LockGuard guard(lock_);
  layout_.start_brk = layout_.brk = start;
}

uint64_t AddressSpace::brk(uint64_t end, const AddressSpaceLimits& limits) {
  VmaGrave grave;
  LockGuard guard(lock_);
  uint64_t now = layout_.brk;
  if (end < layout_.start_brk || end > arch::kUserEnd) return now;
  uint64_t used = end - layout_.start_brk, data = layout_.end_data - layout_.start_data;
  if (used > limits.data || data > limits.data - used) return now;
  uint64_t old_end = page_up(now), new_end = page_up(end);
  if (new_end < old_end) {
    if (!unmap(new_end, old_end, grave)) return now;
  } else if (new_end > old_end) {
    const Vma* above = vmas_.first_ending_after(old_end);
    uint64_t gap = above && above->grows_down ? kStackGap : kPageSize;
    if (above && (above->start < gap || new_end > above->start - gap)) return now;
    auto v = make<Vma>();
    if (!v || vmas_.size() > kMaxVmas) return now;
    v->prot = Prot::read | Prot::write;
    v->name = "[heap]";
    v->locked = lock_future_;
    uint64_t size = new_end - old_end;
    if (!check_room(size, *v, limits, 0) || !check_commit(*v, size, 0)) return now;
    if (!map_at(old_end, size, v, grave)) return now;
  }
  layout_.brk = end;
  return end;
}

Result<void> AddressSpace::map_stack(uint64_t end, uint64_t initial, Prot prot) {
  if ((end & kPageMask) || end > arch::kUserEnd || initial == 0 || initial > end) return Errno::inval;
  auto v = make<Vma>();
  if (!v) return Errno::nomem;
  v->prot = prot;
  v->grows_down = true;
  v->name = "[stack]";
  uint64_t start = page_down(end - initial);
  VmaGrave grave;
  LockGuard guard(lock_);
  TRY(map_at(start, end - start, v, grave));
  // Room for the stack to grow into, and a gap (mmap_base of Linux).
  constexpr uint64_t kMinRoom = uint64_t{128} << 20;
  uint64_t room =
      std::clamp(page_up(stack_limit_.load(std::memory_order_relaxed)), kMinRoom, arch::kUserEnd / 6 * 5);
  uint64_t below = room + kStackGap;
  mmap_top_ = end > below ? page_down(end - below) : page_down(end / 2);
  gap_hint_ = mmap_top_;
  gap_size_ = 0;
  return {};
}

void AddressSpace::set_mmap_top(uint64_t top) {
  LockGuard guard(lock_);
  mmap_top_ = gap_hint_ = std::min(page_down(top), arch::kUserEnd);
  gap_size_ = 0;
}

}  // namespace runsc::mm
