#include <algorithm>
#include <bit>

#include "kernel/base/check.h"
#include "mm/flags.h"
#include "mm/page_fault.h"

namespace runsc::mm {
namespace {

// How many pages one fault maps: fresh memory, fresh memory behind memory already there, pages of a file.
constexpr size_t kAnonPages = arch::kTrapsAreDear ? 16 : 4;
constexpr size_t kAnonPagesSequential = arch::kTrapsAreDear ? 64 : 16;
constexpr size_t kFilePages = arch::kTrapsAreDear ? 64 : 16;
// Where a second fault is dear, reads of fresh memory get memory at once; but not of sparse giants.
constexpr uint64_t kZeroPageFrom = arch::kTrapsAreDear ? uint64_t{16} << 20 : 0;

FaultResult failure(Errno e) { return e == Errno::nomem ? FaultResult::oom : FaultResult::bus_adrerr; }

void drop(const MappedPage& page) {
  if (page.page) put_page(*page.page);
}

}  // namespace

PageFault::PageFault(AddressSpace& space, const Vma& vma, uint64_t address, uint32_t error)
    : space_(space),
      user_(space.user_space_),
      vma_(vma),
      address_(page_down(address)),
      write_(error & kFaultWrite),
      fetch_(error & kFaultFetch),
      force_(error & kFaultForce) {}

PteSlot PageFault::slot_of(uint64_t address) const {
  DCHECK(((address ^ address_) & ~(kTableSpan - 1)) == 0, "a neighbour in another table");
  int64_t distance = static_cast<int64_t>(address - address_) / static_cast<int64_t>(kPageSize);
  return slot_ + static_cast<size_t>(distance);
}

PageFault::Run PageFault::block(size_t pages) const {
  uint64_t size = pages * kPageSize, start = address_ & ~(size - 1);
  return {std::max(start, vma_.start), std::min(start + size, vma_.end)};
}

PageFault::Run PageFault::none_run(Run within) const {
  Run run{address_, address_ + kPageSize};
  while (run.start > within.start && slot_of(run.start - kPageSize).load().none()) run.start -= kPageSize;
  while (run.end < within.end && slot_of(run.end).load().none()) run.end += kPageSize;
  return run;
}

FaultResult PageFault::run() {
  // x86 pages that can be written or executed can be read.
  Prot needed = write_ ? Prot::write : fetch_ ? Prot::exec : Prot::none;
  if (!force_ && (vma_.prot == Prot::none || (needed != Prot::none && !has(vma_.prot, needed))))
    return FaultResult::accerr;
  auto slot = make_slot(user_, address_);
  if (!slot) return FaultResult::oom;
  slot_ = *slot;
  Pte pte = slot_.load();
  if (pte.none()) return missing();
  if (pte.is_busy()) return FaultResult::ok;
  return present(pte);
}

FaultResult PageFault::missing() {
  if (!vma_.file) return missing_anon();
  if (write_ && !vma_.shared) return missing_copy();
  return missing_file(write_);
}

Pte PageFault::before(uint64_t start) const {
  if (start <= vma_.start || (start & (kTableSpan - 1)) == 0) return {};
  return slot_of(start - kPageSize).load();
}

// More at once where the block in front is done already: the application seems to go through it in order.
size_t PageFault::anon_pages() const {
  // Who has little left gets what it asks for and no more.
  const Account& account = g_accounts[arch::cpu_local().account];
  const int64_t limit = account.limit.load(std::memory_order_relaxed);
  if (account.bytes.load(std::memory_order_relaxed) > limit - limit / 8) [[unlikely]]
    return 1;
  return before(address_ & ~(kAnonPages * kPageSize - 1)).has_page() ? kAnonPagesSequential : kAnonPages;
}

size_t PageFault::copied_pages() const {
  if constexpr (!arch::kTrapsAreDear) return 1;
  constexpr size_t kPages = 8;
  return before(address_ & ~(kPages * kPageSize - 1)).writable() ? kMaxCopies : kPages;
}

void PageFault::map_zero_page(Run run) {
  Pte value = make(zero_page(), false, true);
  LockGuard guard(user_.pte_lock);
  for (uint64_t at = run.start; at < run.end; at += kPageSize)
    if (slot_of(at).load().none()) slot_of(at).store(value);
}

FaultResult PageFault::missing_anon() {
  if (!write_ && vma_.size() >= kZeroPageFrom) {
    map_zero_page(none_run(block(kAnonPages)));
    return FaultResult::ok;
  }
  Run run = none_run(block(anon_pages()));
  auto order = static_cast<unsigned>(std::bit_width(run.pages()) - 1);
  Page* fresh = nullptr;
  for (;; --order) {
    auto got = alloc_pages(order, Zero::yes);
    if (got) {
      fresh = *got;
      break;
    }
    if (order == 0) return FaultResult::oom;
    if (order > 2) order = 2;  // memory is short: no time for finer steps
  }
  // The part of the run that the block covers: from its start, or such that the address is in it.
  uint64_t size = kPageSize << order;
  uint64_t start = std::min(std::max(run.start, address_ & ~(size - 1)), run.end - size);
  if (address_ >= start + size) start = address_ + kPageSize - size;
  split_block(*fresh);
  MappedPage pages[kAnonPagesSequential];
  for (size_t i = 0; i < size / kPageSize; ++i) pages[i] = {page_phys(*fresh) + i * kPageSize, fresh + i};
  install(start, pages, size / kPageSize, true, true);
  return FaultResult::ok;
}

void PageFault::install(uint64_t start, const MappedPage* pages, size_t count, bool writable, bool anon) {
  Page* left[std::max(kFilePages, kAnonPagesSequential)];
  size_t n = 0;
  {
    LockGuard guard(user_.pte_lock);
    for (size_t i = 0; i < count; ++i) {
      PteSlot slot = slot_of(start + i * kPageSize);
      Page* page = pages[i].page;
      if (slot.load().none()) {
        Pte value = make(pages[i].phys, writable, anon);
        if (page) page->map_count.fetch_add(1, std::memory_order_relaxed);
        space_.resident_.add(value);
        slot.store(value);
      } else if (page) {
        left[n++] = page;
      }
    }
  }
  put_pages({left, n});
}

FaultResult PageFault::missing_file(bool write) {
  auto page = vma_.file->get_page(vma_.file_offset(address_), write && vma_.shared);
  if (!page) return failure(page.error());
  bool pure_memory = vma_.shared && !vma_.file->tracks_writes();
  install(address_, &*page, 1, write || pure_memory, false);
  map_around(pure_memory);
  return FaultResult::ok;
}

void PageFault::map_around(bool writable) {
  Run run = block(kFilePages);
  MappedPage pages[kFilePages];
  if (size_t want = (run.end - address_) / kPageSize - 1) {
    size_t n = vma_.file->get_pages_around(vma_.file_offset(address_), want, pages);
    install(address_ + kPageSize, pages, std::min(n, want), writable, false);
  }
  if (run.start == address_) return;
  uint64_t from = vma_.file_offset(run.start);
  if (from == 0) {  // there is no page before it to start from
    run.start += kPageSize;
    from = kPageSize;
    if (run.start == address_) return;
  }
  size_t want = (address_ - run.start) / kPageSize;
  size_t n = vma_.file->get_pages_around(from - kPageSize, want, pages);
  install(run.start, pages, std::min(n, want), writable, false);
}

Result<void> PageFault::copy_page(Page& to, uint64_t from_phys) const {
  if (page_of_phys(from_phys)) {
    copy_ram_page(to, from_phys);
    return {};
  }
  return arch::copy_from_window(page_data(to), from_phys, kPageSize);
}

// A write to a private file mapping: a copy at once.
FaultResult PageFault::missing_copy() {
  auto source = vma_.file->get_page(vma_.file_offset(address_), false);
  if (!source) return failure(source.error());
  MappedPage around[kMaxCopies];
  around[0] = *source;
  size_t count = 1;
  if constexpr (arch::kTrapsAreDear) {
    Run run = none_run(block(copied_pages()));
    size_t want = (run.end - address_) / kPageSize - 1;
    if (want > 0)
      count += std::min(want, vma_.file->get_pages_around(vma_.file_offset(address_), want, around + 1));
  }
  FaultResult result = FaultResult::ok;
  for (size_t i = 0; i < count; ++i) {
    auto fresh = alloc_page(Zero::no);
    auto copied = fresh ? copy_page(**fresh, around[i].phys) : Result<void>(Errno::nomem);
    drop(around[i]);
    if (copied) {
      MappedPage mine{page_phys(**fresh), *fresh};
      install(address_ + i * kPageSize, &mine, 1, true, true);
    } else {
      if (fresh) put_page(**fresh);
      if (i == 0) result = failure(copied.error());
    }
  }
  return result;
}

FaultResult PageFault::present(Pte old) {
  if (write_ && !old.writable()) return vma_.shared ? upgrade_shared(old) : copy_on_write(old);
  if (old.parked() || (fetch_ && !old.executable())) {
    // The entry lags behind the VMA: bring it up to date; nothing is lost by it.
    LockGuard guard(user_.pte_lock);
    if (slot_.load() == old) slot_.store(old.with(vma_.prot, old.writable()));
    return FaultResult::ok;
  }
  return present_again(old);
}

// The access should have worked: another thread was faster, or a window page has gone (its host file shrank).
FaultResult PageFault::present_again(Pte old) {
  if (page_of_phys(old.phys()) || !vma_.file) return FaultResult::ok;
  auto page = vma_.file->get_page(vma_.file_offset(address_), write_ && vma_.shared);
  if (!page) return failure(page.error());
  if (page->phys == old.phys()) {
    drop(*page);
    return FaultResult::ok;
  }
  return replace(old, *page, write_ && vma_.shared, false);
}

FaultResult PageFault::upgrade_shared(Pte old) {
  auto page = vma_.file->get_page(vma_.file_offset(address_), true);
  if (!page) return failure(page.error());
  if (page->phys != old.phys()) return replace(old, *page, true, false);
  {
    LockGuard guard(user_.pte_lock);
    if (slot_.load() == old) slot_.store(make(page->phys, true, false));
  }
  drop(*page);
  return FaultResult::ok;
}

// Takes over the reference in `with`.
FaultResult PageFault::replace(Pte old, const MappedPage& with, bool writable, bool anon) {
  Zap zap(user_, space_.resident_, Zap::Space::live);
  zap.make_room(1);
  bool mine;
  {
    LockGuard guard(user_.pte_lock);
    mine = slot_.load() == old;
    if (mine) {
      slot_.store(Pte::busy());
      zap.removed(address_, old);
    }
  }
  if (!mine) {
    drop(with);
    return FaultResult::ok;
  }
  zap.flush();
  Pte value = make(with.phys, writable, anon);
  if (with.page) with.page->map_count.fetch_add(1, std::memory_order_relaxed);
  space_.resident_.add(value);
  LockGuard guard(user_.pte_lock);
  slot_.store(value);
  return FaultResult::ok;
}

}  // namespace runsc::mm
