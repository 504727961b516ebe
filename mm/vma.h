// Vma: one mapping of an address space, and the tree they stand in.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "kernel/base/alloc.h"
#include "mm/mappable.h"

namespace runsc::mm {

enum class Prot : uint8_t { none = 0, read = 1, write = 2, exec = 4, all = 7 };
constexpr Prot operator|(Prot a, Prot b) {
  return static_cast<Prot>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b));
}
constexpr Prot operator&(Prot a, Prot b) {
  return static_cast<Prot>(static_cast<uint8_t>(a) & static_cast<uint8_t>(b));
}
constexpr bool has(Prot set, Prot bit) { return (set & bit) == bit && bit != Prot::none; }

struct Vma : HeapObject, boost::intrusive::set_base_hook<> {
  uint64_t start = 0, end = 0;
  Prot prot{}, max_prot = Prot::all;
  bool shared = false;
  bool grows_down = false;
  bool locked = false;
  bool no_fork = false;        // MADV_DONTFORK
  bool wipe_on_fork = false;   // MADV_WIPEONFORK
  bool no_dump = false;        // MADV_DONTDUMP
  MappableRef file;            // null: anonymous private (shared anonymous memory is a Mappable of mm's own)
  uint64_t offset = 0;         // in file, of `start`
  const char* name = nullptr;  // "[stack]", "[heap]", "[vdso]", "[vvar]": static text

  uint64_t size() const { return end - start; }
  uint64_t file_offset(uint64_t address) const { return offset + (address - start); }
  friend bool operator<(const Vma& a, const Vma& b) { return a.start < b.start; }
};

// Ordered by start; VMAs do not overlap. Not locked: AddressSpace's lock guards it. Owns its VMAs.
class VmaTree {
 public:
  VmaTree() = default;
  ~VmaTree();
  Vma* find(uint64_t address) const;                // containing it, or null
  Vma* first_ending_after(uint64_t address) const;  // first with end > address
  Vma* next(const Vma& v) const;
  Vma* prev(const Vma& v) const;
  Vma* first() const;
  Vma* last() const;
  void insert(Unique<Vma> v);
  Unique<Vma> remove(Vma& v);
  bool empty() const { return set_.empty(); }
  size_t size() const { return count_; }

 private:
  using Set = boost::intrusive::set<Vma, boost::intrusive::constant_time_size<false>>;
  mutable Set set_;
  size_t count_ = 0;
};

}  // namespace runsc::mm
