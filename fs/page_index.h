// PageIndex: page number -> page of one file, a radix tree that is as high as the file is long. Not locked.
#pragma once

#include "mm/phys.h"

namespace runsc::fs {

class PageIndex {
 public:
  PageIndex() = default;
  ~PageIndex();  // empty by then, but for its nodes
  PageIndex(const PageIndex&) = delete;
  PageIndex& operator=(const PageIndex&) = delete;

  mm::Page* find(uint64_t index) const;
  // The place is free. ENOMEM.
  Result<void> insert(uint64_t index, mm::Page& page);
  // Null: nothing was there.
  mm::Page* remove(uint64_t index);
  // The first page at or after `index`; page == nullptr: none.
  struct Found {
    uint64_t index;
    mm::Page* page;
  };
  Found next(uint64_t index) const;
  size_t count() const { return count_; }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr uint64_t kSlots = 1 << kBits;
  struct Node {
    void* slot[kSlots];
  };
  static bool fits(uint64_t index, unsigned height) {
    return height * kBits >= 64 || (index >> (height * kBits)) == 0;
  }
  static Node* new_node();
  static void free_tree(void* tree, unsigned height);
  static Found next_in(void* tree, unsigned height, uint64_t index);

  void* root_ = nullptr;  // height 0: the page 0 itself; else a Node
  unsigned height_ = 0;
  size_t count_ = 0;
};

}  // namespace runsc::fs
