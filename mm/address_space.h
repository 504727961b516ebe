// AddressSpace: the user memory of one or more tasks (mm_struct). The whole of a change - VMAs, page tables,
// TLB - goes through this class.
#pragma once

#include <cstdint>

#include "kernel/base/lock.h"
#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "kvm/arch/seam.h"
#include "mm/mappable.h"
#include "mm/vma.h"
#include "mm/zap.h"

namespace runsc::mm {

enum class Advice : int;  // flags.h

enum class FaultResult : uint8_t {
  ok,          // retry the access
  maperr,      // SIGSEGV SEGV_MAPERR
  accerr,      // SIGSEGV SEGV_ACCERR
  bus_adrerr,  // SIGBUS BUS_ADRERR
  oom,         // memory is out: the task dies (SIGKILL)
};

struct MmapRequest {
  uint64_t address = 0;  // hint, or exact with kMapFixed
  uint64_t size = 0;
  Prot prot{};
  uint32_t flags = 0;         // MAP_* of Linux (mmap(2))
  MappableRef file;           // null: anonymous
  uint64_t offset = 0;        // multiple of kPageSize
  Prot max_prot = Prot::all;  // what mprotect(2) may raise to (a read-only file mapped shared)
};

struct AddressSpaceLimits {  // rlimits, read at the time of the call
  uint64_t address_space = ~uint64_t{0};
  uint64_t data = ~uint64_t{0};
  uint64_t stack = 8 << 20;
  uint64_t locked = ~uint64_t{0};
};

struct MemoryUsage {  // pages
  uint64_t virtual_pages, resident, resident_file, stack, data, text, locked, peak_resident, peak_virtual;
};

// What another room keeps with a space for as long as it lives.
class SpaceAttachment : public HeapObject {
 public:
  virtual ~SpaceAttachment() = default;
};

class AddressSpace final : public RefCounted<AddressSpace> {
 public:
  // An empty space. ENOMEM.
  static Result<Ref<AddressSpace>> create();
  ~AddressSpace();

  // mmap(2) and its family, with Linux's errno values. Sizes and addresses as given by the application.
  Result<uint64_t> mmap(MmapRequest request, const AddressSpaceLimits& limits);
  Result<void> munmap(uint64_t address, uint64_t size);
  Result<void> mprotect(uint64_t address, uint64_t size, Prot prot);
  Result<uint64_t> mremap(uint64_t old_address, uint64_t old_size, uint64_t new_size, uint32_t flags,
                          uint64_t new_address, const AddressSpaceLimits& limits);
  Result<void> madvise(uint64_t address, uint64_t size, int advice);
  Result<void> msync(uint64_t address, uint64_t size, int flags);
  Result<void> mlock(uint64_t address, uint64_t size, bool lock, const AddressSpaceLimits& limits = {});
  // mlockall(2) with MCL_* flags, munlockall(2) with 0.
  Result<void> mlock_all(uint32_t flags, const AddressSpaceLimits& limits);
  // One byte per page into `out`, bit 0: resident. ENOMEM for holes.
  Result<void> mincore(uint64_t address, std::span<uint8_t> out);
  // mbind(2): Vma::policy of whole pages. EFAULT: a hole, and nothing has changed.
  Result<void> set_policy(uint64_t address, uint64_t size, uint32_t policy);
  Result<uint32_t> policy_at(uint64_t address);
  // Whether a page is there. EFAULT: nothing is mapped.
  Result<bool> has_page(uint64_t address);
  uint64_t brk(uint64_t end, const AddressSpaceLimits& limits);  // the new end, or the old one
  void set_brk_start(uint64_t start);

  // fork(2): a copy with copy-on-write. ENOMEM.
  Result<Ref<AddressSpace>> fork();

  // Resolves a fault at `address`. `error` as in arch::Trap. Sleeps, calls the host. Maps around the fault.
  FaultResult fault(uint64_t address, uint32_t error);

