#include "mm/shared_anon.h"

#include <algorithm>

#include "kernel/base/check.h"
#include "mm/address_space.h"

namespace runsc::mm {
namespace {

constexpr uint64_t kFan = 512;
std::atomic<uint64_t> g_numbers{1};

unsigned levels_for(uint64_t pages) {
  unsigned levels = 0;
  for (uint64_t reach = 1; reach < pages; reach *= kFan) ++levels;
  return levels;
}

// SAFETY: a node is a page of RAM that this tree alone has.
std::atomic<uint64_t>* node_at(uint64_t phys) {
  return static_cast<std::atomic<uint64_t>*>(arch::phys_to_virt(phys));
}

}  // namespace

SharedAnon::SharedAnon(uint64_t size)
    : size_(page_up(size)),
      number_(g_numbers.fetch_add(1, std::memory_order_relaxed)),
      levels_(levels_for(size_ / kPageSize)) {}

Result<MappableRef> SharedAnon::create(uint64_t size) {
  auto* object = new (std::nothrow) SharedAnon(size);
  if (!object) return Errno::nomem;
  return MappableRef(*object);
}

SharedAnon::~SharedAnon() {
  if (root_) free_node(root_, levels_);
}

void SharedAnon::unref_mappable() {
  if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void SharedAnon::free_node(uint64_t entry, unsigned level) {
  if (level > 0) {
    for (uint64_t i = 0; i < kFan; ++i)
      if (uint64_t child = node_at(entry)[i].load(std::memory_order_relaxed)) free_node(child, level - 1);
  }
  put_page(*page_of_phys(entry));
}

// The entry for a page; null when a node on the way is missing and, with `make`, cannot be had.
std::atomic<uint64_t>* SharedAnon::slot(uint64_t index, bool make) {
  auto* entry = reinterpret_cast<std::atomic<uint64_t>*>(&root_);
  for (unsigned level = levels_; level > 0; --level) {
    uint64_t phys = entry->load(std::memory_order_relaxed);
    if (!phys) {
      if (!make) return nullptr;
      auto node = alloc_page(Zero::yes, Use::sentry);
      if (!node) return nullptr;
      phys = page_phys(**node);
      entry->store(phys, std::memory_order_relaxed);
    }
    entry = &node_at(phys)[(index >> (kBits * (level - 1))) & (kFan - 1)];
  }
  return entry;
}

Result<MappedPage> SharedAnon::get_page(uint64_t offset, bool) {
  if (offset >= size_) return Errno::nxio;
  LockGuard guard(lock_);
  auto* entry = slot(offset / kPageSize, true);
  if (!entry) return Errno::nomem;
  uint64_t phys = entry->load(std::memory_order_relaxed);
  if (!phys) {
    phys = page_phys(*TRY(alloc_page(Zero::yes)));
    entry->store(phys, std::memory_order_relaxed);
  }
  Page* page = page_of_phys(phys);
  mm::get_page(*page);
  return MappedPage{phys, page};
}

size_t SharedAnon::get_pages_around(uint64_t offset, size_t count, MappedPage* out) {
  // A few neighbours are made at once where a fault is dear; else only what is there.
  constexpr size_t kMake = arch::kTrapsAreDear ? 16 : 4;
  LockGuard guard(lock_);
  size_t n = 0;
  for (; n < count; ++n) {
    uint64_t at = offset + (n + 1) * kPageSize;
    if (at >= size_) break;
    auto* entry = slot(at / kPageSize, n < kMake);
    if (!entry) break;
    uint64_t phys = entry->load(std::memory_order_relaxed);
    if (!phys) {
      if (n >= kMake) break;
      auto fresh = alloc_page(Zero::yes);
      if (!fresh) break;
      phys = page_phys(**fresh);
      entry->store(phys, std::memory_order_relaxed);
    }
    out[n] = {phys, page_of_phys(phys)};
    mm::get_page(*out[n].page);
  }
  return n;
}

Result<void> SharedAnon::punch_hole(uint64_t offset, uint64_t size) {
  uint64_t first = page_up(offset), end = std::min(page_down(offset + size), size_);
  for (uint64_t at = first; at < end;) {
    Page* gone[64];
    size_t n = 0;
    {
      LockGuard guard(lock_);
      for (; at < end && n < std::size(gone); at += kPageSize) {
        auto* entry = slot(at / kPageSize, false);
        if (!entry) continue;
        if (uint64_t phys = entry->exchange(0, std::memory_order_relaxed)) gone[n++] = page_of_phys(phys);
      }
    }
    put_pages({gone, n});
  }
  if (first < end) unmap_from_all(*this, first, end - first, false);
  return {};
}

}  // namespace runsc::mm
