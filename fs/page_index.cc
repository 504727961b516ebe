#include "fs/page_index.h"

namespace runsc::fs {

PageIndex::Node* PageIndex::new_node() {
  auto* node = static_cast<Node*>(kalloc(sizeof(Node)));
  if (node) *node = Node{};
  return node;
}

void PageIndex::free_tree(void* tree, unsigned height) {
  if (!tree || height == 0) return;
  auto* node = static_cast<Node*>(tree);
  for (void* child : node->slot) free_tree(child, height - 1);
  kfree(node, sizeof(Node));
}

PageIndex::~PageIndex() { free_tree(root_, height_); }

mm::Page* PageIndex::find(uint64_t index) const {
  if (!fits(index, height_)) return nullptr;
  void* at = root_;
  for (unsigned h = height_; h > 0 && at; --h)
    at = static_cast<Node*>(at)->slot[index >> ((h - 1) * kBits) & (kSlots - 1)];
  return static_cast<mm::Page*>(at);
}

Result<void> PageIndex::insert(uint64_t index, mm::Page& page) {
  while (!fits(index, height_)) {
    if (root_) {
      Node* top = new_node();
      if (!top) return Errno::nomem;
      top->slot[0] = root_;
      root_ = top;
    }
    ++height_;
  }
  void** place = &root_;
  for (unsigned h = height_; h > 0; --h) {
    if (!*place && !(*place = new_node())) return Errno::nomem;
    place = &static_cast<Node*>(*place)->slot[index >> ((h - 1) * kBits) & (kSlots - 1)];
  }
  *place = &page;
  ++count_;
  return {};
}

mm::Page* PageIndex::remove(uint64_t index) {
  if (!fits(index, height_)) return nullptr;
  void** place = &root_;
  for (unsigned h = height_; h > 0 && *place; --h)
    place = &static_cast<Node*>(*place)->slot[index >> ((h - 1) * kBits) & (kSlots - 1)];
  auto* page = static_cast<mm::Page*>(*place);
  if (!page) return nullptr;
  *place = nullptr;
  if (--count_ == 0) {  // nodes stay until the file is empty
    free_tree(root_, height_);
    root_ = nullptr;
    height_ = 0;
  }
  return page;
}

PageIndex::Found PageIndex::next_in(void* tree, unsigned height, uint64_t index) {
  if (!tree) return {0, nullptr};
  if (height == 0) return index == 0 ? Found{0, static_cast<mm::Page*>(tree)} : Found{0, nullptr};
  auto* node = static_cast<Node*>(tree);
  unsigned shift = (height - 1) * kBits;
  for (uint64_t i = index >> shift; i < kSlots; ++i) {
    uint64_t below = i == index >> shift ? index & ((uint64_t{1} << shift) - 1) : 0;
    Found f = next_in(node->slot[i], height - 1, below);
    if (f.page) return {(i << shift) + f.index, f.page};
  }
  return {0, nullptr};
}

PageIndex::Found PageIndex::next(uint64_t index) const {
  if (!fits(index, height_)) return {0, nullptr};
  return next_in(root_, height_, index);
}

}  // namespace runsc::fs
