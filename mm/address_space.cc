#include "mm/address_space.h"

#include <algorithm>

#include "kernel/base/check.h"
#include "mm/flags.h"

namespace runsc::mm {

Result<Ref<AddressSpace>> AddressSpace::create() {
  auto space = make_ref<AddressSpace>();
  if (!space) return Errno::nomem;
  Page* root = TRY(alloc_page(Zero::yes, Use::sentry));
  space->user_space_.root_phys = page_phys(*root);
  arch::user_space_init(space->user_space_);
  space->set_mmap_top(arch::kUserEnd - (uint64_t{128} << 20) - kStackGap);
  return space;
}

SpaceAttachment& AddressSpace::attach(Unique<SpaceAttachment> fresh) {
  SpaceAttachment* expected = nullptr;
  if (attachment_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
    return *fresh.release();
  return *expected;
}

AddressSpace::~AddressSpace() {
  Unique<SpaceAttachment> attachment(attachment_.load(std::memory_order_acquire));
  if (user_space_.root_phys == 0) return;
  arch::user_space_retire(user_space_);
  uint64_t pages;
  {
    Zap zap(user_space_, resident_, Zap::Space::dead);
    pages = resident_.total.load(std::memory_order_relaxed);
    zap.range(0, kTablesEnd);
    unlink_tables(user_space_, {0, kTablesEnd, 0, kTablesEnd}, zap.tables());
    zap.tables().add(*page_of_phys(user_space_.root_phys));
  }
  for (Vma* v = vmas_.first(); v; v = vmas_.next(*v)) {
    FileMappings::remove(*v);
    if (v->file) v->file->unmapped(*this, v->start, v->offset, v->size());
  }
  if (pages >= 1024) phys_after_large_free();
}

MemoryUsage AddressSpace::usage() const {
  SharedGuard guard(lock_);
  MemoryUsage u{};
  u.virtual_pages = virtual_pages_;
  u.peak_virtual = peak_virtual_;
  u.locked = locked_pages_;
  u.resident = resident_.total.load(std::memory_order_relaxed);
  u.resident_file = resident_.file.load(std::memory_order_relaxed);
  u.peak_resident = resident_.peak.load(std::memory_order_relaxed);
  u.data = data_pages_;
  for (const Vma* v = vmas_.first(); v; v = vmas_.next(*v)) {
    if (v->grows_down) u.stack += v->size() / kPageSize;
    if (has(v->prot, Prot::exec) && !has(v->prot, Prot::write) && !v->grows_down)
      u.text += v->size() / kPageSize;
  }
  return u;
}

AddressSpace::Layout AddressSpace::layout() const {
  SharedGuard guard(lock_);
  return layout_;
}

void AddressSpace::set_layout(const Layout& layout) {
  LockGuard guard(lock_);
  layout_ = layout;
}

Result<void> AddressSpace::name_mapping(uint64_t start, uint64_t end, const char* name) {
  VmaGrave grave;
  LockGuard guard(lock_);
  Vma* v = vmas_.find(start);
  if (!v || v->end < end || start >= end) return Errno::nomem;
  TRY(isolate(start, end));
  vmas_.find(start)->name = name;
  return {};
}

Result<AddressSpace::FutexKey> AddressSpace::futex_key(uint64_t address, bool shared) {
  if (address & 3) return Errno::inval;
  if (address >= arch::kUserEnd) return Errno::fault;
  if (!shared) return FutexKey{this, address};
  SharedGuard guard(lock_);
  const Vma* v = vmas_.find(address);
  if (!v || v->prot == Prot::none) return Errno::fault;
  if (!v->shared) return FutexKey{this, address};
  return FutexKey{v->file.get(), v->file_offset(address)};
}

void AddressSpace::unmap_file_range(const Mappable& file, uint64_t offset, uint64_t size,
                                    bool even_private_copies) {
  LockGuard guard(lock_);
  Zap zap(user_space_, resident_, Zap::Space::live);
  for (const Vma* v = vmas_.first(); v; v = vmas_.next(*v)) {
    if (v->file.get() != &file) continue;
    uint64_t from = std::max(offset, v->offset);
    uint64_t to = std::min(offset + size < offset ? ~uint64_t{0} : offset + size, v->offset + v->size());
    if (from >= to) continue;
    uint64_t start = v->start + (page_down(from) - v->offset), end = v->start + (page_up(to) - v->offset);
    zap.range(start, std::min(end, v->end), [&](Pte pte) { return even_private_copies || !pte.anon(); });
  }
}

}  // namespace runsc::mm
