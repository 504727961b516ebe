// What mm asks of something that can be mapped: a file, a device, shared anonymous memory. Implemented by fs.
#pragma once

#include <cstdint>

#include "kernel/base/format.h"
#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "mm/phys.h"

namespace runsc::mm {

// One page for a PTE: RAM with a reference taken for the caller, or a page of the file window (page ==
// nullptr).
struct MappedPage {
  uint64_t phys = 0;
  Page* page = nullptr;
};

class Mappable : public HeapObject {
 public:
  virtual ~Mappable() = default;
  virtual void ref_mappable() = 0;
  virtual void unref_mappable() = 0;

  // The page that holds file offset `offset` (page aligned) for a shared mapping, or to copy from / map
  // read-only for a private one. `write`: the page will be written through a shared mapping (dirty tracking,
  // copy-up done before). EIO/ENXIO -> SIGBUS: beyond the end of the file; ENOMEM. May sleep and call the
  // host.
  virtual Result<MappedPage> get_page(uint64_t offset, bool write) = 0;
  // Up to `count` further pages after `offset` that are at hand without waiting, for mapping around a fault:
  // fills out[0..n), returns n. References as in get_page.
  virtual size_t get_pages_around(uint64_t offset, size_t count, MappedPage* out) {
    (void)offset, (void)count, (void)out;
    return 0;
  }
  // Text of /proc/PID/maps: path, and dev/inode numbers.
  virtual void describe(TextSink& out) const = 0;
  virtual uint64_t device() const = 0;
  virtual uint64_t inode_number() const = 0;
  // A mapping that covers [offset, offset+size) appeared or went. fs uses it to find PTEs to remove on
  // truncate.
  virtual void mapped(class AddressSpace& space, uint64_t address, uint64_t offset, uint64_t size) {
    (void)space, (void)address, (void)offset, (void)size;
  }
  virtual void unmapped(class AddressSpace& space, uint64_t address, uint64_t offset, uint64_t size) {
    (void)space, (void)address, (void)offset, (void)size;
  }
  // msync(2) MS_SYNC of a range.
  virtual Result<void> sync_range(uint64_t offset, uint64_t size) {
    (void)offset, (void)size;
    return {};
  }
};

// Ref-like holder for the interface.
class MappableRef {
 public:
  MappableRef() = default;
  explicit MappableRef(Mappable& m) : p_(&m) { p_->ref_mappable(); }
  MappableRef(const MappableRef& o) : p_(o.p_) {
    if (p_) p_->ref_mappable();
  }
  MappableRef(MappableRef&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  MappableRef& operator=(MappableRef o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~MappableRef() {
    if (p_) p_->unref_mappable();
  }
  Mappable* get() const { return p_; }
  Mappable* operator->() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  Mappable* p_ = nullptr;
};

}  // namespace runsc::mm
