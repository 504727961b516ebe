#include "kernel/base/check.h"
#include "mm/vma.h"

namespace runsc::mm {
namespace {
struct ByStart {
  bool operator()(const Vma& v, uint64_t a) const { return v.start < a; }
  bool operator()(uint64_t a, const Vma& v) const { return a < v.start; }
};
}  // namespace

VmaTree::~VmaTree() {
  set_.clear_and_dispose([](Vma* v) { Vma::destroy(v); });
}

Vma* VmaTree::find(uint64_t address) const {
  Vma* v = first_ending_after(address);
  return v && v->start <= address ? v : nullptr;
}

Vma* VmaTree::first_ending_after(uint64_t address) const {
  auto it = set_.upper_bound(address, ByStart{});  // first that starts behind it
  if (it != set_.begin()) {
    auto before = std::prev(it);
    if (before->end > address) return &*before;
  }
  return it == set_.end() ? nullptr : &*it;
}

Vma* VmaTree::next(const Vma& v) const {
  auto it = std::next(set_.iterator_to(const_cast<Vma&>(v)));
  return it == set_.end() ? nullptr : &*it;
}

Vma* VmaTree::prev(const Vma& v) const {
  auto it = set_.iterator_to(const_cast<Vma&>(v));
  return it == set_.begin() ? nullptr : &*std::prev(it);
}

Vma* VmaTree::first() const { return set_.empty() ? nullptr : &*set_.begin(); }
Vma* VmaTree::last() const { return set_.empty() ? nullptr : &*set_.rbegin(); }

void VmaTree::insert(Unique<Vma> v) {
  DCHECK(v->start < v->end, "an empty VMA");
  bool inserted = set_.insert(*v).second;
  CHECK(inserted, "two VMAs at one address");
  (void)v.release();
  ++count_;
}

Unique<Vma> VmaTree::remove(Vma& v) {
  set_.erase(set_.iterator_to(v));
  --count_;
  return Unique<Vma>(&v);
}

VmaGrave::~VmaGrave() {
  while (first_) Vma::destroy(std::exchange(first_, first_->chain));
}

}  // namespace runsc::mm
