// Shared anonymous memory: pages that appear when they are touched and live as long as somebody maps the
// object. For mmap(MAP_SHARED | MAP_ANONYMOUS); memfd, tmpfs and System V segments may build on it.
#pragma once

#include <cstdint>

#include "kernel/base/lock.h"
#include "kernel/base/ref.h"
#include "mm/mappable.h"

namespace runsc::mm {

class SharedAnon final : public Mappable {
 public:
  // `size` in bytes is where SIGBUS begins. ENOMEM.
  static Result<MappableRef> create(uint64_t size);
  ~SharedAnon() override;

  void ref_mappable() override { count_.fetch_add(1, std::memory_order_relaxed); }
  void unref_mappable() override;
  Result<MappedPage> get_page(uint64_t offset, bool write) override;
  size_t get_pages_around(uint64_t offset, size_t count, MappedPage* out) override;
  void describe(TextSink& out) const override { out.write("/dev/zero (deleted)"); }
  uint64_t device() const override { return 1; }  // the kernel's own tmpfs: 00:01
  uint64_t inode_number() const override { return number_; }
  bool tracks_writes() const override { return false; }
  // Frees the whole pages in the range. Mappings keep theirs: the caller unmaps them first.
  Result<void> punch_hole(uint64_t offset, uint64_t size) override;

 private:
  // A radix tree of pages by index, 512 to a node.
  static constexpr unsigned kBits = 9;
  struct Node;

  explicit SharedAnon(uint64_t size);
  std::atomic<uint64_t>* slot(uint64_t index, bool make) REQUIRES(lock_);
  static void free_node(uint64_t entry, unsigned level);

  const uint64_t size_;
  const uint64_t number_;
  const unsigned levels_;
  std::atomic<uint32_t> count_{0};
  Mutex lock_{LockRank::mapping};
  uint64_t root_ GUARDED_BY(lock_) = 0;  // physical address of a node page, or of the only page
};

}  // namespace runsc::mm