  // Removes PTEs of a file range (truncate, hole punching) from all mappings of `file` in this space.
  void unmap_file_range(const Mappable& file, uint64_t offset, uint64_t size, bool even_private_copies);

  // The stack VMA [end - initial, end) growing down to the stack limit; returns nothing to free later.
  Result<void> map_stack(uint64_t end, uint64_t initial, Prot prot);
  // The soft RLIMIT_STACK of the process, which bounds growth at faults; 8 MiB until told.
  void set_stack_limit(uint64_t bytes) { stack_limit_.store(bytes, std::memory_order_relaxed); }
  // Where mappings are placed below, if not where map_stack() left it: page aligned, for randomization.
  void set_mmap_top(uint64_t top);
  // Gives [start, end) of one mapping a name for /proc: "[vdso]"; static text. ENOMEM if it is not mapped so.
  Result<void> name_mapping(uint64_t start, uint64_t end, const char* name);

  // A stable key for a shared futex: (mappable or null, offset) for shared mappings; private: (this,
  // address).
  struct FutexKey {
    const void* object;
    uint64_t offset;
  };
  Result<FutexKey> futex_key(uint64_t address, bool shared);

  // Calls f(const Vma&) for each VMA from `start` on, in order, under the lock (shared): f must not touch
  // user memory.
  template <class F>
  void for_each_vma(uint64_t start, F&& f) {
    SharedGuard guard(lock_);
    for (const Vma* v = vmas_.first_ending_after(start); v; v = vmas_.next(*v))
      if (!f(*v)) return;
  }
  // Physical page behind an address for /proc/PID/mem and ptrace-like access: resolves faults of another
  // task.
  Result<size_t> read_remote(uint64_t address, std::span<std::byte> out);
  Result<size_t> write_remote(uint64_t address, std::span<const std::byte> in);

  // Null: none yet.
  SpaceAttachment* attachment() const { return attachment_.load(std::memory_order_acquire); }
  // The one that is there, or `fresh` if there was none: who comes first wins.
  SpaceAttachment& attach(Unique<SpaceAttachment> fresh);

  // clear_refs of proc(5): the machine forgets which pages were used, of anonymous memory or of files. What
  // is used anew counts from here.
  enum class Refs : uint8_t { all, anonymous, file };
  void clear_referenced(Refs which);
  // /proc/PID/clear_refs 5: the peak of resident memory is what is resident now.
  void reset_peak_resident();
  MemoryUsage usage() const;
  // Pages, as usage() has them; without the lock.
  uint64_t resident_pages() const { return resident_.total.load(std::memory_order_relaxed); }
  uint64_t resident_file_pages() const { return resident_.file.load(std::memory_order_relaxed); }
  arch::UserSpace& user_space() { return user_space_; }

  // Marks of execve(2) for /proc and prctl(2).
  struct Layout {
    uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end,
        env_start, env_end;
    uint64_t vdso;
  };
  Layout layout() const;
  void set_layout(const Layout& layout);

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  friend class PageFault;
  friend class SpaceCopy;
  AddressSpace() = default;

  // vma_ops.cc. All: lock_ held exclusively.
  // v keeps what is below
  Result<void> split(Vma& v, uint64_t at) REQUIRES(lock_);
  // no VMA crosses start or end
  Result<void> isolate(uint64_t start, uint64_t end) REQUIRES(lock_);
  // joins equal neighbours in and at the edges of the range
  void merge(uint64_t start, uint64_t end, VmaGrave& grave) REQUIRES(lock_);
  void link(Unique<Vma> v) REQUIRES(lock_);
  Unique<Vma> unlink(Vma& v) REQUIRES(lock_);
  void account(const Vma& v, int sign) REQUIRES(lock_);
  Result<void> check_room(uint64_t size, const Vma& like, const AddressSpaceLimits& limits, uint64_t replaced)
      REQUIRES(lock_);
  // whole pages; returns pages unmapped
  Result<uint64_t> unmap(uint64_t start, uint64_t end, VmaGrave& grave) REQUIRES(lock_);
  void unmap_isolated(uint64_t start, uint64_t end, VmaGrave& grave) REQUIRES(lock_);
  uint64_t mapped_pages(uint64_t start, uint64_t end) const REQUIRES_SHARED(lock_);
  Result<void> grow_down(Vma& v, uint64_t start) REQUIRES(lock_);
  // placement.cc: where a mapping may go. ENOMEM, EEXIST, EINVAL, EPERM.
  Result<uint64_t> place(uint64_t hint, uint64_t size, uint32_t flags) REQUIRES(lock_);
  uint64_t gap_below(uint64_t size, uint64_t low, uint64_t high) const REQUIRES_SHARED(lock_);
  uint64_t gap_above(uint64_t size, uint64_t low, uint64_t high) const REQUIRES_SHARED(lock_);

