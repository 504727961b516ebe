// What mm asks of something that can be mapped: a file, a device, shared anonymous memory. Implemented by fs.
#pragma once

#include <cstdint>

#include "kernel/base/format.h"
#include "kernel/base/lock.h"
#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "mm/phys.h"

namespace runsc::fs {
struct Path;
}

namespace runsc::mm {

// One page for a PTE: RAM with a reference taken for the caller, or a page of the file window (page ==
// nullptr).
struct MappedPage {
  uint64_t phys = 0;
  Page* page = nullptr;
};

struct Vma;

class Mappable : public HeapObject {
 public:
  virtual ~Mappable() = default;
  virtual void ref_mappable() = 0;
  virtual void unref_mappable() = 0;

  // The page that holds file offset `offset` (page aligned) for a shared mapping, or to copy from / map
  // read-only for a private one. `write`: the page will be written through a shared mapping (dirty tracking,
  // copy-up done before). EIO/ENXIO -> SIGBUS: beyond the end of the file; ENOMEM. May sleep and call the
  // host. Must not call AddressSpace::unmap_file_range(): a fault holds that lock.
  virtual Result<MappedPage> get_page(uint64_t offset, bool write) = 0;
  // Up to `count` further pages after `offset` that are at hand without waiting, for mapping around a fault,
  // read-only: fills out[0..n), returns n; out[i] is the page of offset + (i + 1) * kPageSize. References as
  // in get_page.
  virtual size_t get_pages_around(uint64_t offset, size_t count, MappedPage* out) {
    (void)offset, (void)count, (void)out;
    return 0;
  }
  // Text of /proc/PID/maps: path, and dev/inode numbers.
  virtual void describe(TextSink& out) const = 0;
  // Where the file that is mapped stands, for /proc/PID/map_files; false: it is none of a file system.
  virtual bool file_path(fs::Path& out) const {
    (void)out;
    return false;
  }
  virtual uint64_t device() const = 0;
  virtual uint64_t inode_number() const = 0;
  // Whether shared mappings must ask for each page again, with `write`, before it is written. Pure memory
  // need not.
  virtual bool tracks_writes() const { return true; }
  // fallocate(2) PUNCH_HOLE, for MADV_REMOVE; called with no lock held. EOPNOTSUPP.
  virtual Result<void> punch_hole(uint64_t offset, uint64_t size) {
    (void)offset, (void)size;
    return Errno::opnotsupp;
  }
  // A mapping that covers [offset, offset+size) appeared or went. (To remove pages from mappings it is not
  // needed: unmap_from_all().) Called with AddressSpace's lock held exclusively (rank address_space <
  // mapping). What appeared may go in pieces, and pieces may go together: count bytes per space, or keep
  // intervals.
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

 private:
  friend class FileMappings;
  SpinLock vmas_lock_;  // leaf
  Vma* vmas_ GUARDED_BY(vmas_lock_) = nullptr;
};

// Takes the pages of [offset, offset + size) out of every space that maps them, after the file has let go of
// them (truncate, hole punching): what happens to a page is decided there first, so that no fault finds it
// again. Private copies go too if `even_private_copies` (ftruncate(2): SIGBUS behind the end). Sleeps; no
// AddressSpace or mapping lock held.
void unmap_from_all(Mappable& file, uint64_t offset, uint64_t size, bool even_private_copies);
// Whether anybody maps any of it. A hint: it may change at once.
bool is_mapped(Mappable& file);

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
