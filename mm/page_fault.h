// One page fault: an address, the VMA that holds it, and what becomes of its entry. Internal to mm.
#pragma once

#include <cstdint>

#include "mm/address_space.h"

namespace runsc::mm {

// Trap::error bits of a page fault (SDM vol. 3, 4.7), and one of our own: access by another task that may
// override the protection (ptrace(2), /proc/PID/mem).
inline constexpr uint32_t kFaultWrite = 2, kFaultFetch = 16, kFaultForce = uint32_t{1} << 31;

// Lives while AddressSpace::lock_ is held (shared is enough).
//
// Replacing a present page: other CPUs must not see the new page written while one of them still reads the
// old. So the entry is first made busy (not present; who faults on it just tries again), then the old
// translation is shot down, then the new entry is stored, then the old page's reference is dropped.
class PageFault {
 public:
  PageFault(AddressSpace& space, const Vma& vma, uint64_t address, uint32_t error);
  FaultResult run();

 private:
  struct Run {  // neighbouring entries, in one leaf table
    uint64_t start, end;
    size_t pages() const { return (end - start) / kPageSize; }
  };
  struct Copy {  // of a page that many share
    uint64_t address;
    Pte old;
    Page* fresh;
    bool busy = false;
  };
  static constexpr size_t kMaxCopies = 32;

  FaultResult missing();
  FaultResult missing_anon();
  FaultResult missing_file(bool write);
  FaultResult missing_copy();
  FaultResult present(Pte old);
  FaultResult present_again(Pte old);
  FaultResult upgrade_shared(Pte old);
  FaultResult copy_on_write(Pte old);

  Run block(size_t pages) const;   // aligned, inside the VMA, around the address
  Run none_run(Run within) const;  // the entries around the address that are none
  size_t anon_pages() const;
  size_t copied_pages() const;
  Pte before(
      uint64_t start) const;  // the entry in front of a block; none if that is another table's or VMA's
  PteSlot slot_of(uint64_t address) const;
  Pte make(uint64_t phys, bool writable, bool anon) const {
    return Pte::make(phys, vma_.prot, writable, anon);
  }
  void map_zero_page(Run run);
  // Installs pages that the caller has a reference to, where the entries are none; drops the others.
  void install(uint64_t start, const MappedPage* pages, size_t count, bool writable, bool anon);
  void map_around(bool writable);
  FaultResult replace(Pte old, const MappedPage& with, bool writable, bool anon);
  Result<void> copy_page(Page& to, uint64_t from_phys) const;
  // cow.cc
  bool needs_copy(Pte pte) const;
  size_t gather(Copy* out, Pte old) const;
  size_t settle(Copy* copies, size_t n);
  Result<void> make_copy(Copy& c) const;
  void swap_in(Copy* copies, size_t n);

  AddressSpace& space_;
  arch::UserSpace& user_;
  const Vma& vma_;
  uint64_t address_;
  bool write_, fetch_, force_;
  PteSlot slot_;
};

}  // namespace runsc::mm