  // These take `v` if they succeed; else it must outlive the lock.
  Result<uint64_t> insert(const MmapRequest& r, uint64_t size, Unique<Vma>& v,
                          const AddressSpaceLimits& limits, VmaGrave& grave) REQUIRES(lock_);
  Result<uint64_t> map_at(uint64_t address, uint64_t size, Unique<Vma>& v, VmaGrave& grave) REQUIRES(lock_);
  void protect_entries(const Vma& v, Zap& zap) REQUIRES(lock_);
  Result<uint64_t> move_to(uint64_t old_address, uint64_t old_size, uint64_t new_size, uint32_t flags,
                           uint64_t new_address, const AddressSpaceLimits& limits, VmaGrave& grave)
      REQUIRES(lock_);
  Result<uint64_t> resize(uint64_t old_address, uint64_t old_size, uint64_t new_size, uint32_t flags,
                          const AddressSpaceLimits& limits, VmaGrave& grave) REQUIRES(lock_);
  // Checks that [address, address + old_size) of one mapping may become new_size long.
  Result<Vma*> check_resize(uint64_t address, uint64_t old_size, uint64_t new_size, uint32_t flags,
                            const AddressSpaceLimits& limits) REQUIRES(lock_);
  Result<uint64_t> move(uint64_t from, uint64_t old_size, uint64_t to, uint64_t new_size, uint32_t flags,
                        VmaGrave& grave) REQUIRES(lock_);
  void move_entries(uint64_t from, uint64_t to, uint64_t size, Zap& zap) REQUIRES(lock_);
  Result<void> discard(uint64_t start, uint64_t end, Advice advice);
  Result<void> set_marks(uint64_t start, uint64_t end, Advice advice, VmaGrave& grave);
  Result<void> remove_pages(uint64_t start, uint64_t end);
  FaultResult grow_stack(uint64_t address);
  // Faults [start, end) in, as far as it goes: MAP_POPULATE, mlock, MADV_POPULATE_*.
  Result<void> populate(uint64_t start, uint64_t end, bool write, bool stop_at_holes);
  Result<size_t> remote(uint64_t address, std::byte* bytes, size_t size, bool write);

  mutable RwMutex lock_{LockRank::address_space};
  arch::UserSpace user_space_;
  VmaTree vmas_ GUARDED_BY(lock_);
  Layout layout_ GUARDED_BY(lock_){};
  uint64_t mmap_top_ GUARDED_BY(lock_) = 0;
  // Every hole that lies in [gap_hint_, mmap_top_) is smaller than gap_size_.
  uint64_t gap_hint_ GUARDED_BY(lock_) = 0, gap_size_ GUARDED_BY(lock_) = 0;
  uint64_t virtual_pages_ GUARDED_BY(lock_) = 0, peak_virtual_ GUARDED_BY(lock_) = 0,
                          locked_pages_ GUARDED_BY(lock_) = 0, data_pages_ GUARDED_BY(lock_) = 0;
  bool lock_future_ GUARDED_BY(lock_) = false;  // mlockall(MCL_FUTURE)
  ResidentCount resident_;
  std::atomic<uint64_t> stack_limit_{8 << 20};
  std::atomic<SpaceAttachment*> attachment_{nullptr};
};

}  // namespace runsc::mm
