// PageCache: the contents of a regular file in RAM pages, with an unchanging file of the host behind the
// pages that are missing where there is one (the lower layer of the root).
#pragma once

#include "fs/inode.h"
#include "fs/mapping_users.h"
#include "fs/page_index.h"

namespace runsc::fs {

// An unchanging file that gives its bytes without being asked twice: a file of the read-only layer.
class PageSource {
 public:
  // Bytes of [offset, offset + size), which lie inside the file. What IoBuf::put gives; EIO.
  virtual Result<size_t> read_range(mm::IoBuf& buf, uint64_t offset, size_t size) = 0;
  virtual Result<void> read_bytes(void* to, uint64_t offset, size_t size) = 0;
  // Guest-physical address of the page in the file window. EIO.
  virtual Result<uint64_t> window_page(uint64_t offset) = 0;
  // Pages after `offset` that are in the window already.
  virtual size_t window_pages_at_hand(uint64_t offset, size_t count, mm::MappedPage* out) = 0;
  // While pinned, pages of the window that were handed out stay valid.
  virtual void pin_window(uint64_t size) = 0;
  virtual void unpin_window(uint64_t size) = 0;

 protected:
  ~PageSource() = default;
};

// Pages of a file system against its limit (tmpfs(5), size=).
struct PageAccount {
  std::atomic<uint64_t> used{0};
  std::atomic<uint64_t> limit{~uint64_t{0}};
  // ENOSPC.
  Result<void> charge(uint64_t pages);
  void uncharge(uint64_t pages) { used.fetch_sub(pages, std::memory_order_relaxed); }
};

class PageCache final : public mm::Mappable {
 public:
  // Member of `owner`, whose count keeps it alive; `account` lives as long.
  PageCache(Inode& owner, PageAccount& account, uint64_t dev, uint64_t ino)
      : owner_(owner), account_(account), dev_(dev), ino_(ino) {}
  ~PageCache() override;
  // Before anybody else sees the file. `keep` owns `source`.
  void set_backing(Ref<Inode> keep, PageSource& source, uint64_t size);

  uint64_t size() const { return size_.load(std::memory_order_acquire); }
  uint64_t pages() const { return page_count_.load(std::memory_order_relaxed); }
  bool backed() const { return source_ != nullptr; }

  // Any number at once.
  Result<size_t> read(mm::IoBuf& buf, uint64_t offset);
  // The rest is called with the owner's lock held. write: ENOSPC, ENOMEM, EFAULT, EIO when nothing was moved.
  Result<size_t> write(mm::IoBuf& buf, uint64_t offset);
  Result<void> resize(uint64_t size);
  // Zeros a range without changing the size (FALLOC_FL_PUNCH_HOLE, ZERO_RANGE).
  Result<void> punch(uint64_t offset, uint64_t size);
  // Gives the range pages of its own.
  Result<void> allocate(uint64_t offset, uint64_t size);
  // SEEK_DATA, SEEK_HOLE: ENXIO.
  Result<uint64_t> next_data(uint64_t offset);
  Result<uint64_t> next_hole(uint64_t offset);

  // Before a shared mapping that may be written is made: from now on every mapped page is RAM.
  void prepare_shared_writes();
  MappingUsers& mappings() { return mappings_; }

  // mm::Mappable.
  void ref_mappable() override { owner_.ref(); }
  void unref_mappable() override { owner_.unref(); }
  Result<mm::MappedPage> get_page(uint64_t offset, bool write) override;
  size_t get_pages_around(uint64_t offset, size_t count, mm::MappedPage* out) override;
  void describe(TextSink& out) const override { mappings_.describe(out); }
  bool file_path(Path& out) const override { return mappings_.path(out); }
  uint64_t device() const override { return dev_; }
  uint64_t inode_number() const override { return ino_; }
  // Only pages of the source must be asked for again before they are written.
  bool tracks_writes() const override { return source_ && !ram_only_.load(std::memory_order_acquire); }
  Result<void> punch_hole(uint64_t offset, uint64_t size) override {
    LockGuard guard(owner_.lock);
    return punch(offset, size);
  }
  void mapped(mm::AddressSpace& space, uint64_t address, uint64_t offset, uint64_t size) override;
  void unmapped(mm::AddressSpace& space, uint64_t address, uint64_t offset, uint64_t size) override;

 private:
  static constexpr size_t kBatch = 16;

  mm::Page* find(uint64_t index);  // counted for the caller
  bool find_present(uint64_t index);
  // The RAM page of `index`, made and filled where missing. Counted for the caller.
  Result<mm::Page*> ram_page(uint64_t index);
  Result<mm::Page*> install(uint64_t index, mm::Page* fresh);
  Result<size_t> read_batch(mm::IoBuf& buf, uint64_t offset, size_t size);
  Result<size_t> read_missing(mm::IoBuf& buf, uint64_t offset, size_t size);
  Result<size_t> write_page(mm::IoBuf& buf, uint64_t offset, size_t size);
  Result<size_t> write_fresh_page(mm::IoBuf& buf, uint64_t index);
  Result<void> zero_part(uint64_t offset, size_t size);
  void drop_pages(uint64_t first, uint64_t end);
  bool from_source(uint64_t offset) const { return offset < source_size_.load(std::memory_order_acquire); }

  Inode& owner_;
  PageAccount& account_;
  const uint64_t dev_, ino_;
  Ref<Inode> source_owner_;
  PageSource* source_ = nullptr;
  // Bytes that come from the source where there is no page; shrinks with truncation, never grows.
  std::atomic<uint64_t> source_size_{0};
  std::atomic<uint64_t> size_{0};
  std::atomic<uint64_t> page_count_{0};
  std::atomic<bool> ram_only_{false};  // mappings show no window pages
  Mutex lock_{LockRank::mapping};
  PageIndex index_ GUARDED_BY(lock_);
  MappingUsers mappings_;
};

}  // namespace runsc::fs
