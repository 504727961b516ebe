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

class AddressSpace;

struct Vma : HeapObject, boost::intrusive::set_base_hook<> {
  uint64_t start = 0, end = 0;
  Prot prot{}, max_prot = Prot::all;
  bool shared = false;
  bool grows_down = false;
  bool locked = false;
  bool no_fork = false;        // MADV_DONTFORK
  bool wipe_on_fork = false;   // MADV_WIPEONFORK
  bool no_dump = false;        // MADV_DONTDUMP
  uint32_t policy = 0;         // mbind(2), as kernel/syscalls/mempolicy.cc has it
  MappableRef file;            // null: anonymous private (shared anonymous memory is a Mappable of mm's own)
  uint64_t offset = 0;         // in file, of `start`
  const char* name = nullptr;  // "[stack]", "[heap]", "[vdso]", "[vvar]": static text
  Vma* chain = nullptr;        // VmaGrave's

  // Of VMAs in a space: whose, and the others that map the file (FileMappings).
  AddressSpace* space = nullptr;
  Vma* next_of_file = nullptr;
  Vma* prev_of_file = nullptr;
  uint64_t visit = 0;

  uint64_t size() const { return end - start; }
  uint64_t file_offset(uint64_t address) const { return offset + (address - start); }
  friend bool operator<(const Vma& a, const Vma& b) { return a.start < b.start; }
};

// The VMAs that map a file: AddressSpace adds and removes its own.
class FileMappings {
 public:
  static void add(Vma& v);
  static void remove(Vma& v);
  // The next space that maps `file` and was not visited with this number yet; null when there is none.
  static Ref<AddressSpace> next_space(Mappable& file, uint64_t visit);
  static bool any(Mappable& file);
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

// VMAs taken out of a tree. Dropping a VMA may drop the last reference to a file, which takes locks that come
// before AddressSpace's: so they wait here until that is released (declare the grave before the guard).
class VmaGrave {
 public:
  VmaGrave() = default;
  VmaGrave(const VmaGrave&) = delete;
  ~VmaGrave();
  void add(Unique<Vma> v) {
    v->chain = first_;
    first_ = v.release();
  }

 private:
  Vma* first_ = nullptr;
};

}  // namespace runsc::mm
