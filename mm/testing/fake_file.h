// A file of RAM or window pages for tests of mm.
#pragma once

#include <atomic>
#include <vector>

#include "kernel/base/lock.h"
#include "mm/mappable.h"

namespace runsc::mm::testing {

class FakeFile final : public Mappable {
 public:
  enum class Kind : uint8_t { ram, tracked_ram, window };
  // Window files use the pages of the window from `window_offset` on.
  FakeFile(Kind kind, size_t pages, uint64_t window_offset = 0)
      : kind_(kind), window_(window_offset), pages_(pages) {
    if (kind == Kind::window) return;
    for (auto& p : pages_) p = alloc_page(Zero::yes).value();
  }
  ~FakeFile() override {
    for (Page* p : pages_)
      if (p) put_page(*p);
  }
  void ref_mappable() override { ++refs; }
  void unref_mappable() override { --refs; }
  Result<MappedPage> get_page(uint64_t offset, bool write) override {
    ++gets;
    size_t i = offset / kPageSize;
    LockGuard guard(lock_);
    if (i >= pages_.size()) return Errno::nxio;
    if (write) ++write_gets;
    return at(i);
  }
  size_t get_pages_around(uint64_t offset, size_t count, MappedPage* out) override {
    size_t n = 0;
    LockGuard guard(lock_);
    for (size_t i = offset / kPageSize + 1; n < count && i < pages_.size(); ++i) out[n++] = at(i);
    return n;
  }
  void describe(TextSink& out) const override { out.write("/fake"); }
  uint64_t device() const override { return 7; }
  uint64_t inode_number() const override { return 9; }
  bool tracks_writes() const override { return kind_ != Kind::ram; }
  void mapped(AddressSpace&, uint64_t, uint64_t, uint64_t size) override { mapped_bytes += size; }
  void unmapped(AddressSpace&, uint64_t, uint64_t, uint64_t size) override { mapped_bytes -= size; }
  Result<void> sync_range(uint64_t, uint64_t size) override {
    synced += size;
    return {};
  }
  void* data(size_t i) {
    LockGuard guard(lock_);
    return arch::phys_to_virt(phys(i));
  }
  // What truncate(2) does.
  void truncate(size_t pages) {
    std::vector<Page*> gone;
    {
      LockGuard guard(lock_);
      while (pages_.size() > pages) {
        gone.push_back(pages_.back());
        pages_.pop_back();
      }
    }
    unmap_from_all(*this, pages * kPageSize, ~uint64_t{0} - pages * kPageSize, true);
    for (Page* p : gone)
      if (p) put_page(*p);
  }

  std::atomic<int> refs{0};
  std::atomic<uint64_t> gets{0}, write_gets{0}, mapped_bytes{0}, synced{0};

 private:
  uint64_t phys(size_t i) const {
    return kind_ == Kind::window ? hostcall::kWindowBase + window_ + i * kPageSize : page_phys(*pages_[i]);
  }
  MappedPage at(size_t i) {
    if (pages_[i]) get_page_ref(*pages_[i]);
    return {phys(i), pages_[i]};
  }
  static void get_page_ref(Page& page) { mm::get_page(page); }

  const Kind kind_;
  const uint64_t window_;
  SpinLock lock_;
  std::vector<Page*> pages_;
};

}  // namespace runsc::mm::testing
